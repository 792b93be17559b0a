#!/usr/bin/env python3
"""Holds our GPT against nanoGPT's in PyTorch: its logits, its training, its speed.

    pip install torch safetensors numpy
    scripts/check_nanogpt.py logits --reprsim-example target/release/examples/gpt_logits
    scripts/check_nanogpt.py train experiments/NAME.toml --run runs/NAME --data $REPRSIM_DATA
    scripts/check_nanogpt.py speed --variants eager,compiled --processes 2
    scripts/check_nanogpt.py convert ckpt.pt model.safetensors

logits: a random nanoGPT, its weights larger than initial ones so that attention is
far from uniform, is written in PyTorch's names and read by the example, once for
each way of saving tied weights; all layers, the logits and the gradients of the loss
(as a step of gradient descent) are compared with torch in f64 and f32. Exits with 1 if the largest difference of ours from f64 exceeds 1e-4 of
the largest magnitude.

train: nanoGPT with the experiment's settings, on the chunks of the models of a run
that is done and stopped by the same held-out text; initial weights and windows are
its own draws. Next to torch's least validation loss are ours, and that of our kept
checkpoint as torch computes it. Where the experiment evaluates on fewer windows than
there are, torch draws others than ours; then that of the checkpoint is to be compared.
The token files are those in the folder `text` of the data folder, which reprsim keeps
once it has opened a corpus.

speed: tokens a second of training alone, in processes of one thread each that are
timed at once, their speeds added. A size is one of the names below or
DEPTHxWIDTHxHEADSxWINDOWxBATCHxVOCABULARY.

convert: the weights of a checkpoint that nanoGPT's train.py wrote, as safetensors, which
`reprsim extract` reads; its sizes are printed as the sections of an experiment file.
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
import tomllib
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file, save_model
from torch import nn
from torch.nn import functional as F

TOLERANCE = 1e-4
VOCABULARY = {"bytes": 257, "gpt2": 50_257, "p50k_base": 50_281}
# Depth, width, heads, window, batch, vocabulary: nanoGPT's own for a CPU.
SIZES = {"nano": (4, 128, 4, 64, 12, 257), "nano-gpt2": (4, 128, 4, 64, 12, 50_257)}


class Block(nn.Module):
    def __init__(self, width, heads, dropout):
        super().__init__()

        def linear(inputs, outputs):
            return nn.Linear(inputs, outputs, bias=False)

        self.ln_1, self.ln_2 = (nn.LayerNorm(width, bias=False) for _ in range(2))
        self.attn = nn.ModuleDict({"c_attn": linear(width, 3 * width), "c_proj": linear(width, width)})
        self.mlp = nn.ModuleDict({"c_fc": linear(width, 4 * width), "c_proj": linear(4 * width, width)})
        self.heads, self.dropout = heads, dropout

    def forward(self, x):
        rate = self.dropout if self.training else 0.0
        split = self.attn.c_attn(self.ln_1(x)).chunk(3, 2)
        query, key, value = (part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in split)
        mixed = F.scaled_dot_product_attention(query, key, value, dropout_p=rate, is_causal=True)
        x = x + F.dropout(self.attn.c_proj(mixed.transpose(1, 2).flatten(2)), rate)
        return x + F.dropout(self.mlp.c_proj(F.gelu(self.mlp.c_fc(self.ln_2(x)))), rate)


class Gpt(nn.Module):
    """nanoGPT without biases, in its names."""

    def __init__(self, depth, width, heads, window, vocabulary, dropout=0.0):
        super().__init__()
        padded = -(-vocabulary // 64) * 64
        self.transformer = nn.ModuleDict({
            "wte": nn.Embedding(padded, width), "wpe": nn.Embedding(window, width),
            "h": nn.ModuleList(Block(width, heads, dropout) for _ in range(depth)),
            "ln_f": nn.LayerNorm(width, bias=False),
        })
        self.lm_head = nn.Linear(width, padded, bias=False)
        self.transformer.wte.weight = self.lm_head.weight
        self.dropout = dropout
        for name, parameter in self.named_parameters():
            if parameter.ndim == 2:
                residual = name.endswith("c_proj.weight")
                nn.init.normal_(parameter, 0.0, 0.02 / math.sqrt(2 * depth) if residual else 0.02)

    def layers(self, tokens):
        t = self.transformer
        x = t.wte(tokens) + t.wpe(torch.arange(tokens.shape[1]))
        found = {"embedding": F.dropout(x, self.dropout, self.training)}
        for i, block in enumerate(t.h):
            found[f"block{i + 1}"] = block(list(found.values())[-1])
        return found | {"final_norm": t.ln_f(list(found.values())[-1])}

    def forward(self, tokens):
        return self.lm_head(self.layers(tokens)["final_norm"])

    def loss(self, windows):
        """Mean of the next token, in nats, over windows of one token more."""
        return F.cross_entropy(self(windows[:, :-1]).flatten(0, 1), windows[:, 1:].flatten())


def adamw(model, settings):
    decay, parameters = settings.get("weight_decay", 0.0), list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": decay},
        {"params": [p for p in parameters if p.ndim < 2],
         "weight_decay": decay if settings.get("decay_vectors", True) else 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings["lr"], betas=(0.9, settings.get("beta_2", 0.999)), eps=1e-8)


def factor(schedule, step, steps):
    """The share of the peak learning rate at `step` of `steps`, from 0."""
    if schedule["name"] == "constant":
        return 1.0
    warm, floor = schedule.get("warmup", 0.0) * steps, schedule.get("floor", 0.0)
    if step < warm:
        return min((step + 1) / max(warm, 1.0), 1.0)
    progress = (step - warm) / max(steps - warm, 1.0)
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress))


def saved(model, how, path):
    """The state dict with the tied weights under both names, one, or as save_model
    of safetensors has it, which keeps the first name of the alphabet: `lm_head`."""
    if how == "save-model":
        return save_model(model, str(path))
    state = {n: t.clone() for n, t in model.state_dict().items() if how == "both" or n != "lm_head.weight"}
    return save_file(state, path)


def everything(model, tokens, dtype):
    model = model.to(dtype).eval()
    model.zero_grad()
    model.loss(tokens).backward()
    gradients = {
        f"gradient {name}": parameter.grad.clone() for name, parameter in model.named_parameters()
    }
    with torch.inference_mode():
        return model.layers(tokens) | {"logits": model(tokens)} | gradients


def logits(args):
    torch.manual_seed(args.seed)
    model = Gpt(args.depth, args.width, args.heads, args.window, args.vocabulary)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.uniform_(0.5, 1.5) if parameter.ndim == 1 else parameter.mul_(args.scale)
    tokens = torch.randint(0, args.vocabulary, (args.windows, args.time or args.window))
    found, before = {}, {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{name}.safetensors" for name in ("model", "tokens", "out")]
        save_file({"tokens": tokens.int()}, files[1])
        for how in args.tied:
            saved(model, how, files[0])
            command = [str(args.reprsim_example.resolve()), *map(str, files)]
            for name in ("width", "depth", "heads", "window", "vocabulary"):
                command += [f"--{name}", str(getattr(args, name))]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                print(f"{how}: the example ended with {done.returncode}\n{(done.stdout + done.stderr)[-4000:]}")
            found[how] = {} if done.returncode else load_file(files[2])
            if not done.returncode:
                after = load_file(files[2].with_suffix(".stepped"))
                found[how] |= {f"gradient {name}": before[name] - tensor for name, tensor in after.items()}
    f32, f64 = (everything(model, tokens, dtype) for dtype in (torch.float32, torch.float64))
    print(f"{'':24}{'ours - torch f64':>19}{'ours - torch f32':>19}{'torch f32 - f64':>19}")
    print(f"{'':24}" + f"{'abs':>10}{'rel':>9}" * 3)
    good = True
    for how, ours in found.items():
        for name, right in f64.items():
            mine = ours.get(name, torch.empty(0))
            if mine.shape != right.shape or mine.dtype != torch.float32:
                print(f"{how + ' ' + name:24}FAILED: {mine.dtype} {list(mine.shape)}, not f32 {list(right.shape)}")
                good = False
                continue
            columns, largest = "", right.abs().max().item()
            for left, other in ((f32[name], right), (mine, f32[name]), (mine, right)):
                gap = (left.double() - other.double()).abs().max().item()
                columns = f"{gap:10.1e}{gap / largest:9.1e}{columns}"
            # The last gap is of ours and f64. NaN compares as false: it fails.
            agrees = gap <= TOLERANCE * largest
            print(f"{how + ' ' + name:24}{columns}  {'ok' if agrees else 'FAILED'}")
            good = good and agrees
    sys.exit(not good)


class Corpus:
    """A token file: the documents of the training, the validation and the test part,
    in this order, each ending with the end of text."""

    def __init__(self, folder, name, tokenizer):
        stem = "".join(c if c.isalnum() or c == "_" else "-" for c in name)
        found = sorted(folder.glob(f"{stem}-{tokenizer}-{'?' * 16}.safetensors"), key=lambda p: p.stat().st_mtime)
        if not found:
            raise SystemExit(f"no {stem}-{tokenizer}-*.safetensors in {folder}: run reprsim on it first")
        if len(found) > 1:
            print(f"{len(found)} token files of {name}: the newest is taken, {found[-1].name}")
        with safe_open(found[-1], "np") as file:
            self.counts = json.loads(file.metadata()["description"])["documents"]
            self.tokens, ends = file.get_tensor("tokens"), file.get_tensor("ends").astype(int)
        self.starts = np.concatenate([[0], ends])

    def chunk(self, number, chunks):
        length = int(self.starts[self.counts[0]]) // chunks
        return self.tokens[number * length:(number + 1) * length]

    def held_out(self, window):
        """Windows of the validation part, side by side in each document."""
        train, validation, _ = self.counts
        places = zip(self.starts[train:], self.starts[train + 1:train + validation + 1])
        windows = [self.tokens[i:i + window + 1] for a, b in places for i in range(a, b - window, window + 1)]
        return np.stack(windows).astype(np.int64)


def validation_windows(corpora, window, language, seed):
    """Equally many of each corpus, the same for all models of the same corpora."""
    rng = np.random.default_rng(seed)
    held = [corpus.held_out(window) for corpus in corpora]
    count = len(held)
    wanted = min(language["evaluate_windows"], min(map(len, held)) * count)
    shares = [wanted // count + (place < wanted % count) for place in range(count)]
    return torch.from_numpy(np.concatenate([rng.permutation(all_)[:n] for all_, n in zip(held, shares)]))


def settings_of(path):
    """The experiment file's sections, with what reprsim fills in."""
    file = tomllib.loads(path.read_text())
    dataset, model, raw = file["dataset"], file["model"], file["training"]
    optimizer, schedule = raw["optimizer"], raw.get("schedule", {"name": "constant"})
    known = (dataset["name"], model["name"], optimizer["name"]) == ("text", "gpt", "adamw")
    if not known or schedule["name"] == "triangular":
        raise SystemExit(f"{path}: only text, a gpt, adamw and a constant or cosine schedule are known here")
    # A path is meant from where the file is; a corpus is named after it.
    paths = {name: (path.parent / name).resolve() for name in dataset["corpora"]}
    names = [n if not p.exists() else p.name if p.is_dir() else p.stem for n, p in paths.items()]
    tokenizer = {"r50k_base": "gpt2"}.get(dataset.get("tokenizer"), dataset.get("tokenizer", "gpt2"))
    text = {"tokenizer": tokenizer, "window": dataset.get("window", 256), "chunks": dataset.get("chunks", 80)}
    evaluate = raw.get("evaluate", {})
    language = {
        "steps": raw["steps"], "accumulate": raw.get("accumulate", 1), "clip": raw.get("clip", 1.0) or None,
        "dropout": raw.get("dropout", 0.0), "evaluate_every": evaluate.get("every", min(100, raw["steps"])),
        "evaluate_windows": evaluate.get("windows", evaluate.get("samples", 500)), "patience": evaluate.get("patience"),
    }
    sizes = {key: model.get(key, default) for key, default in (("depth", 4), ("width", 128), ("heads", 4))}
    sizes |= {"window": text["window"], "vocabulary": VOCABULARY[tokenizer]}
    return names, text, sizes, language, raw["batch"], optimizer, schedule


