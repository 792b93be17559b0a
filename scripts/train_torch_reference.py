#!/usr/bin/env python3
"""Trains torchvision's ResNet-18 on Fashion-MNIST, for comparison with `reprsim`.

    pip install torch torchvision numpy
    scripts/fetch-datasets fashion-mnist
    scripts/train_torch_reference.py --seeds 3
    scripts/train_torch_reference.py --train 10000 --stem cifar --width 16 --augment

SGD with momentum 0.9 and weight decay 5e-4 on all parameters, label smoothing
0.1, a triangular schedule per step, the last short batch dropped. Images are
normalised with the mean and the standard deviation of the whole training set.
Prints the accuracy on all test images for each seed, their mean and standard
deviation, and images a second (of training alone).
"""
import argparse
import gzip
import statistics
import time
from pathlib import Path

import numpy as np
import torch
import torchvision
from torch import nn
from torchvision.models.resnet import BasicBlock, Bottleneck

BLOCKS = {18: [2, 2, 2, 2], 34: [3, 4, 6, 3], 50: [3, 4, 6, 3], 101: [3, 4, 23, 3], 152: [3, 8, 36, 3]}


def resnet(depth=18, width=64, stem="stock", channels=3, classes=10):
    """torchvision's network and its names for any width and either stem; the
    initial weights are drawn as torchvision draws them."""
    block = BasicBlock if depth < 50 else Bottleneck
    model = torchvision.models.ResNet(block, BLOCKS[depth], num_classes=classes)
    if width != 64:
        model.inplanes = width
        model.bn1 = nn.BatchNorm2d(width)
        for i, blocks in enumerate(BLOCKS[depth]):
            layer = model._make_layer(block, width << i, blocks, stride=1 if i == 0 else 2)
            setattr(model, f"layer{i + 1}", layer)
        model.fc = nn.Linear(8 * block.expansion * width, classes)
    if stem == "cifar":
        model.conv1 = nn.Conv2d(channels, width, 3, stride=1, padding=1, bias=False)
        model.maxpool = nn.Identity()
    else:
        model.conv1 = nn.Conv2d(channels, width, 7, stride=2, padding=3, bias=False)
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return model


def idx(folder, name, dims):
    """An IDX file of bytes, raw or .gz."""
    path = folder / name
    if path.exists():
        data = path.read_bytes()
    elif (path := folder / f"{name}.gz").exists():
        data = gzip.decompress(path.read_bytes())
    else:
        raise SystemExit(f"no {name} or {name}.gz in {folder}: scripts/fetch-datasets fashion-mnist")
    shape = [int(n) for n in np.frombuffer(data, ">u4", dims, 4)]
    if data[:4] != bytes([0, 0, 8, dims]) or len(data) != 4 + 4 * dims + int(np.prod(shape)):
        raise SystemExit(f"{path} is no IDX file of bytes with {dims} dimensions")
    return torch.from_numpy(np.frombuffer(data, np.uint8, offset=4 + 4 * dims).reshape(shape).copy())


