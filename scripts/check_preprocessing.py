#!/usr/bin/env python3
# /// script
# requires-python = ">=3.10"
# dependencies = [
#   "torch", "torchvision", "safetensors", "pillow",
#   "scikit-image", "scikit-learn", "matplotlib",
# ]
# ///
"""Compares how images become what models see with torchvision, on 20 photographs of odd sizes.

    pip install torch torchvision safetensors pillow scikit-image scikit-learn matplotlib
    cargo build --release -p reprsim --bins --example resample
    scripts/check_preprocessing.py [--device cpu] [--target target/release]
    scripts/check_preprocessing.py --golden tests/golden/resampled.json

The photographs are those that scikit-image, scikit-learn and matplotlib install with
themselves; squares lose some of a side, so that all are of odd sizes. For both filters, of
`Resize(256)`, `CenterCrop(224)`, and of 32 x 32 made 224 x 224:

  device  what `[input]` makes of them on the device (crates/reprsim/examples/resample.rs)
          against torchvision's resize(antialias=True) and center_crop of floats: the largest
          difference, of 255
  model   the same after clamping and normalisation, as models see it, against torchvision's
          bytes: at most half a level of rounding
  bytes   what a `folder` with `resize = 256`, `size = 224` stores (decoded by the program
          itself) against torchvision's resize of bytes, in levels of 255; Pillow's resize
          beside it

With --golden it writes what tests/augmentation.rs compares with instead.
"""
import argparse
import importlib.util
import json
import pathlib
import subprocess
import sys
import tempfile

import torch
from safetensors.torch import load_file, save_file
from torchvision.transforms import InterpolationMode
from torchvision.transforms.functional import center_crop, resize

FILTERS = {"bilinear": InterpolationMode.BILINEAR, "bicubic": InterpolationMode.BICUBIC}
PHOTOGRAPHS = [
    ("skimage", "data"),
    ("sklearn", "datasets/images"),
    ("matplotlib", "mpl-data/sample_data"),
]
DRAWINGS = {
    "chessboard_GRAY", "chessboard_RGB", "color", "horse", "logo", "logo2", "page", "phantom", "text",
    "Minduka_Present_Blue_Pack",
}
# Height, width, resize, size.
SHAPES = [(7, 5, 11, 9), (13, 17, 8, 5), (5, 23, 6, 3), (9, 9, 9, 4), (4, 4, 7, 7)]


def torchvision(images, shorter, size, how):
    """As `transforms.Resize(shorter)` and `transforms.CenterCrop(size)` do."""
    return center_crop(resize(images, [shorter], FILTERS[how], antialias=True), [size, size])


def golden(path):
    """Images whose values are a formula of their place, resampled in f64."""
    cases = []
    for how in FILTERS:
        for height, width, shorter, size in SHAPES:
            count = 3 * height * width
            values = torch.tensor([(i * i + 31 * i) % 256 for i in range(count)])
            image = values.double().reshape(1, 3, height, width)
            made = torchvision(image, shorter, size, how).flatten().tolist()
            cases.append(
                {
                    "filter": how,
                    "height": height,
                    "width": width,
                    "resize": shorter,
                    "size": size,
                    "values": [round(v, 5) for v in made],
                }
            )
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    pathlib.Path(path).write_text(f"[\n{lines}\n]\n")


