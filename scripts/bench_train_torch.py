#!/usr/bin/env python3
"""Times in PyTorch the training and extraction of `reprsim bench`, beside it.

    pip install torch torchvision numpy
    scripts/bench_train_torch.py --models cnn --variants eager,compiled
    scripts/bench_train_torch.py --reprsim target/release/reprsim --json torch.json
    scripts/bench_train_torch.py --device cuda --reprsim PATH --reprsim-device cuda

The same architectures, batches and optimisers. Training: 2048 random images of
bytes on the device, a batch gathered by its indices, brought to floats and
normalised there; forward, loss, backward, step; losses and right answers summed on
the device and read once an epoch. Extraction: 2000 images in batches of 500 (of the gpt:
windows of text in batches of 50; of the two models of photographs 40 images), every layer averaged over positions, the batches put together at the end of each pass.

Arrangements: side-by-side is one single-threaded process a core, all timed at once
after a barrier and kept at work until the last has been timed, their speeds added;
one is one process with a thread a core. Variants:

    eager          as PyTorch comes, f32, [n, c, h, w]
    channels-last  weights and images in that memory format
    compiled       torch.compile of all from bytes to loss (needs a C++ compiler)
    bf16           autocast to bfloat16
    tf32           TensorFloat-32, which is off elsewhere (cuda)
    best           channels-last, compiled and a fused optimiser in one; on the CPU
                   with memory kept rather than given back to the system, on cuda
                   with TF32, CUDA graphs and cuDNN's search

With --reprsim, every repeat times ours next to eager and then the other variants,
every other repeat in the opposite order, so that a shared machine's drift hits both;
ratios are ours to PyTorch's within a repeat, their median and range. Above 1 ours is
faster. Prints a Markdown table; a variant that cannot run says why below it.
"""
import argparse
import json
import math
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import torch
from torch import nn
from torch.nn import functional as F

sys.dont_write_bytecode = True

VARIANTS = {
    "eager": set(),
    "channels-last": {"channels-last"},
    "compiled": {"compiled"},
    "bf16": {"bf16"},
    "tf32": {"tf32"},
    "best": {"channels-last", "compiled", "tuned"},
}
# glibc then reuses the memory of large tensors; by default each is mapped anew.
KEEP_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 34)}


class Classifier(nn.Module):
    """`forward` gives all named layers, input side first; the last is the logits."""

    def loss(self, x, y):
        """Of the batch, to be minimised and as its sum over samples; right answers."""
        logits = self(x)[-1]
        loss = F.cross_entropy(logits, y)
        return loss, loss.detach() * len(y), (logits.detach().argmax(1) == y).sum()


class Mlp(Classifier):
    def __init__(self, shape, classes):
        super().__init__()
        self.hidden1 = nn.Linear(math.prod(shape), 512)
        self.hidden2 = nn.Linear(512, 256)
        self.head = nn.Linear(256, classes)

    def forward(self, x):
        first = self.hidden1(x.flatten(1)).relu()
        second = self.hidden2(first).relu()
        return [first, second, self.head(second)]


class Cnn(Classifier):
    def __init__(self, shape, classes, width=16):
        super().__init__()
        widths = [shape[0], width, 2 * width, 4 * width]
        self.convs = nn.ModuleList(
            nn.Conv2d(a, b, 3, stride=2, padding=1, bias=False) for a, b in zip(widths, widths[1:])
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(b) for b in widths[1:])
        self.fc = nn.Linear(4 * width, classes)

    def forward(self, x):
        maps = []
        for conv, norm in zip(self.convs, self.norms):
            x = norm(conv(x)).relu()
            maps.append(x)
        pooled = x.mean((2, 3))
        return maps[:2] + [pooled, self.fc(pooled)]


class ResNet18(Classifier):
    def __init__(self, shape, classes):
        super().__init__()
        from train_torch_reference import resnet
        self.net = resnet(18, 64, "cifar", shape[0], classes)

    def forward(self, x):
        net = self.net
        layers = [net.bn1(net.conv1(x)).relu()]
        for stage in (net.layer1, net.layer2, net.layer3, net.layer4):
            layers.append(stage(layers[-1]))
        pooled = layers[-1].mean((2, 3))
        return layers + [pooled, net.fc(pooled)]


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=1e-6), nn.LayerNorm(width, eps=1e-6)
        self.qkv, self.output = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.linear1, self.linear2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        n, tokens, width = x.shape
        qkv = self.qkv(self.norm1(x)).view(n, tokens, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        attended = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, tokens, width)
        x = x + self.output(attended)
        return x + self.linear2(F.gelu(self.linear1(self.norm2(x))))


