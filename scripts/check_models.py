#!/usr/bin/env python3
"""Checks that our architectures are those of torchvision and timm, layer by layer.

    pip install torch torchvision timm safetensors
    scripts/check_models.py [--program PATH] [--case NAME ...]

For each case the peer is built with random weights and running statistics that are not the initial
ones, its state dict is written to a file, the example `torch_step` of reprsim-train (which is built, or
PATH) reads that file and computes every named layer and the logits of a random batch, and in cases
marked so the gradients of a cross-entropy loss in training mode. A line a layer: the largest difference
from torch in f64, relative to the largest magnitude of the layer, and the same between torch's own f32
and f64. What differs by no more than 1e-4, or three times torch's own, counts as equal. Exits with 1 if
anything differs by more. (`check_torch_parity.py` looks at residual networks more closely.)

One more architecture is a function that builds its peer, and a line in CASES.
"""
import argparse
import copy
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import timm
import torch
import torchvision
from safetensors.torch import load_file, save_file
from torch import nn

ROOT = Path(__file__).resolve().parent.parent
# The whole workspace, so that burn is not built a second time with other features.
BUILD = ["cargo", "build", "--release", "--quiet", "--workspace", "--example", "torch_step"]
CLASSES = 10
TOLERANCE = 1e-4


@dataclass
class Case:
    """An architecture of ours and its peer."""

    # Ours, as an experiment file has it under [model].
    config: dict
    # Builds the peer.
    peer: Callable[[], nn.Module]
    # For each layer of ours, input side first, the module of the peer whose output it is; with `>` before it
    # the module whose first input it is. `logits` need no entry.
    layers: dict[str, str]
    side: int = 32
    channels: int = 3
    samples: int = 4
    gradients: bool = False


def mobilenet_v2():
    return torchvision.models.mobilenet_v2(num_classes=CLASSES)


def mobilenet_v2_cifar():
    """kuangliu's changes for images of 32 pixels: no stride in the stem and in the first strided stage."""
    model = torchvision.models.mobilenet_v2(num_classes=CLASSES, width_mult=0.5)
    model.features[0][0].stride = (1, 1)
    model.features[2].conv[1][0].stride = (1, 1)
    return model


def efficientnet(name):
    return lambda: timm.create_model(name, num_classes=CLASSES)


MOBILENET = {f"features.{i}": f"features.{i}" for i in range(19)} | {"penultimate": ">classifier"}
EFFICIENTNET = {f"blocks.{i}": f"blocks.{i}" for i in range(7)} | {"penultimate": ">classifier"}

CASES = {
    "mobilenet_v2": Case({"name": "mobilenet_v2"}, mobilenet_v2, MOBILENET, side=64, gradients=True),
    "mobilenet_v2-odd": Case({"name": "mobilenet_v2"}, mobilenet_v2, MOBILENET, side=51),
    "mobilenet_v2-cifar": Case(
        {"name": "mobilenet", "width": 16, "stem": "cifar"}, mobilenet_v2_cifar, MOBILENET, gradients=True
    ),
    "efficientnet_lite0": Case(
        {"name": "efficientnet_lite0"}, efficientnet("efficientnet_lite0"), EFFICIENTNET, side=64, gradients=True
    ),
    "efficientnet_lite0-odd": Case(
        {"name": "efficientnet_lite0"}, efficientnet("efficientnet_lite0"), EFFICIENTNET, side=75
    ),
    "tf_efficientnet_lite0": Case(
        {"name": "tf_efficientnet_lite0"}, efficientnet("tf_efficientnet_lite0"), EFFICIENTNET, side=64, gradients=True
    ),
    "tf_efficientnet_lite0-odd": Case(
        {"name": "tf_efficientnet_lite0"}, efficientnet("tf_efficientnet_lite0"), EFFICIENTNET, side=75
    ),
}


def build() -> Path:
    subprocess.run(BUILD, cwd=ROOT, check=True)
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return target / "release" / "examples" / "torch_step"


def batch_norms(model):
    return [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]


def clear_of_kinks(model, images):
    """Moves the biases of batch norms, each by at most 0.1, so that no input of a ReLU or ReLU6 behind them is near
    where that has a kink, in training mode: one unit on the other side by rounding alone changes gradients by
    several percent, also between torch's f32 and f64. Returns the nearest."""
    double, last, nearest, hooks = copy.deepcopy(model).double().train(), [None], [9.0], []
    shifts = torch.linspace(-0.1, 0.1, 101, dtype=torch.float64)

    def remember(norm, _inputs):
        last[0] = norm

    def keep_clear(kinks):
        def hook(_module, inputs):
            norm, x = last[0], inputs[0]
            if norm is None or norm.num_features != x.shape[1]:
                return None
            values, best, room = x.transpose(0, 1).flatten(1), None, None
            for shift in shifts:
                # The bias has to be one of f32.
                by = ((norm.bias + shift).float().double() - norm.bias)[:, None]
                least = torch.stack([(values + by - kink).abs().amin(1) for kink in kinks]).amin(0)
                better = torch.ones_like(least, dtype=bool) if room is None else least > room
                room = least if room is None else torch.where(better, least, room)
                best = by[:, 0] if best is None else torch.where(better, by[:, 0], best)
            norm.bias += best
            nearest[0] = min(nearest[0], room.min().item())
            return (x + best[:, None, None],)

        return hook

    for module in double.modules():
        if isinstance(module, nn.BatchNorm2d):
            hooks.append(module.register_forward_pre_hook(remember))
        elif isinstance(module, nn.ReLU6):
            module.inplace = False
            hooks.append(module.register_forward_pre_hook(keep_clear([0.0, 6.0])))
        elif isinstance(module, nn.ReLU):
            module.inplace = False
            hooks.append(module.register_forward_pre_hook(keep_clear([0.0])))
    with torch.no_grad():
        double(images.double())
        for ours, theirs in zip(batch_norms(model), batch_norms(double)):
            ours.bias.copy_(theirs.bias)
    return nearest[0]