def validation_loss(model, windows, batch):
    model.eval()
    with torch.inference_mode():
        total = sum(model.loss(part).item() * len(part) for part in windows.split(batch))
    model.train()
    return total / len(windows)


def trained(model, chunks, validation, settings, rng):
    """The least validation loss, its step of all taken, and tokens a second."""
    _, text, _, language, batch, optimizer, schedule = settings
    step_of, window = adamw(model, optimizer), text["window"]
    steps, every, accumulate = (language[k] for k in ("steps", "evaluate_every", "accumulate"))
    patience = language["patience"] or math.inf
    best, best_step, speeds, start, before = math.inf, 0, [], time.perf_counter(), 0
    for step in range(1, steps + 1):
        for _ in range(accumulate):
            rows = [chunks[rng.integers(len(chunks))] for _ in range(batch)]
            places = [rng.integers(len(row) - window) for row in rows]
            windows = np.stack([row[p:p + window + 1] for row, p in zip(rows, places)]).astype(np.int64)
            (model.loss(torch.from_numpy(windows)) / accumulate).backward()
        if language["clip"]:
            nn.utils.clip_grad_norm_(model.parameters(), language["clip"])
        for group in step_of.param_groups:
            group["lr"] = optimizer["lr"] * factor(schedule, step - 1, steps)
        step_of.step()
        step_of.zero_grad()
        if step % every and step != steps:
            continue
        seconds = time.perf_counter() - start
        speeds.append((step - before) * accumulate * batch * window / seconds)
        loss = validation_loss(model, validation, batch)
        if loss < best:
            best, best_step = loss, step
        print(f"  step {step}: validation loss {loss:.4f}, {speeds[-1]:.0f} tokens/s", file=sys.stderr, flush=True)
        if step - best_step > patience:
            break
        start, before = time.perf_counter(), step
    return best, f"{best_step}/{step}", statistics.median(speeds)


