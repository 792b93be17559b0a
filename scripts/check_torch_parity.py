#!/usr/bin/env python3
"""Checks that our ResNet is torchvision's, both ways.

    pip install torch torchvision safetensors numpy
    scripts/check_torch_parity.py [--program PATH] [--case NAME ...]

Weights, activations, loss, gradients, one step of SGD, and back: for each case
the script writes random weights in torchvision's names and a batch,
runs the example `torch_step` of reprsim-train (which it builds, or PATH), and
compares what comes back with torchvision in f64 and in f32. A line
a quantity: the largest difference, the largest one relative to the largest
magnitude of its tensor, and the same between torch's own f32 and f64, which is
what the arithmetic allows: what differs by no more than three times that counts as equal. Then torchvision loads the checkpoint that the program
wrote after its step. Exits with 1 if anything differs by more than is allowed.

PyTorch keeps the unbiased variance of the batch (n - 1) as a running statistic,
burn the biased one (n). --biased-variance holds the program to burn's; without it,
to PyTorch's. Both differences are printed either way.
"""
import argparse
import copy
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torchvision.models.resnet import BasicBlock, Bottleneck

sys.dont_write_bytecode = True
from train_torch_reference import resnet  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
# The whole workspace, so that burn is not built a second time with other features.
BUILD = ["cargo", "build", "--release", "--quiet", "--workspace", "--example", "torch_step"]
SAMPLES, CLASSES = 16, 10
LR, MOMENTUM, DECAY, SMOOTHING = 0.1, 0.9, 5e-4, 0.1
TOLERANCE = 1e-4
# Of the weight decay itself, which is small beside the parameters: f32 loses 0.1 %.
DECAY_TOLERANCE = 1e-2
STAGES = ["stem", "layer1", "layer2", "layer3", "layer4", "penultimate"]


def build() -> Path:
    subprocess.run(BUILD, cwd=ROOT, check=True)
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return target / "release" / "examples" / "torch_step"


def case(depth, width, stem, channels, side, ending):
    return {
        "model": {"name": "resnet", "depth": depth, "width": width, "stem": stem}, "channels": channels,
        "side": side, "classes": CLASSES, "weights": f"model.{ending}", "train": True,
        "lr": LR, "momentum": MOMENTUM, "weight_decay": DECAY, "label_smoothing": SMOOTHING,
    }


CASES = {
    "stock-pth": case(18, 64, "stock", 3, 32, "pth"),
    "stock-safetensors": case(18, 64, "stock", 3, 32, "safetensors"),
    "cifar-pth": case(18, 64, "cifar", 3, 32, "pth"),
    "cifar-safetensors": case(18, 64, "cifar", 3, 32, "safetensors"),
    "stock-grey": case(18, 64, "stock", 1, 28, "pth"),
    "resnet34-cifar": case(34, 64, "cifar", 3, 32, "safetensors"),
    "narrow-cifar": case(18, 16, "cifar", 3, 32, "safetensors"),
    "resnet50-stock": case(50, 64, "stock", 3, 64, "pth"),
    "resnet50-cifar": case(50, 16, "cifar", 3, 32, "safetensors"),
    "resnet101-stock": case(101, 64, "stock", 3, 64, "safetensors"),
    "resnet152-stock": case(152, 64, "stock", 3, 64, "safetensors"),
}


def network(spec):
    ours = spec["model"]
    return resnet(ours["depth"], ours["width"], ours["stem"], spec["channels"], spec["classes"])


def norms(model):
    return {n: m for n, m in model.named_modules() if isinstance(m, nn.BatchNorm2d)}


