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
# Of the largest magnitude: what is nearer in a window of a max pooling may change places by rounding.
TIE = 2e-6


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


def vit(name, side):
    """Of random weights, the class token as large as the others."""
    def build():
        model = timm.create_model(name, num_classes=CLASSES, img_size=side)
        nn.init.normal_(model.cls_token, std=0.02)
        return model

    return build


def torchvisions(name):
    return lambda: torchvision.models.get_model(name, num_classes=CLASSES)


class CopiedReLU(nn.ReLU):
    """One whose output may be changed in place."""

    def forward(self, x):
        return super().forward(x).clone()


def densenet(name):
    """With its last ReLU, which torchvision has as a function, as a module too, which is found by who looks for
    kinks."""
    def build():
        model = torchvision.models.get_model(name, num_classes=CLASSES)
        model.features.add_module("relu5", CopiedReLU())
        return model

    return build


def vgg_cifar():
    """For images of 32 pixels one fully connected layer scores the last maps."""
    model = torchvision.models.vgg11_bn(num_classes=CLASSES)
    model.avgpool, model.classifier = nn.AdaptiveAvgPool2d(1), nn.Linear(512, CLASSES)
    return model


def densenet_cifar():
    """For images of 32 pixels the stem has no stride and no pooling."""
    model = densenet("densenet121")()
    model.features.conv0, model.features.pool0 = nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.Identity()
    return model


def convnext(name):
    """With blocks whose outputs count: at first they are multiplied by 1e-6."""
    def build():
        model = torchvision.models.get_model(name, num_classes=CLASSES, stochastic_depth_prob=0.0)
        for parameter_name, parameter in model.named_parameters():
            if parameter_name.endswith("layer_scale"):
                nn.init.uniform_(parameter, 0.5, 1.5)
        return model

    return build


def vit_layers(depth):
    blocks = {f"blocks.{i}": f"blocks.{i}" for i in range(depth)}
    return {"patch_embed": ">norm_pre"} | blocks | {"penultimate": ">head"}


def vit_case(name, side, depth=12, **more):
    return Case({"name": name}, vit(name, side), vit_layers(depth), side=side, **more)


def resnet_case(name):
    layers = {"stem": "maxpool"} | {f"layer{i}": f"layer{i}" for i in range(1, 5)} | {"penultimate": ">fc"}
    return Case({"name": name}, torchvisions(name), layers, side=224, samples=2)


def densenet_layers(stem):
    blocks = {f"features.denseblock{i}": f"features.denseblock{i}" for i in range(1, 5)}
    return {f"features.{stem}": f"features.{stem}"} | blocks | {"penultimate": ">classifier"}


VGG11 = {f"features.{i}": f"features.{i}" for i in (3, 7, 14, 21, 28)}
VGG16 = {f"features.{i}": f"features.{i}" for i in (6, 13, 23, 33, 43)}
LAST_OF_THREE = {"penultimate": ">classifier.6"}
CONVNEXT = {f"features.{i}": f"features.{i}" for i in (0, 1, 3, 5, 7)} | {"penultimate": ">classifier.2"}

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