def stratified(labels, n, seed):
    """n / classes indices of each class, without replacement."""
    rng = np.random.default_rng(seed)
    classes = np.unique(labels)
    picked = [rng.choice(np.flatnonzero(labels == c), n // len(classes), replace=False) for c in classes]
    return torch.from_numpy(np.sort(np.concatenate(picked)))


def factor(step, steps, peak):
    """The share of the highest learning rate at `step` of `steps`, from 0."""
    top = peak * steps
    return step / top if step < top else (steps - step) / max(steps - top, 1.0)


def augmented(images, fill, generator, shift=2, hole=4):
    """Bytes [n, h, w], each image flipped half of the time, moved by up to
    `shift` pixels and with a square of `hole` pixels filled."""
    n, h, w = images.shape

    def draw(low, high):
        return torch.randint(low, high + 1, (n, 1), generator=generator).to(images.device)

    flip = draw(0, 1)
    columns = torch.arange(w, device=images.device)
    columns = torch.where(flip == 1, w - 1 - columns, columns)
    images = images.gather(2, columns[:, None, :].expand(n, h, w))
    padded = nn.functional.pad(images, (shift,) * 4, value=fill)
    rows = torch.arange(h, device=images.device) + draw(0, 2 * shift)
    columns = torch.arange(w, device=images.device) + draw(0, 2 * shift)
    each = torch.arange(n, device=images.device)
    images = padded[each[:, None, None], rows[:, :, None], columns[:, None, :]]
    rows = torch.arange(h, device=images.device) - draw(0, h - hole)
    columns = torch.arange(w, device=images.device) - draw(0, w - hole)
    inside = ((rows >= 0) & (rows < hole))[:, :, None] & ((columns >= 0) & (columns < hole))[:, None, :]
    return images.masked_fill(inside, fill)


def train(args, images, labels, normalise, seed):
    """The trained network and images a second."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    model = resnet(18, args.width, args.stem, channels=1).to(args.device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0, momentum=0.9, weight_decay=5e-4)
    loss_of = nn.CrossEntropyLoss(label_smoothing=0.1)
    batch = min(args.batch, len(images))
    batches = len(images) // batch
    steps, step = batches * args.epochs, 0
    seconds = 0.0
    for epoch in range(1, args.epochs + 1):
        start = time.perf_counter()
        model.train()
        order = torch.randperm(len(images), generator=generator).to(args.device)
        loss_sum = torch.zeros((), device=args.device)
        for b in range(batches):
            rows = order[b * batch:(b + 1) * batch]
            x = images[rows]
            if args.augment:
                x = augmented(x, args.fill, generator)
            for group in optimizer.param_groups:
                group["lr"] = args.lr * factor(step, steps, args.peak)
            loss = loss_of(model(normalise(x)), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss_sum += loss.detach()
            step += 1
        loss = loss_sum.item() / batches
        seconds += time.perf_counter() - start
        print(f"  seed {seed} epoch {epoch}: loss {loss:.4f}, {seconds:.0f} s", flush=True)
    return model, steps * batch / max(seconds, 1e-9)


def accuracy(model, images, labels, normalise, batch=500):
    model.eval()
    hits = 0
    with torch.inference_mode():
        for x, y in zip(images.split(batch), labels.split(batch)):
            hits += (model(normalise(x)).argmax(1) == y).sum().item()
    return hits / len(images)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("~/.cache/reprsim/fashion-mnist"))
    parser.add_argument("--train", type=int, default=60_000, help="training images, as many of each class")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--lr", type=float, default=0.1, help="at the peak")
    parser.add_argument("--peak", type=float, default=0.2, help="share of the steps before the peak")
    parser.add_argument("--stem", choices=["stock", "cifar"], default="stock")
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--augment", action="store_true", help="flip, move by 2 px, cut out 4 x 4")
    parser.add_argument("--fill", type=int, default=125, help="the byte that --augment fills with")
    parser.add_argument("--seeds", type=int, default=3, help="how many: 0, 1, ...")
    parser.add_argument("--threads", type=int, help="of PyTorch [default: its own]")
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)

    folder = args.data.expanduser()
    images, labels = idx(folder, "train-images-idx3-ubyte", 3), idx(folder, "train-labels-idx1-ubyte", 1)
    tests, answers = idx(folder, "t10k-images-idx3-ubyte", 3), idx(folder, "t10k-labels-idx1-ubyte", 1)
    smallest = int(torch.bincount(labels).min())
    if args.train <= 0 or args.train % 10 or args.train // 10 > smallest:
        parser.error(f"--train must be a multiple of 10 from 10 to {10 * smallest}")
    # From the histogram: exact, and without a float copy of the images.
    count = torch.bincount(images.flatten(), minlength=256).double()
    value = torch.arange(256).double() / 255
    mean = ((count * value).sum() / count.sum()).item()
    std = ((count * (value - mean) ** 2).sum() / count.sum()).sqrt().item()

    def normalise(x):
        return ((x.float() / 255 - mean) / std)[:, None]

    print(f"PyTorch {torch.__version__} on {args.device}, {torch.get_num_threads()} threads: "
          f"ResNet-18 of width {args.width}, {args.stem} stem, {args.train} images, {args.epochs} epochs, "
          f"batch {args.batch}, lr {args.lr}, {'augmented' if args.augment else 'not augmented'}; "
          f"mean {mean:.4f}, sd {std:.4f}", flush=True)
    labels, tests, answers = labels.long(), tests.to(args.device), answers.long().to(args.device)
    reached, speeds = [], []
    for seed in range(args.seeds):
        picked = stratified(labels.numpy(), args.train, seed)
        model, speed = train(
            args, images[picked].to(args.device), labels[picked].to(args.device), normalise, seed
        )
        reached.append(accuracy(model, tests, answers, normalise))
        speeds.append(speed)
        print(f"seed {seed}: test accuracy {reached[-1]:.4f}, {speed:.0f} images/s", flush=True)
    spread = f"{statistics.stdev(reached):.4f}" if len(reached) > 1 else "none (one seed)"
    print(f"mean {statistics.mean(reached):.4f}, sd {spread}, {statistics.mean(speeds):.0f} images/s")


if __name__ == "__main__":
    main()