def clear_of_zero(model, images):
    """Moves the biases of the batch norms, each by at most 0.1, so that no input of
    a ReLU is near zero in training mode. Returns the nearest. One unit on the other
    side of zero, by rounding alone, changes gradients of layer4 by several percent:
    torch's f32 and f64 would not agree."""
    double = copy.deepcopy(model).double().train()
    nearest, hooks = [], []

    def keep_clear(relu, batch_norms):
        order = iter(batch_norms)

        def hook(_module, inputs):
            norm, x = next(order), inputs[0]
            # The middle of the widest gap between a channel's values.
            edge = torch.full((x.shape[1], 1), 1e9, dtype=x.dtype)
            values = torch.cat([-edge, x.transpose(0, 1).flatten(1).sort(1).values, edge], 1)
            zero = ((values[:, 1:] + values[:, :-1]) / 2).clamp(-0.1, 0.1)
            room = torch.minimum(zero - values[:, :-1], values[:, 1:] - zero)
            best = room.argmax(1, keepdim=True)
            # The bias has to be one of f32.
            bias = (norm.bias - zero.gather(1, best).squeeze(1)).float().double()
            x = x + (bias - norm.bias)[:, None, None]
            norm.bias.copy_(bias)
            nearest.append(x.abs().min().item())
            return (x,)

        hooks.append(relu.register_forward_pre_hook(hook))

    keep_clear(double.relu, [double.bn1])
    for module in double.modules():
        if isinstance(module, BasicBlock):
            keep_clear(module.relu, [module.bn1, module.bn2])
        elif isinstance(module, Bottleneck):
            keep_clear(module.relu, [module.bn1, module.bn2, module.bn3])
    with torch.no_grad():
        double(images.double())
        for name, norm in norms(double).items():
            model.get_submodule(name).bias.copy_(norm.bias)
    return min(nearest)


def pool_is_clear(model, images, least=1e-5):
    """Whether the largest value of every window of the stem's pool is the largest by
    `least`: where it is not, rounding chooses where the gradient goes."""
    if isinstance(model.maxpool, nn.Identity):
        return True
    double = copy.deepcopy(model).double().train()
    with torch.no_grad():
        x = double.bn1(double.conv1(images.double()))
    x = nn.functional.pad(x, (1, 1, 1, 1), value=-1e9).unfold(2, 3, 2).unfold(3, 3, 2)
    first, second = x.flatten(4).topk(2, -1).values.unbind(-1)
    # Where both are negative the ReLU stops the gradient; the bias moves by 0.1.
    return bool(((first - second)[first > -0.1] > least).all())


def prepared(spec, seed):
    """A network with nothing at its initial value, and a batch."""
    torch.manual_seed(seed)
    model = network(spec)
    shape = (SAMPLES, spec["channels"], spec["side"], spec["side"])
    with torch.no_grad():
        for norm in norms(model).values():
            norm.weight.uniform_(0.5, 1.5)
            norm.bias.normal_(0, 0.2)
            norm.momentum = 0.5
    images = torch.randn(shape)
    while not pool_is_clear(model, images):
        images = torch.randn(shape)
    nearest = clear_of_zero(model, images)
    with torch.no_grad():
        model.train()
        for _ in range(4):
            model(torch.randn(shape))
        for norm in norms(model).values():
            norm.momentum = 0.1
    print(f"  nearest to zero of all inputs of a ReLU in training: {nearest:.1e}")
    return model, images, torch.randint(0, spec["classes"], (SAMPLES,))


def activations(model, images):
    """Those in eval mode, by the names that the program writes."""
    model.eval()
    seen, hooks = {}, []
    modules = {"stem": model.maxpool, "penultimate": model.avgpool}
    modules |= {f"layer{i}": getattr(model, f"layer{i}") for i in range(1, 5)}
    for name, module in modules.items():
        def keep(_module, _inputs, output, name=name):
            seen[name] = (output.flatten(1) if name == "penultimate" else output).detach().clone()

        hooks.append(module.register_forward_hook(keep))
    with torch.no_grad():
        seen["logits"] = model(images)
    for hook in hooks:
        hook.remove()
    return seen


def reference(model, images, labels, dtype):
    """Everything that the program computes, by torch."""
    model, images = copy.deepcopy(model).to(dtype), images.to(dtype)
    out = {"eval": activations(model, images)}
    counts, hooks = {}, []
    for name, norm in norms(model).items():
        def count(_module, inputs, name=name):
            counts[name] = inputs[0].numel() // inputs[0].shape[1]

        hooks.append(norm.register_forward_pre_hook(count))
    before = {n: b.clone() for n, b in model.named_buffers()}
    optimizer = torch.optim.SGD(model.parameters(), lr=LR, momentum=MOMENTUM, weight_decay=DECAY)
    model.train()
    loss = nn.functional.cross_entropy(model(images), labels, label_smoothing=SMOOTHING)
    loss.backward()
    for hook in hooks:
        hook.remove()
    out["loss"] = {"loss": loss.detach().reshape(1)}
    out["grads"] = {n: p.grad.clone() for n, p in model.named_parameters()}
    optimizer.step()
    out["params"] = {n: p.detach().clone() for n, p in model.named_parameters()}
    out["mean"], out["var"], out["biased"] = {}, {}, {}
    for name, norm in norms(model).items():
        n, old = counts[name], before[f"{name}.running_var"] * (1 - norm.momentum)
        out["mean"][f"{name}.running_mean"] = norm.running_mean.clone()
        out["var"][f"{name}.running_var"] = norm.running_var.clone()
        out["biased"][f"{name}.running_var"] = old + (norm.running_var - old) * ((n - 1) / n)
    out["stepped"] = {"logits": activations(model, images)["logits"]}
    model.load_state_dict(out["biased"], strict=False)
    out["stepped_biased"] = {"logits": activations(model, images)["logits"]}
    return out