CASES |= {
    "vit_tiny_patch16_224": vit_case("vit_tiny_patch16_224", 224, gradients=True),
    "vit_small_patch16_224": vit_case("vit_small_patch16_224", 224),
    "vit_base_patch16_224": vit_case("vit_base_patch16_224", 224, samples=2),
    "vit_large_patch16_224": vit_case("vit_large_patch16_224", 224, depth=24, samples=1),
    "vit_small_patch32_224": vit_case("vit_small_patch32_224", 224),
    "vit_base_patch32_224": vit_case("vit_base_patch32_224", 224, samples=2),
    "vit_large_patch32_224": vit_case("vit_large_patch32_224", 224, depth=24, samples=1),
    "vit_small_patch8_224": vit_case("vit_small_patch8_224", 64),
    "vit_base_patch8_224": vit_case("vit_base_patch8_224", 64),
    # Small ones, of which few windows are so near to a tie.
    "vgg11_bn": Case(
        {"name": "vgg11_bn"}, torchvisions("vgg11_bn"), VGG11 | LAST_OF_THREE, samples=2, gradients=True
    ),
    "vgg11_bn-odd": Case({"name": "vgg11_bn"}, torchvisions("vgg11_bn"), VGG11 | LAST_OF_THREE, side=75),
    "vgg11_bn-224": Case(
        {"name": "vgg11_bn"}, torchvisions("vgg11_bn"), VGG11 | LAST_OF_THREE, side=224, samples=1
    ),
    "vgg11_bn-uneven": Case(
        {"name": "vgg11_bn"}, torchvisions("vgg11_bn"), VGG11 | LAST_OF_THREE, side=300, samples=1
    ),
    "vgg16_bn": Case({"name": "vgg16_bn"}, torchvisions("vgg16_bn"), VGG16 | LAST_OF_THREE, side=64),
    "vgg11_bn-cifar": Case(
        {"name": "vgg11_bn", "stem": "cifar"}, vgg_cifar, VGG11 | {"penultimate": ">classifier"}, gradients=True
    ),
    "densenet121": Case(
        {"name": "densenet121"}, densenet("densenet121"), densenet_layers("pool0"), side=64, gradients=True
    ),
    "densenet121-odd": Case({"name": "densenet121"}, densenet("densenet121"), densenet_layers("pool0"), side=75),
    "densenet121-224": Case(
        {"name": "densenet121"}, densenet("densenet121"), densenet_layers("pool0"), side=224, samples=1
    ),
    "densenet121-cifar": Case(
        {"name": "densenet121", "stem": "cifar"}, densenet_cifar, densenet_layers("relu0"), gradients=True
    ),
    "densenet161": Case({"name": "densenet161"}, densenet("densenet161"), densenet_layers("pool0"), side=64),
    "convnext_tiny": Case(
        {"name": "convnext_tiny"}, convnext("convnext_tiny"), CONVNEXT, side=64, gradients=True
    ),
    "convnext_tiny-odd": Case({"name": "convnext_tiny"}, convnext("convnext_tiny"), CONVNEXT, side=75),
    "convnext_tiny-224": Case({"name": "convnext_tiny"}, convnext("convnext_tiny"), CONVNEXT, side=224, samples=1),
    "convnext_base": Case({"name": "convnext_base"}, convnext("convnext_base"), CONVNEXT, side=64),
    "resnet18": resnet_case("resnet18"),
    "resnet34": resnet_case("resnet34"),
    "resnet50": resnet_case("resnet50"),
    "resnet101": resnet_case("resnet101"),
    "resnet152": resnet_case("resnet152"),
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


def nearest_tie(model, images):
    """The least by which the largest value of a max pooling's window is larger than the next, in training mode,
    relative to the largest magnitude there: of less, rounding alone leads the gradient elsewhere. Windows without a
    positive value count for nothing: none comes back through the ReLU before them."""
    double, nearest = copy.deepcopy(model).double().train(), [9.0]

    def hook(pool, inputs):
        x = inputs[0]
        # Zeros around are never the largest of values behind a ReLU, nor do they tie with a positive one.
        padded = nn.functional.pad(x, [pool.padding] * 4)
        windows = padded.unfold(2, pool.kernel_size, pool.stride).unfold(3, pool.kernel_size, pool.stride)
        first, second = windows.flatten(4).topk(2, -1).values.unbind(-1)
        apart = (first - second)[first > 0] / x.abs().max()
        nearest[0] = min(nearest[0], apart.min().item())

    for module in double.modules():
        if isinstance(module, nn.MaxPool2d):
            module.register_forward_pre_hook(hook)
    with torch.no_grad():
        double(images.double())
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
        unmoved = copy.deepcopy(model.state_dict())
        nearest = clear_of_kinks(model, images)
        while nearest_tie(model, images) < TIE:
            model.load_state_dict(unmoved)
            images = torch.randn(shape)
            nearest = clear_of_kinks(model, images)
        print(f"  nearest to a kink of all inputs of a ReLU in training: {nearest:.1e}")
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