def prepared(case, seed):
    """A peer with nothing at its initial value that random weights can change, and a batch."""
    torch.manual_seed(seed)
    model = case.peer()
    shape = (case.samples, case.channels, case.side, case.side)
    for module in model.modules():
        if isinstance(module, (nn.Dropout, timm.layers.DropPath)):
            module.p = 0.0
            module.drop_prob = 0.0
    if hasattr(model, "drop_rate"):
        model.drop_rate = 0.0
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, (nn.BatchNorm2d, nn.LayerNorm, nn.GroupNorm)):
                module.weight.uniform_(0.5, 1.5)
                module.bias.normal_(0, 0.2)
            elif isinstance(module, (nn.Linear, nn.Conv2d)) and module.bias is not None:
                module.bias.normal_(0, 0.1)
    images = torch.randn(shape)
    if case.gradients and batch_norms(model):
        print(f"  nearest to a kink of all inputs of a ReLU in training: {clear_of_kinks(model, images):.1e}")
    with torch.no_grad():
        norms = batch_norms(model)
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.momentum = 0.5
        model.train()
        for _ in range(4):
            model(torch.randn(shape))
        for norm, momentum in zip(norms, momenta):
            norm.momentum = momentum
    return model, images, torch.randint(0, CLASSES, (case.samples,))


def reference(case, model, images, labels, dtype):
    """Layers and gradients, by torch, under the names that the program writes."""
    model, images = copy.deepcopy(model).to(dtype), images.to(dtype)
    seen, hooks = {}, []

    def keep(name, of_input):
        def hook(_module, inputs, output=None):
            seen[f"eval.{name}"] = (inputs[0] if of_input else output).detach().clone()

        return hook

    for name, path in case.layers.items():
        module = model.get_submodule(path.removeprefix(">"))
        of_input = path.startswith(">")
        register = module.register_forward_pre_hook if of_input else module.register_forward_hook
        hooks.append(register(keep(name, of_input)))
    with torch.no_grad():
        logits = model.eval()(images)
    seen["eval.logits"] = logits
    for hook in hooks:
        hook.remove()
    if case.gradients:
        loss = nn.functional.cross_entropy(model.train()(images), labels)
        loss.backward()
        seen["train.loss"] = loss.detach().reshape(1)
        seen |= {f"grad.{n}": p.grad.clone() for n, p in model.named_parameters()}
    return seen


def compare(ours, f32, f64):
    """Prints a line a layer and returns those that differ."""
    failed = [f"no {n}" for n in f64 if n not in ours] + [f"{n} is unknown" for n in ours if n not in f64]
    for name in f64.keys() & ours.keys():
        if ours[name].shape != f64[name].shape:
            failed.append(f"{name} is {list(ours[name].shape)}, not {list(f64[name].shape)}")
    if failed:
        return failed
    overall = max((t.abs().max().item() for n, t in f64.items() if n.startswith("grad.")), default=0.0)
    worst = (0.0, 0.0, "")
    for name, value in f64.items():
        scale = max(value.abs().max().item(), 1e-30)
        if name.startswith("grad."):
            scale = max(scale, 1e-3 * overall)
        apart, own = ((t[name].double() - value).abs().max().item() / scale for t in (ours, f32))
        # NaN compares as false.
        if not apart <= max(TOLERANCE, 3 * own):
            failed.append(f"{name}: {apart:.1e}, torch {own:.1e}")
        if name.startswith("grad."):
            worst = max(worst, (apart, own, name))
        else:
            print(f"  {name:24}{apart:9.1e}  torch {own:.1e}")
    if worst[2]:
        count = sum(n.startswith("grad.") for n in f64)
        print(f"  {count} gradients, at most{worst[0]:7.1e}  torch {worst[1]:.1e}  at {worst[2]}")
    return failed


def check(case, seed, folder, command):
    """Runs one case and returns what failed."""
    model, images, labels = prepared(case, seed)
    state = {n: t.contiguous() for n, t in model.state_dict().items()}
    save_file(state, folder / "model.safetensors")
    save_file({"images": images, "labels": labels}, folder / "batch.safetensors")
    spec = {"model": case.config, "classes": CLASSES, "weights": "model.safetensors", "train": case.gradients}
    (folder / "case.json").write_text(json.dumps(spec, indent=1))
    done = subprocess.run([*command, str(folder)], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        return [f"the program ended with {done.returncode}: {(done.stdout + done.stderr)[-2000:]}"]
    torchs = (reference(case, model, images, labels, d) for d in (torch.float32, torch.float64))
    return compare(load_file(folder / "ours.safetensors"), *torchs)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--program", type=Path, help="the built example [default: cargo build]")
    parser.add_argument("--case", nargs="+", choices=CASES, default=list(CASES), metavar="NAME",
                        help=f"which of {', '.join(CASES)} [default: all]")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    command = [str(args.program.resolve() if args.program else build())]
    print(f"PyTorch {torch.__version__}, torchvision {torchvision.__version__}, timm {timm.__version__}")
    failed = {}
    for name in args.case:
        print(f"{name}: {json.dumps(CASES[name].config)}", flush=True)
        with tempfile.TemporaryDirectory(prefix="check-models-") as folder:
            failures = check(CASES[name], args.seed, Path(folder), command)
        for failure in failures:
            print(f"  FAILED {failure}", flush=True)
        if failures:
            failed[name] = failures
    print(f"{len(args.case) - len(failed)} of {len(args.case)} cases equal")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