class Vit(Classifier):
    def __init__(self, shape, classes, width=192, depth=6, heads=3, patch=4):
        super().__init__()
        count = (shape[1] // patch) * (shape[2] // patch)
        self.patches = nn.Conv2d(shape[0], width, patch, stride=patch)
        self.class_token = nn.Parameter(0.02 * torch.randn(1, 1, width))
        self.positions = nn.Parameter(0.02 * torch.randn(1, count + 1, width))
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.head = nn.Linear(width, classes)

    def forward(self, x):
        patches = self.patches(x).flatten(2).transpose(1, 2)
        layers = [torch.cat([self.class_token.expand(len(x), -1, -1), patches], 1) + self.positions]
        for block in self.blocks:
            layers.append(block(layers[-1]))
        token = self.norm(layers[-1][:, 0])
        return layers + [token, self.head(token)]


class ResNet50(Classifier):
    def __init__(self, shape, classes):
        super().__init__()
        from torchvision.models import resnet50
        self.net = resnet50(num_classes=classes)

    def forward(self, x):
        net = self.net
        layers = [net.maxpool(net.relu(net.bn1(net.conv1(x))))]
        for stage in (net.layer1, net.layer2, net.layer3, net.layer4):
            layers.append(stage(layers[-1]))
        pooled = layers[-1].mean((2, 3))
        return layers + [pooled, net.fc(pooled)]


class VitSmall(Vit):
    """timm's `vit_small_patch16_224`."""

    def __init__(self, shape, classes):
        super().__init__(shape, classes, width=384, depth=12, heads=6, patch=16)


class Vae(nn.Module):
    def __init__(self, shape, _classes, width=64, latent=20):
        super().__init__()
        channels, height, side = shape
        self.inner = (2 * width, height // 4, side // 4)
        self.conv1 = nn.Conv2d(channels, width, 4, stride=2, padding=1)
        self.conv2 = nn.Conv2d(width, 2 * width, 4, stride=2, padding=1)
        self.mu = nn.Linear(math.prod(self.inner), latent)
        self.logvar = nn.Linear(math.prod(self.inner), latent)
        self.decode = nn.Linear(latent, math.prod(self.inner))
        self.deconv1 = nn.ConvTranspose2d(2 * width, width, 4, stride=2, padding=1)
        self.deconv2 = nn.ConvTranspose2d(width, channels, 4, stride=2, padding=1)

    def forward(self, x):
        first = self.conv1(x).relu()
        second = self.conv2(first).relu()
        flat = second.flatten(1)
        return [first, second, self.mu(flat), self.logvar(flat)]

    def loss(self, x, _y):
        """The negative evidence lower bound, summed over pixels and samples."""
        *_, mu, logvar = self(x)
        latent = mu + torch.randn_like(mu) * (0.5 * logvar).exp()
        inner = self.decode(latent).view(-1, *self.inner)
        logits = self.deconv2(self.deconv1(inner).relu())
        entropy = F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
        loss = entropy - 0.5 * (1 + logvar - mu ** 2 - logvar.exp()).sum()
        return loss, loss.detach(), None


class TextModel(nn.Module):
    """nanoGPT on bytes: windows of one token more than it sees."""

    def __init__(self, shape, vocabulary):
        super().__init__()
        from check_nanogpt import Gpt
        self.net = Gpt(depth=4, width=128, heads=4, window=shape[0] - 1, vocabulary=vocabulary)

    def forward(self, windows):
        return list(self.net.layers(windows[:, :-1]).values())

    def loss(self, windows, _y):
        loss = self.net.loss(windows)
        return loss, loss.detach() * len(windows), None


def sgd(parameters, **more):
    return torch.optim.SGD(parameters, lr=0.01, momentum=0.9, weight_decay=5e-4, **more)


def adam(parameters, **more):
    return torch.optim.Adam(parameters, lr=1e-3, weight_decay=1e-5, **more)


def adamw(parameters, **more):
    return torch.optim.AdamW(parameters, lr=1e-3, weight_decay=0.05, **more)


def adamw_of_text(parameters, **more):
    """Only matrices decay."""
    parameters = list(parameters)
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": 0.1},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.99), **more)


def spec(model, shape, classes, batch, optimizer, samples=2048, probe=2000, probe_batch=500):
    return SimpleNamespace(
        model=model, shape=shape, classes=classes, batch=batch, optimizer=optimizer,
        samples=samples, probe=probe, probe_batch=probe_batch,
    )


MODELS = {
    "mlp": spec(Mlp, (3, 28, 28), 8, 64, sgd),
    "cnn": spec(Cnn, (3, 28, 28), 8, 64, sgd),
    "resnet18": spec(ResNet18, (3, 32, 32), 10, 128, sgd),
    "vae": spec(Vae, (1, 28, 28), 10, 128, adam),
    "vit": spec(Vit, (3, 32, 32), 10, 128, adamw),
    # Windows of 64 bytes and the one that follows.
    "gpt": spec(TextModel, (65,), 256, 12, adamw_of_text, probe_batch=50),
    # As they are fine-tuned on photographs.
    "resnet50": spec(ResNet50, (3, 224, 224), 10, 8, sgd, samples=64, probe=40, probe_batch=40),
    "vit_small": spec(VitSmall, (3, 224, 224), 10, 8, adamw, samples=64, probe=40, probe_batch=40),
}


class Work:
    """Training or extraction of one model; `step` does a batch of it."""

    def __init__(self, name, what, options, device):
        torch.manual_seed(0)
        self.spec, self.options, self.device = MODELS[name], options, torch.device(device)
        if self.device.type == "cuda":
            tf32 = bool({"tf32", "tuned"} & options)
            torch.backends.cuda.matmul.allow_tf32 = tf32
            torch.backends.cudnn.allow_tf32 = tf32
            torch.backends.cudnn.benchmark = "tuned" in options
        self.is_text = self.spec.model is TextModel
        self.model = self.spec.model(self.spec.shape, self.spec.classes).to(self.device)
        if "channels-last" in options and not self.is_text:
            self.model = self.model.to(memory_format=torch.channels_last)
        self.loss = math.nan
        self.scale, self.offset = (None, None) if self.is_text else self.normalisation(name)
        if what == "train":
            self.batch, self.period, self.steps = self.spec.batch, 1, self.training()
        else:
            # So many batches are timed, from wherever the pass is, that each of them has
            # its share of the putting together.
            size = self.spec.probe_batch
            self.batch, self.period, self.steps = size, self.spec.probe // size, self.extraction()

    def step(self):
        next(self.steps)

    def normalisation(self, name):
        """Of random bytes, but for the autoencoder, whose pixels stay in 0..1."""
        channels = self.spec.shape[0]
        mean, std = (0.0, 1.0) if name == "vae" else (0.5, 0.29)
        each = torch.full((1, channels, 1, 1), 1.0, device=self.device)
        return each / (255 * std), each * (mean / std)

    def images(self, n):
        """Random bytes, in the memory order that the model takes them in; tokens of text."""
        if self.is_text:
            return torch.randint(self.spec.classes, (n, *self.spec.shape)).to(self.device)
        channels, height, side = self.spec.shape
        shape = (n, height, side, channels) if "channels-last" in self.options else (n, *self.spec.shape)
        return torch.randint(256, shape, dtype=torch.uint8).to(self.device)

    def floats(self, images):
        if self.is_text:
            return images
        if "channels-last" in self.options:
            images = images.permute(0, 3, 1, 2)
        return images.float() * self.scale - self.offset

    def autocast(self):
        return torch.autocast(self.device.type, torch.bfloat16, enabled="bf16" in self.options)

    def ready(self, function):
        """Compiled, if that is asked for."""
        if "compiled" not in self.options:
            return function
        graphs = "tuned" in self.options and self.device.type == "cuda"
        return torch.compile(function, mode="reduce-overhead" if graphs else None)

    def training(self):
        samples = self.spec.samples
        images = self.images(samples)
        labels = torch.randint(self.spec.classes, (samples,)).to(self.device)
        fused = {"fused": True} if "tuned" in self.options else {}
        optimizer = self.spec.optimizer(self.model.parameters(), **fused)
        self.model.train()

        def forward(x, y):
            x = self.floats(x)
            with self.autocast():
                return self.model.loss(x, y)

        forward = self.ready(forward)
        while True:
            order = torch.randperm(samples).to(self.device)
            answers = labels[order]
            loss_sum = torch.zeros((), device=self.device)
            correct = torch.zeros((), dtype=torch.long, device=self.device)
            batches = samples // self.batch
            for b in range(batches):
                rows = slice(b * self.batch, (b + 1) * self.batch)
                loss, summed, hits = forward(images.index_select(0, order[rows]), answers[rows])
                loss_sum += summed
                if hits is not None:
                    correct += hits
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                if b + 1 == batches:
                    self.loss = loss_sum.item() / (batches * self.batch)
                    correct.item()
                yield

    def extraction(self):
        probe = self.spec.probe
        images = self.images(probe)
        self.model.eval()

        def forward(x):
            x = self.floats(x)
            with self.autocast():
                return [pooled(layer) for layer in self.model(x)]

        forward = self.ready(forward)
        while True:
            parts = []
            for start in range(0, probe, self.batch):
                # Not around the yield, which would leave the mode on.
                with torch.inference_mode():
                    # CUDA graphs write the next batch's layers where this one's lie.
                    layers = forward(images[start:start + self.batch])
                    if "tuned" in self.options and self.device.type == "cuda":
                        layers = [layer.clone() for layer in layers]
                    parts.append(layers)
                    if start + self.batch >= probe:
                        [torch.cat(layer) for layer in zip(*parts)]
                yield

    def wait(self):
        if self.device.type == "cuda":
            torch.cuda.synchronize()


def pooled(x):
    return {4: lambda: x.mean((2, 3)), 3: lambda: x.mean(1), 2: lambda: x}[x.ndim]()


def host_peak_mb():
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return None


def worker(connection, name, what, options, device, threads):
    """Warms up and is timed as often as told: ("warm", steps, seconds) and then
    ("time", steps, seconds), both at least; after "time" it works on until told to
    stop."""
    try:
        torch.set_num_threads(threads)
        work = Work(name, what, options, device)

        def run(steps, seconds, period=1):
            done, start = 0, time.perf_counter()
            while done < steps or done % period or time.perf_counter() - start < seconds:
                work.step()
                done += 1
            work.wait()
            return done, time.perf_counter() - start

        while True:
            order, steps, seconds = connection.recv()
            if order == "warm":
                run(steps, seconds)
                connection.send(("warm", None))
                continue
            done, took = run(steps, seconds, work.period)
            device_mb = torch.cuda.max_memory_reserved() / 2**20 if device == "cuda" else None
            connection.send(("timed", {
                "speed": done * work.batch / took, "loss": work.loss,
                "host_mb": host_peak_mb(), "device_mb": device_mb,
            }))
            while not connection.poll():
                work.step()
            work.wait()
            connection.recv()
    except EOFError:
        pass
    except Exception as error:
        connection.send(("failed", reason(error)))


def reason(error):
    """One line; what torch.compile wraps begins with lines about the wrapping."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith("backend=")]
    return f"{type(error).__name__}: {lines[0] if lines else 'no message'}"[:200]


class Torch:
    """The processes of one variant, which stay between the repeats."""

    def __init__(self, args, name, what, variant, processes, threads):
        self.name, self.values, self.peaks, self.error, self.loss = variant, [], None, None, None
        self.seconds, self.least = args.seconds, 2
        self.workers = []
        self.warm = (3, 1.0)
        options = VARIANTS[variant]
        if variant == "channels-last" and name in ("mlp", "gpt"):
            self.error = f"{name} has no maps"
        elif variant == "tf32" and args.device != "cuda":
            self.error = "TensorFloat-32 is of cuda alone"
        if self.error:
            return
        env = {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads, "TORCHINDUCTOR_COMPILE_THREADS": 1}
        if "tuned" in options and args.device == "cpu":
            env |= KEEP_MEMORY
        before = dict(os.environ)
        os.environ.update({key: str(value) for key, value in env.items()})
        context = multiprocessing.get_context("spawn")
        for _ in range(processes):
            ours, theirs = context.Pipe()
            settings = (theirs, name, what, options, args.device, threads)
            process = context.Process(target=worker, args=settings, daemon=True)
            process.start()
            theirs.close()
            self.workers.append((process, ours))
        os.environ.clear()
        os.environ.update(before)
        self.tell("warm", *self.warm)
        self.hear(args.patience)
        self.warm = (1, 0.2)

    def tell(self, *order):
        for _, connection in self.workers:
            try:
                connection.send(order)
            except OSError:
                pass  # `hear` finds out why

    def hear(self, patience=None):
        """The answers of all processes; none if one of them failed."""
        answers = []
        end = None if patience is None else time.monotonic() + patience
        for process, connection in self.workers:
            try:
                if end is not None and not connection.poll(max(0.0, end - time.monotonic())):
                    self.error = f"not warm after {patience:g} s (--patience)"
                    break
                kind, answer = connection.recv()
            except (EOFError, OSError):
                process.join(5)
                kind, answer = "failed", f"the process ended with {process.exitcode}"
            if kind == "failed":
                self.error = answer
            answers.append(answer)
        if self.error:
            self.stop()
            return None
        return answers

    def measure(self):
        """One timed window, samples a second of all processes; None if it failed."""
        if self.error:
            return None
        self.tell("warm", *self.warm)
        if self.hear() is None:
            return None
        self.tell("time", self.least, self.seconds)
        answers = self.hear()
        if answers is None:
            return None
        self.tell("stop")
        device = [a["device_mb"] for a in answers if a["device_mb"] is not None]
        self.peaks = (sum(a["host_mb"] or 0 for a in answers), sum(device) if device else None)
        self.loss = answers[0]["loss"]
        self.values.append(sum(a["speed"] for a in answers))
        return self.values[-1]

    def stop(self):
        for process, connection in self.workers:
            connection.close()
            if self.error is None:
                process.join(2)
            process.kill()
            process.join()
        self.workers = []


class Reprsim:
    """`reprsim bench`, run anew for each repeat."""

    def __init__(self, args, name, what, processes, threads):
        self.name, self.values, self.peaks, self.error, self.loss = "reprsim", [], None, None, None
        self.batch = MODELS[name].batch if what == "train" else MODELS[name].probe_batch
        self.command = [
            str(args.reprsim), "bench", what, "--model", name, "--device", args.reprsim_device,
            "--jobs", str(processes), "--threads", str(threads), "--seconds", str(args.seconds),
            "--repeats", "1", "--out",
        ]

    def measure(self):
        if self.error:
            return None
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "bench.json"
            try:
                subprocess.run(
                    self.command + [str(out)], check=True, text=True,
                    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                )
                found = json.loads(out.read_text())
                value = float(found["median"])
            except subprocess.CalledProcessError as error:
                said = [line for line in error.stderr.splitlines() if line.strip()]
                self.error = f"exit status {error.returncode}: {said[-1] if said else 'no message'}"[:200]
                return None
            except (OSError, KeyError, ValueError, TypeError) as error:
                self.error = reason(error)
                return None
        if found.get("batch") != self.batch:
            self.error = f"batches of {found.get('batch')} there, of {self.batch} here"
            return None
        self.peaks = (found.get("host_peak_mb"), found.get("device_peak_mb"))
        self.values.append(value)
        return value

    def stop(self):
        pass


def summary(values):
    quartiles = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3
    return dict(zip(("q1", "median", "q3"), quartiles), values=values)


def record(side):
    if side.error or not side.values:
        return {"unavailable": side.error or "not timed"}
    host, device = side.peaks
    loss = side.loss if side.loss is not None and math.isfinite(side.loss) else None
    return summary(side.values) | {"host_peak_mb": host, "device_peak_mb": device, "loss": loss}


def compare(args, name, what, arrangement):
    """All sides of one row of the table, timed in turn."""
    cores = len(os.sched_getaffinity(0))
    processes, threads = (cores, 1) if arrangement == "side-by-side" else (1, cores)
    ours = [Reprsim(args, name, what, processes, threads)] if args.reprsim else []
    sides = ours + [Torch(args, name, what, variant, processes, threads) for variant in args.variants]
    for repeat in range(args.repeats):
        for side in sides[::-1] if repeat % 2 else sides:
            value = side.measure()
            said = f"{value:.0f} samples/s" if value else f"unavailable: {side.error}"
            print(f"{name} {what} {arrangement} repeat {repeat + 1}: {side.name} {said}", file=sys.stderr, flush=True)
    for side in sides:
        side.stop()
    found = {side.name: record(side) for side in sides}
    result = {
        "model": name, "what": what, "arrangement": arrangement, "processes": processes,
        "threads": threads, "batch": MODELS[name].batch if what == "train" else MODELS[name].probe_batch,
        "reprsim": found.pop("reprsim", None), "torch": found, "ratios": {},
    }
    ran = {variant: entry for variant, entry in found.items() if "median" in entry}
    result["fastest"] = max(ran, key=lambda variant: ran[variant]["median"], default=None)
    if result["reprsim"] and "median" in result["reprsim"]:
        for variant, entry in ran.items():
            values = [a / b for a, b in zip(result["reprsim"]["values"], entry["values"])]
            result["ratios"][variant] = {
                "median": statistics.median(values), "low": min(values), "high": max(values), "values": values,
            }
    return result


def speed(entry):
    if not entry:
        return ""
    if "unavailable" in entry:
        return "unavailable"
    return f"{entry['median']:.0f} ({entry['q1']:.0f}-{entry['q3']:.0f})"


def ratio(entry):
    return f"{entry['median']:.2f} ({entry['low']:.2f}-{entry['high']:.2f})" if entry else ""


def table(results, variants):
    """Markdown: medians and quartiles of samples/s, ratios with their ranges."""
    heads = ["model", "what", "arrangement", "reprsim", *variants, "ours/eager", "ours/fastest"]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    notes = []
    for row in results:
        sides = {"reprsim": row["reprsim"], **row["torch"]}
        cells = [row["model"], row["what"], row["arrangement"], speed(row["reprsim"])]
        for variant in variants:
            cell, own = speed(row["torch"][variant]), row["ratios"].get(variant)
            cells.append(cell if variant == "eager" or not own else f"{cell}, ours {ratio(own)}")
        fastest = row["ratios"].get(row["fastest"])
        cells += [ratio(row["ratios"].get("eager")), f"{ratio(fastest)} {row['fastest']}" if fastest else ""]
        lines.append("| " + " | ".join(cells) + " |")
        for side, entry in sides.items():
            if entry and "unavailable" in entry:
                notes.append(f"{row['model']} {row['what']} {row['arrangement']}: no {side}: {entry['unavailable']}")
    return "\n".join(lines + [""] * bool(notes) + [f"- {note}" for note in notes])


def cpu_name():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])

    def listed(known):
        def parse(text):
            names = text.split(",")
            for name in names:
                if name not in known:
                    raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(known)}")
            return names
        return parse

    parser.add_argument("--models", type=listed(MODELS), default=",".join(MODELS), help="[default: all]")
    parser.add_argument("--what", type=listed(["train", "extract"]), default="train,extract")
    parser.add_argument(
        "--variants", type=listed(VARIANTS), default="eager,channels-last,compiled,bf16,best", help="also: tf32"
    )
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument(
        "--arrangement", type=listed(["side-by-side", "one"]), help="[default: both; on cuda only one]"
    )
    parser.add_argument("--seconds", type=float, default=3.0, help="timed at least, and at least two steps")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument(
        "--patience", type=float, default=240.0, help="seconds for a variant's compilation and first three steps"
    )
    parser.add_argument("--reprsim", type=Path, help="the program to compare with")
    parser.add_argument("--reprsim-device", default="cpu")
    parser.add_argument("--json", type=Path, help="writes all values there")
    parser.add_argument("--markdown", type=Path, help="writes the table there too")
    args = parser.parse_args()
    if args.repeats < 1:
        parser.error("--repeats must be at least 1")
    if args.device == "cuda":
        if args.arrangement not in (None, ["one"]):
            parser.error("on cuda there is one arrangement: one")
        if not torch.cuda.is_available():
            parser.error("PyTorch finds no cuda device")
    arrangements = args.arrangement or (["one"] if args.device == "cuda" else ["side-by-side", "one"])
    if args.reprsim:
        args.reprsim = args.reprsim.resolve()

    about = {
        "schema": 1, "torch": torch.__version__, "cpu": cpu_name(), "cores": len(os.sched_getaffinity(0)),
        "device": args.device, "reprsim_device": args.reprsim_device if args.reprsim else None,
        "gpu": torch.cuda.get_device_name() if args.device == "cuda" else None,
        "seconds": args.seconds, "repeats": args.repeats, "load_average": os.getloadavg(),
    }
    results = []
    for name in args.models:
        for what in args.what:
            for arrangement in arrangements:
                results.append(compare(args, name, what, arrangement))
                if args.json:
                    args.json.write_text(json.dumps(about | {"results": results}, indent=1) + "\n")
    text = table(results, args.variants)
    place = about["gpu"] or f"{about['cpu']}, cores: {about['cores']}"
    print(f"PyTorch {torch.__version__}, {place}, samples/s\n\n{text}")
    if args.markdown:
        args.markdown.write_text(text + "\n")


if __name__ == "__main__":
    main()