def cells_of(run, wanted):
    """Directories of trained cells of one size and their splits: those whose names begin
    so, else the first three of the sweep of the data overlap."""
    found = [p for p in sorted(run.glob("cells/*/split.json")) if (p.parent / "b.train.jsonl").exists()]
    found = [(p.parent, json.loads(p.read_text())) for p in found]
    found = [c for c in found if c[1]["sweep"] and set(c[1]["sweep"].split(" x ")) <= {"data", "class"}]
    if wanted:
        found = [c for c in found if c[0].name.startswith(tuple(wanted))]
    else:
        found = [c for c in found if c[1]["sweep"] == "data"][:3]
    if not found:
        raise SystemExit(f"no such cells in {run}")
    return found


def train(args):
    torch.set_num_threads(args.threads)
    settings = settings_of(args.experiment)
    names, text, sizes, language, batch, _, _ = settings
    if (args.run / "plan.json").exists():
        planned = json.loads((args.run / "plan.json").read_text())["experiment"]
        their_text = {key: planned["dataset"]["text"][key] for key in text}
        training, evaluate = planned["training"], planned["training"]["evaluate"]
        theirs = {key: training[key] for key in ("steps", "accumulate", "clip", "dropout")} | {
            "evaluate_every": evaluate["every"], "evaluate_windows": evaluate["samples"],
            "patience": evaluate["patience"],
        }
        if (theirs, training["batch"], their_text) != (language, batch, text):
            raise SystemExit(f"{args.run} was run with other settings than those of {args.experiment}")
    corpora = [Corpus(args.data.expanduser() / "text", name, text["tokenizer"]) for name in names]
    chunks, window = text["chunks"], text["window"]
    rows = []
    for cell, split in cells_of(args.run, args.cells):
        for name in ("a", "b"):
            ours = [json.loads(line) for line in (cell / f"{name}.train.jsonl").read_text().splitlines()]
            best = min(ours, key=lambda e: e["validation_loss"])
            places = f"{best['step']}/{ours[-1]['step']}"
            median = statistics.median(e["tokens_per_s"] for e in ours)
            here, theirs = None, (None, None, None)
            if name in args.models:
                known = split[name]["labelling"].get("classes", range(len(names)))
                windows = validation_windows([corpora[c] for c in sorted(known)], window, language, args.seed)
                print(f"{cell.name} {name}: {len(windows)} held-out windows", file=sys.stderr)
                torch.manual_seed(args.seed + len(rows))
                if (cell / f"{name}.safetensors").exists():
                    model = Gpt(**sizes)
                    wrong = model.load_state_dict(load_file(cell / f"{name}.safetensors"), strict=False)
                    if wrong.unexpected_keys or set(wrong.missing_keys) - {"lm_head.weight"}:
                        raise SystemExit(f"{cell}: {name}.safetensors is no nanoGPT of these sizes: {wrong}")
                    here = validation_loss(model, windows, batch)
                model = Gpt(**sizes, dropout=language["dropout"])
                pieces = [corpora[i // chunks].chunk(i % chunks, chunks) for i in split[name]["indices"]]
                theirs = trained(model, pieces, windows, settings, np.random.default_rng([args.seed, len(rows)]))
            reached = [best["validation_loss"], places, here, *theirs[:2], median, theirs[2]]
            rows.append([f"{cell.name} {name}", *reached])
    report(rows)


def report(rows):
    """Least validation losses with their steps and the last, and tokens a second."""
    heads = ["ours", "at step", "ours by torch", "torch", "at step", "tokens/s", "of torch"]
    print(f"{'cell':27}" + "".join(f"{head:>14}" for head in heads))

    def shown(value):
        if isinstance(value, float):
            value = f"{value:.0f}" if value > 99 else f"{value:.4f}"
        return value or ""

    for cell, *values in rows:
        print(f"{cell:27}" + "".join(f"{shown(value):>14}" for value in values))
    for column, what in ((1, "ours"), (3, "ours by torch"), (4, "torch")):
        values = [row[column] for row in rows if row[column] is not None]
        if values:
            spread = f"{statistics.stdev(values):.4f}" if len(values) > 1 else "none (one model)"
            print(f"{what}: mean {statistics.mean(values):.4f}, sd {spread}, models: {len(values)}")


def begin(barrier):
    global ALL_READY
    ALL_READY = barrier


def tokens_a_second(size, variant, args):
    """Of training in this process, timed once all are ready."""
    torch.set_num_threads(1)
    depth, width, heads, window, batch, vocabulary = size
    model, rng = Gpt(depth, width, heads, window, vocabulary, args.dropout), np.random.default_rng(0)
    optimizer = adamw(model, {"lr": 1e-3, "weight_decay": 0.1, "beta_2": 0.95, "decay_vectors": False})
    text = torch.from_numpy(rng.integers(0, vocabulary, 1_000_000))
    loss_of = torch.compile(model.loss) if variant == "compiled" else model.loss

    def step():
        starts = rng.integers(len(text) - window, size=batch)
        loss_of(torch.stack([text[s:s + window + 1] for s in starts])).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    try:
        for _ in range(3):
            step()
        ALL_READY.wait()
    except Exception as error:
        ALL_READY.abort()
        raise RuntimeError(f"{type(error).__name__}: {error.__cause__ or error}") from None
    steps, start = 0, time.perf_counter()
    while steps < 2 or time.perf_counter() - start < args.seconds:
        step()
        steps += 1
    return steps * batch * window / (time.perf_counter() - start)


def timed(args, size, variant):
    """Of all processes at once; or why there is no value."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(args.processes, begin, (context.Barrier(args.processes),)) as pool:
        jobs = [(size, variant, args)] * args.processes
        try:
            return f"{sum(pool.starmap_async(tokens_a_second, jobs, 1).get(args.patience)):.0f}"
        except multiprocessing.TimeoutError:
            return f"nothing after {args.patience:g} s (--patience)"
        except Exception as error:
            return str(error).split("\n")[0][:150]


def speed(args):
    os.environ |= {k: "1" for k in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "TORCHINDUCTOR_COMPILE_THREADS")}
    print(f"PyTorch {torch.__version__}, processes: {args.processes} of one thread, tokens/s\n")
    print("| size | " + " | ".join(args.variants) + " |" + "\n|---" + "|---" * len(args.variants) + "|")
    for name in args.sizes:
        size = SIZES.get(name) or tuple(map(int, name.split("x")))
        print(f"| {name} | " + " | ".join(timed(args, size, v) for v in args.variants) + " |", flush=True)


def convert(args):
    checkpoint = torch.load(args.checkpoint, map_location="cpu", weights_only=True)
    sizes = checkpoint["model_args"]
    if sizes.get("bias"):
        sys.exit("this checkpoint has biases; reprsim's gpt, like the paper's, has none")
    # torch.compile's prefix; the causal mask that old versions kept; the tied head.
    state = {name.removeprefix("_orig_mod."): tensor for name, tensor in checkpoint["model"].items()}
    left_out = ("attn.bias", "lm_head.weight")
    state = {n: t.float().contiguous() for n, t in state.items() if not n.endswith(left_out)}
    save_file(state, args.out)
    print(f'[dataset]\nwindow = {sizes["block_size"]}\n\n[model]\nname = "gpt"\nwidth = {sizes["n_embd"]}\n'
          f'depth = {sizes["n_layer"]}\nheads = {sizes["n_head"]}')


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(required=True, metavar="logits|train|speed|convert")

    def command(function, what):
        sub = commands.add_parser(function.__name__, help=what)
        sub.set_defaults(function=function)
        return sub.add_argument

    def listed(text):
        return text.split(",")

    add = command(logits, "compare all layers and the logits")
    add("--reprsim-example", type=Path, required=True, help="the built example gpt_logits")
    for name, default in (("width", 128), ("depth", 4), ("heads", 4), ("window", 64), ("vocabulary", 257)):
        add(f"--{name}", type=int, default=default)
    add("--windows", type=int, default=4, help="how many are compared")
    add("--time", type=int, help="tokens of each [default: --window]")
    add("--tied", type=listed, default="both,wte,save-model", help="which names tied weights are saved under")
    add("--scale", type=float, default=5.0, help="of the weights, to the initial ones")
    add("--seed", type=int, default=0)
    add = command(train, "compare the losses that training reaches")
    add("experiment", type=Path, help="the experiment file of the run")
    add("--run", type=Path, required=True, help="its run directory")
    add("--data", type=Path, default=Path(os.environ.get("REPRSIM_DATA", "~/.cache/reprsim")))
    add("--cells", type=listed, help="beginnings of names, 0003 [default: three of the data overlap]")
    add("--models", type=listed, default="a", help="whose chunks torch learns: a; b; a,b")
    add("--seed", type=int, default=0)
    add("--threads", type=int, default=1)
    add = command(speed, "time PyTorch's training")
    add("--sizes", type=listed, default="nano,nano-gpt2")
    add("--variants", type=listed, default="eager,compiled")
    add("--processes", type=int, default=2, help="that work at once")
    add("--dropout", type=float, default=0.0)
    add("--seconds", type=float, default=5.0, help="timed at least, and at least two steps")
    add("--patience", type=float, default=300.0, help="seconds for one entry of the table")
    add = command(convert, "nanoGPT's checkpoint as safetensors")
    add("checkpoint", type=Path, help="nanoGPT's ckpt.pt")
    add("out", type=Path, help="the safetensors file to write")
    args = parser.parse_args()
    args.function(args)


if __name__ == "__main__":
    main()
