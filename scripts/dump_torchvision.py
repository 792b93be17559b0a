#!/usr/bin/env python3
"""Streams the layers of a torchvision model on a folder of images into a .safetensors file, for
`reprsim compare`: any model of any library is dumped like this.

    pip install reprsim torch torchvision
    scripts/dump_torchvision.py resnet18 IMAGES a.safetensors --layers layer1 layer4 avgpool
    scripts/dump_torchvision.py vit_b_16 IMAGES b.safetensors --layers 'encoder.layers.*' --weights none
    reprsim compare a.safetensors b.safetensors

Rows are in the order of the images' names, whose hash goes into the file: `compare` refuses files of
different samples.
"""
import argparse
from pathlib import Path

import reprsim
import torch
import torchvision
from PIL import Image
from torchvision.transforms import v2

parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
parser.add_argument("model")
parser.add_argument("images", type=Path, help="a folder of images, or of folders of them")
parser.add_argument("out", type=Path)
parser.add_argument("--layers", nargs="+", default=["*"], help="names or patterns of modules")
parser.add_argument("--pool", default="mean", help="mean, max, first, last or flatten")
parser.add_argument("--axes", help="order of axes where it is not nchw: nhwc, say, of a Swin's blocks")
parser.add_argument("--weights", default="DEFAULT", help="torchvision's name, or 'none'")
parser.add_argument("--seed", type=int, default=0, help="of random weights")
args = parser.parse_args()

torch.manual_seed(args.seed)
weights = None if args.weights == "none" else args.weights
model = torchvision.models.get_model(args.model, weights=weights).eval()
prepare = v2.Compose([
    v2.PILToTensor(),
    v2.Resize((224, 224)),
    v2.ToDtype(torch.float32, scale=True),
    v2.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
])
files = sorted(p for p in args.images.rglob("*") if p.suffix.lower() in {".png", ".jpg", ".jpeg", ".webp"})
capture = reprsim.capture(model, args.layers, pool=args.pool, axes=args.axes or (), file=args.out)
with torch.inference_mode(), capture as captured:
    for start in range(0, len(files), 64):
        batch = files[start : start + 64]
        captured.batch(ids=[str(path.relative_to(args.images)) for path in batch])
        model(torch.stack([prepare(Image.open(path).convert("RGB")) for path in batch]))
        print(f"{min(start + 64, len(files))} of {len(files)} images", end="\r", flush=True)
print(f"{args.out}: {len(captured)} layers of {len(files)} images")
