"""The script that dumps a model's layers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import reprsim

SCRIPT = Path(__file__).parents[3] / "scripts/dump_torchvision.py"


def test_a_model_is_dumped_by_rows(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    torchvision = pytest.importorskip("torchvision")
    image = pytest.importorskip("PIL.Image")
    images = tmp_path / "images"
    for at in range(70):
        (images / f"class{at % 3}").mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(at).integers(0, 255, (20, 30, 3), "u1")
        image.fromarray(pixels).save(images / f"class{at % 3}/{at:03}.png")
    for seed, out in enumerate(("a", "b")):
        command = [sys.executable, SCRIPT, "squeezenet1_1", images, tmp_path / f"{out}.safetensors"]
        options = ["--layers", "features.12", "classifier.*", "--weights", "none", "--seed", str(seed)]
        subprocess.run([*command, *options], check=True, timeout=300)
    layers = reprsim.activations(tmp_path / "a.safetensors")
    assert {name: layer.shape for name, layer in layers.items()} == {
        "features.12": (70, 512),
        "classifier.0": (70, 512),
        "classifier.1": (70, 1000),
        "classifier.2": (70, 1000),
        "classifier.3": (70, 1000),
    }
    found = reprsim.compare(layers, tmp_path / "b.safetensors", layers="same", null=99)
    assert found[0].layer_a == "features.12" and found[0].p <= 0.05
    paths = sorted(path.relative_to(images) for path in images.rglob("*.png"))
    with torch.inference_mode():
        torch.manual_seed(0)
        model = torchvision.models.squeezenet1_1(weights=None).eval()
        pixels = torch.from_numpy(np.array(image.open(images / paths[5]))).permute(2, 0, 1)[None] / 255
        resized = torch.nn.functional.interpolate(pixels, (224, 224), mode="bilinear", antialias=True)
        mean, deviation = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])[..., None, None]
        expected = model.features((resized - mean) / deviation).mean((2, 3))
    # Resized as bytes there.
    assert np.allclose(np.asarray(layers["features.12"])[5], expected[0], atol=0.05)
