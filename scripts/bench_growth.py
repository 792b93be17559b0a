#!/usr/bin/env python3
"""How time and memory of each family of measures grow with samples and dimensions.

    pip install numpy
    scripts/bench_growth.py --reprsim target/release/reprsim [--seconds 60] [--measures NAME,...]

Runs `reprsim compare` on two made-up layers, samples from 1 000 to 100 000 at 256 dimensions and
dimensions from 64 to 4 096 at 10 000 samples, and n 100 000 x d 1 024; prints seconds and peak memory of
the whole process, reading included, and the exponent of the largest sizes: the slope of the logarithms,
by least squares over the upper three. What would take longer than --seconds by that slope is left out
(`-`), as is what is slower than linear at the largest size unless it fits.
"""
import argparse
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

FAMILIES = [
    ("linear CKA", "cka_linear_debiased"),
    ("Gaussian CKA", "cka_rbf_median_debiased"),
    ("minibatch CKA", "cka_linear_minibatch"),
    ("mutual kNN", "mutual_knn"),
    ("RSA, Pearson", "rsa_correlation_pearson"),
    ("RSA, Spearman", "rsa_correlation_spearman"),
    ("CCA", "cca_mean"),
    ("SVCCA", "svcca_var99_mean"),
    ("Procrustes", "procrustes_similarity"),
]
SAMPLES = [1_000, 3_162, 10_000, 31_623, 100_000]
DIMENSIONS = [64, 256, 1_024, 4_096]


def layers(folder, n, d):
    """Two layers, made by a process of its own: a child's peak memory counts from its parent's."""
    paths = [folder / f"{n}-{d}-{side}.npy" for side in "ab"]
    if not paths[0].exists():
        subprocess.run([sys.executable, __file__, "--make", str(n), str(d), *paths], check=True)
    return paths


def make(n, d, paths):
    """Two layers that share half of their variance, written a block of rows at a time."""
    random = np.random.default_rng(n * 10_000 + d)
    files = [np.lib.format.open_memmap(p, "w+", "<f4", (n, d)) for p in paths]
    for start in range(0, n, 4096):
        rows = min(4096, n - start)
        common = random.uniform(-1, 1, (rows, d))
        for file in files:
            file[start : start + rows] = common + random.uniform(-1, 1, (rows, d))


def run(program, paths, measure, null):
    """Seconds, MiB at most, and the value."""
    start = time.perf_counter()
    command = [program, "compare", *paths, "--measures", measure, "--null", str(null)]
    child = subprocess.Popen([*command, "--format", "json"], stdout=subprocess.PIPE)
    text = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise SystemExit(f"{measure}: exit code {child.returncode}\n{text.decode()}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def slope(points):
    """That of the logarithms of the upper three points."""
    points = [(math.log(x), math.log(y)) for x, y in points[-3:]]
    if len(points) < 2:
        return math.nan
    x, y = np.transpose(points)
    return float(np.polyfit(x, y, 1)[0])


def series(args, folder, measure, sizes, size):
    """Cells of one row, and its exponents of time and of memory."""
    cells, seconds, memory = [], [], []
    for x in sizes:
        n, d = size(x)
        if len(seconds) >= 2:
            (last, took), power = seconds[-1], slope(seconds)
            expected = took * (x / last) ** max(power, 1.0)
            if expected > args.seconds:
                cells.append("-")
                continue
        took, most = run(args.reprsim, layers(folder, n, d), measure, args.null)
        seconds.append((x, took))
        memory.append((x, most))
        cells.append(f"{took:.2f} s, {most:.0f} MiB")
    return cells, slope(seconds), slope(memory)


def table(args, folder, title, sizes, size):
    print(f"\n| {title} | " + " | ".join(map(str, sizes)) + " | time | memory |")
    print("|---" * (len(sizes) + 3) + "|")
    for name, measure in args.families:
        cells, time_power, memory_power = series(args, folder, measure, sizes, size)
        powers = [f"{title[0]}^{p:.1f}" for p in (time_power, memory_power)]
        print(f"| {name} | " + " | ".join(cells + powers) + " |", flush=True)


def main():
    if sys.argv[1:2] == ["--make"]:
        n, d, *paths = sys.argv[2:]
        return make(int(n), int(d), paths)
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--reprsim", default="target/release/reprsim")
    parser.add_argument("--seconds", type=float, default=60, help="what a cell may take")
    parser.add_argument("--null", type=int, default=0, help="permutations")
    parser.add_argument("--measures", help="these alone, comma-separated")
    parser.add_argument("--largest", action="store_true", help="n 100 000 x d 1 024 alone")
    args = parser.parse_args()
    wanted = args.measures.split(",") if args.measures else None
    args.families = [(n, m) for n, m in FAMILIES if wanted is None or m in wanted]
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        if not args.largest:
            table(args, folder, "n (d 256)", SAMPLES, lambda n: (n, 256))
            table(args, folder, "d (n 10 000)", DIMENSIONS, lambda d: (10_000, d))
        print("\n| n 100 000 x d 1 024 | seconds | MiB |\n|---|---|---|")
        for name, measure in args.families:
            took, most = run(args.reprsim, layers(folder, 100_000, 1_024), measure, args.null)
            print(f"| {name} | {took:.1f} | {most:.0f} |", flush=True)


if __name__ == "__main__":
    main()