def decay_left(before, grads, params):
    """What the step took beside the gradient, a parameter: the weight decay."""
    return {n: (before[n].double() - params[n].double()) / LR - grads[n].double() for n in before}


class Report:
    def __init__(self):
        self.failures = []
        print(f"  {'':31}{'ours - torch f64':>19}{'ours - torch f32':>19}{'torch f32 - f64':>19}  judged")
        print(f"  {'':31}" + f"{'abs':>10}{'rel':>9}" * 3 + "  by")

    def fail(self, what):
        self.failures.append(what)
        print(f"  FAILED: {what}")

    def line(self, what, ours, f64, f32, scale, tolerance=TOLERANCE, judged=True):
        """Compares dictionaries of tensors; `scale` gives what the differences of
        a tensor of f64 are judged relative to. Returns the worst of these."""

        def worst(left, right):
            largest, relative = 0.0, 0.0
            for name, value in right.items():
                gap = (left[name].double() - value.double()).abs().max().item()
                share = gap / max(value.double().abs().max().item(), 1e-300)
                # NaN compares as false: kept, so that it fails below.
                largest = gap if not gap <= largest else largest
                relative = share if not share <= relative else relative
            return f"{largest:10.1e}{relative:9.1e}"

        by = {
            n: (ours[n].double() - v.double()).abs().max().item() / scale(n, v.double().abs().max().item())
            for n, v in f64.items()
        }
        name = max(by, key=lambda n: float("inf") if by[n] != by[n] else by[n])
        # Fifty layers and more amplify rounding beyond it in torch as well.
        own = max(
            (f32[n].double() - v.double()).abs().max().item() / scale(n, v.double().abs().max().item())
            for n, v in f64.items()
        )
        good = by[name] <= max(tolerance, 3 * own)
        verdict = ("ok" if good else "FAILED") if judged else "not judged"
        at = f" at {name}" if len(by) > 1 else ""
        columns = worst(ours, f64) + worst(ours, f32) + worst(f32, f64)
        print(f"  {what:31}{columns}  {by[name]:.1e} {verdict}{at}", flush=True)
        if judged and not good:
            self.failures.append(f"{what}: {by[name]:.1e}{at}")
        return by[name]


def fits(report, what, found, expected):
    """Whether names, shapes and types are those expected; says what is not."""
    wrong = [f"no {n}" for n in expected if n not in found]
    wrong += [f"{n} is unknown" for n in found if n not in expected]
    for name in expected.keys() & found.keys():
        ours, theirs = found[name], expected[name]
        if ours.shape != theirs.shape or ours.dtype != torch.float32:
            wrong.append(f"{name} is {ours.dtype} {list(ours.shape)}, not float32 {list(theirs.shape)}")
    if wrong:
        more = f", and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        report.fail(f"{what}: {'; '.join(wrong[:5])}{more}")
    return not wrong