def photographs(count):
    """Photographs of odd sizes as (name, PIL image): those that are squares lose some of a side."""
    from PIL import Image

    found = []
    for package, folder in PHOTOGRAPHS:
        spec = importlib.util.find_spec(package)
        if spec is None:
            sys.exit(f"{package} is not installed: its photographs are needed")
        for path in sorted((pathlib.Path(spec.origin).parent / folder).iterdir()):
            if path.suffix not in {".png", ".jpg"} or path.stem in DRAWINGS:
                continue
            image = Image.open(path).convert("RGB")
            # The program follows a colour profile, which torchvision does not know.
            image.info.clear()
            width, height = image.size
            if width == height:
                place = len(found)
                image = image.crop((3, 2, width - 7 * place % (width // 2), height - 3 * place % 31))
            found.append((path.stem, image))
    return found[:count]


def bytes_of(image):
    import numpy as np

    return torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()


def ours(target, device, images, shorter, size, how, folder):
    """What the example makes of images: resampled, and as models see them."""
    case = {"resize": shorter, "size": size, "filter": how}
    save_file(images, folder / "images.safetensors")
    (folder / "case.json").write_text(json.dumps(case))
    subprocess.run([target / "examples" / "resample", folder, device], check=True)
    return load_file(folder / "resampled.safetensors"), load_file(folder / "seen.safetensors")


def stored(target, named, shorter, size, how, folder):
    """The bytes that the program stores of a folder of the photographs, by their names."""
    pictures = folder / f"pictures-{how}"
    for place, (name, image) in enumerate(named):
        # Both parts, so that all are read: one image of each class is held out.
        for part in ("train", "test"):
            to = pictures / part / f"class{place % 2}"
            to.mkdir(parents=True, exist_ok=True)
            image.save(to / f"{place:02}-{name}.png")
    experiment = folder / f"{how}.toml"
    experiment.write_text(
        f"""name = "check"
seeds = 1
[dataset]
name = "folder"
path = "{pictures.name}"
size = {size}
resize = {shorter}
filter = "{how}"
[model]
name = "mlp"
hidden = [2]
[training]
epochs = 1
batch = 2
optimizer = {{ name = "sgd", lr = 0.1 }}
[[axis]]
kind = "data"
levels = [0, 1]
[[probe]]
name = "test"
[analysis]
primary = {{ measure = "cka_linear_debiased", probe = "test", layer = "penultimate" }}
"""
    )
    cache = folder / f"cache-{how}"
    command = [target / "reprsim", "data", "preview", experiment]
    command += ["--data-dir", cache, "--out", folder / "preview.png"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stderr}")
    arrays = list(cache.rglob("train*.safetensors"))
    assert len(arrays) == 1, arrays
    samples = load_file(arrays[0])["samples"].reshape(len(named), 3, size, size)
    # The program reads class by class, each by the names of its files.
    order = sorted(range(len(named)), key=lambda place: (place % 2, f"{place:02}"))
    return {named[place][0]: samples[i] for i, place in enumerate(order)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--target", type=pathlib.Path, default=pathlib.Path("target/release"))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--golden", type=pathlib.Path)
    arguments = parser.parse_args()
    if arguments.golden:
        golden(arguments.golden)
        return
    target = arguments.target.resolve()
    named = photographs(20)
    images = {name: bytes_of(image) for name, image in named}
    sides = {name: "x".join(map(str, image.shape[1:])) for name, image in images.items()}
    print(f"{len(images)} photographs: {', '.join(f'{n} {s}' for n, s in sides.items())}\n")
    print(f"{'filter':9} {'sizes':12} {'device/255':>11} {'model':>7} {'bytes':>6} {'Pillow':>7}")
    failed = False
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for how in FILTERS:
            small = {n: resize(i, [32, 32], antialias=True) for n, i in images.items()}
            cases = [("odd -> 224", images, 256, 224), ("32 -> 224", small, 224, 224)]
            for words, batch, shorter, size in cases:
                made, seen = ours(target, arguments.device, batch, shorter, size, how, folder)
                floats = {n: torchvision(i.float(), shorter, size, how) for n, i in batch.items()}
                levels = {n: torchvision(i, shorter, size, how).int() for n, i in batch.items()}
                off = max((made[n] - floats[n]).abs().max().item() for n in batch) / 255
                model = max((seen[n] * 255 - levels[n]).abs().max().item() for n in batch)
                far, pillow = "", ""
                if batch is images:
                    kept = stored(target, named, shorter, size, how, folder)
                    far = max((kept[n].int() - levels[n]).abs().max().item() for n in batch)
                    of_pillow = {n: bytes_of(torchvision(i, shorter, size, how)) for n, i in named}
                    pillow = max((kept[n].int() - p.int()).abs().max().item() for n, p in of_pillow.items())
                    failed |= far > 1
                failed |= off > 1e-4 or model > 1.01
                print(f"{how:9} {words:12} {off:11.1e} {model:7.2f} {far!s:>6} {pillow!s:>7}")
    sys.exit("a difference is too large" if failed else 0)


if __name__ == "__main__":
    main()
