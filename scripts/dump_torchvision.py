#!/usr/bin/env python3
"""Writes the activations of a torchvision model on a folder of images as
.safetensors, for `reprsim compare`.

    pip install torch torchvision safetensors
    scripts/dump_torchvision.py resnet18 IMAGES a.safetensors --layers layer1,layer4,avgpool
    scripts/dump_torchvision.py vit_b_16 IMAGES b.safetensors --weights none --seed 1
    reprsim compare a.safetensors b.safetensors

IMAGES is a folder of images or of class folders; they are taken in the order of
their names, so two dumps of one folder are of the same samples, and the names'
hash goes into the file: `compare` refuses files of different samples. Maps are
averaged over positions and tokens over the sequence unless --pool says otherwise.
"""
import argparse
import hashlib
from pathlib import Path

import torch
import torchvision
from PIL import Image
from safetensors.torch import save_file

ENDINGS = {".png", ".jpg", ".jpeg", ".bmp", ".webp"}


def pooled(x, how):
    if x.ndim == 4:
        return x.flatten(1) if how == "flatten" else x.mean((2, 3))
    if x.ndim == 3:
        return {"flatten": x.flatten(1), "first": x[:, 0], "mean": x.mean(1)}[how]
    return x.flatten(1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model")
    parser.add_argument("images", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--weights", default="DEFAULT", help="torchvision's name, or 'none'")
    parser.add_argument("--layers", help="module names [default: the model's children]")
    parser.add_argument("--pool", choices=["mean", "flatten", "first"], default="mean")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--seed", type=int, default=0, help="of random weights")
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    weights = None if args.weights == "none" else args.weights
    model = torchvision.models.get_model(args.model, weights=weights).eval()
    modules = dict(model.named_modules())
    names = args.layers.split(",") if args.layers else [n for n, _ in model.named_children()]
    unknown = [n for n in names if n not in modules]
    if unknown:
        parser.error(f"{args.model} has no module {', '.join(unknown)}")
    seen = {}

    def keep(name):
        def hook(_module, _inputs, output):
            if isinstance(output, torch.Tensor):
                seen.setdefault(name, []).append(pooled(output, args.pool).float().cpu())

        return hook

    for name in names:
        modules[name].register_forward_hook(keep(name))

    files = sorted(p for p in args.images.rglob("*") if p.suffix.lower() in ENDINGS)
    if not files:
        parser.error(f"no images in {args.images}")
    prepare = torchvision.transforms.Compose([
        torchvision.transforms.Resize((args.size, args.size)),
        torchvision.transforms.ToTensor(),
        torchvision.transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    ])
    with torch.inference_mode():
        for start in range(0, len(files), args.batch):
            batch = [prepare(Image.open(p).convert("RGB")) for p in files[start:start + args.batch]]
            model(torch.stack(batch))
            print(f"\r{min(start + args.batch, len(files))} of {len(files)} images", end="", flush=True)
    layers = {n: torch.cat(parts).contiguous() for n, parts in seen.items()}
    ids = "\n".join(str(p.relative_to(args.images)) for p in files)
    save_file(layers, args.out, metadata={
        "model": args.model,
        "layers": ",".join(layers),
        "pooling": args.pool,
        "sample_ids_sha256": hashlib.sha256(ids.encode()).hexdigest(),
    })
    print(f"\n{args.out}: " + ", ".join(f"{n} {tuple(v.shape)}" for n, v in layers.items()))


if __name__ == "__main__":
    main()