def check(spec, seed, folder, command, biased, known):
    """Runs one case and returns what failed. `known` keeps torch's results for the
    same case with weights in another file format."""
    model, images, labels = prepared(spec, seed)
    state = {n: t.contiguous() for n, t in model.state_dict().items()}
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    if spec["weights"].endswith(".pth"):
        torch.save(state, folder / spec["weights"])
    else:
        save_file(state, folder / spec["weights"])
    save_file({"images": images, "labels": labels}, folder / "batch.safetensors")
    (folder / "case.json").write_text(json.dumps(spec, indent=1))

    report = Report()
    done = subprocess.run([*command, str(folder)], cwd=ROOT, capture_output=True, text=True)
    missing = [n for n in ("ours.safetensors", "stepped.safetensors") if not (folder / n).exists()]
    if done.returncode or missing:
        report.fail(f"the program ended with {done.returncode}" + "".join(f", no {n}" for n in missing))
        print((done.stdout + done.stderr)[-4000:])
        return report.failures
    ours, stepped = load_file(folder / "ours.safetensors"), load_file(folder / "stepped.safetensors")
    stepped = {n: t for n, t in stepped.items() if not n.endswith("num_batches_tracked")}

    key = json.dumps(spec | {"weights": ""})
    if key not in known:
        known.clear()
        known[key] = [reference(model, images, labels, d) for d in (torch.float32, torch.float64)]
    f32, f64 = known[key]
    expected = {f"eval.{n}": t for n, t in f32["eval"].items()} | {"train.loss": f32["loss"]["loss"]}
    expected |= {f"grad.{n}": t for n, t in f32["grads"].items()}
    good = fits(report, "ours.safetensors", ours, expected)
    if not (fits(report, "stepped.safetensors", stepped, f32["params"] | f32["mean"] | f32["var"]) and good):
        return report.failures

    def magnitude(_name, own):
        return max(own, 1e-30)

    def at_least_1(_name, own):
        return max(own, 1.0)

    overall = max(g.abs().max().item() for g in f64["grads"].values())

    def gradient(_name, own):
        return max(own, 1e-3 * overall)

    for stage in [*STAGES, "logits"]:
        mine, *torchs = ({stage: t} for t in (ours[f"eval.{stage}"], f64["eval"][stage], f32["eval"][stage]))
        report.line(f"eval {stage}", mine, *torchs, at_least_1)
    report.line("train loss", {"loss": ours["train.loss"]}, f64["loss"], f32["loss"], at_least_1)
    grads = {n: ours[f"grad.{n}"] for n in before}
    report.line("gradients", grads, f64["grads"], f32["grads"], gradient)
    report.line("parameters after the step", stepped, f64["params"], f32["params"], magnitude)
    report.line(
        "weight decay in the step",
        decay_left(before, grads, stepped),
        {n: DECAY * p.double() for n, p in before.items()},
        decay_left(before, f32["grads"], f32["params"]),
        # Beside the larger of the parameter before and after: there f32 rounds.
        lambda n, own: max(own, DECAY * f64["params"][n].abs().max().item(), 1e-30),
        tolerance=DECAY_TOLERANCE,
    )
    report.line("running means", stepped, f64["mean"], f32["mean"], magnitude)
    unbiased_by = report.line(
        "running variances, torch's", stepped, f64["var"], f32["var"], magnitude, judged=not biased
    )
    biased_by = report.line(
        "running variances, biased", stepped, f64["biased"], f32["biased"], magnitude, judged=biased
    )
    kind = "biased (n), burn's" if biased_by < unbiased_by else "unbiased (n - 1), torch's"
    print(f"  the program's running variances are nearer to the {kind}")

    fresh = network(spec)
    missing, unexpected = fresh.load_state_dict(stepped, strict=False)
    missing = [n for n in missing if not n.endswith("num_batches_tracked")]
    if missing or unexpected:
        report.fail(f"torchvision cannot load the checkpoint: missing {missing}, unexpected {unexpected}")
    loaded = {"logits": activations(fresh, images)["logits"]}
    for what, key, judged in [
        ("reloaded logits, torch's step", "stepped", not biased),
        ("the same, biased variances", "stepped_biased", biased),
    ]:
        report.line(what, loaded, f64[key], f32[key], magnitude, judged=judged)
    return report.failures


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--program", type=Path, help="the built example [default: cargo run]")
    parser.add_argument("--case", nargs="+", choices=CASES, default=list(CASES), metavar="NAME",
                        help=f"which of {', '.join(CASES)} [default: all]")
    parser.add_argument("--biased-variance", action="store_true", help="expect burn's running variances")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    command = [str(args.program.resolve() if args.program else build())]

    print(f"PyTorch {torch.__version__}; rel: to the largest magnitude of the tensor; allowed: "
          f"{TOLERANCE:.0e}, of the weight decay {DECAY_TOLERANCE:.0e}")
    failed, known = {}, {}
    for name in args.case:
        print(f"{name}: {json.dumps(CASES[name])}", flush=True)
        with tempfile.TemporaryDirectory(prefix="torch-parity-") as folder:
            failures = check(CASES[name], args.seed, Path(folder), command, args.biased_variance, known)
        if failures:
            failed[name] = failures
    for name, failures in failed.items():
        print(f"FAILED {name}: " + "; ".join(failures))
    print(f"{len(args.case) - len(failed)} of {len(args.case)} cases equal")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
