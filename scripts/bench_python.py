#!/usr/bin/env python3
"""Times `reprsim.compare` on tensors in memory beside the fastest expression of each measure that we know
in PyTorch, on the same threads, and says how much memory it takes beside its input.

    pip install reprsim torch
    scripts/bench_python.py --samples 10000 --dimensions 512

Each is run in turn, several times; the ratio is PyTorch's best time over ours (1 or more: not slower).
Without permutations, which none of the others has.
"""
import argparse
import os
import subprocess
import sys
import threading
import time

import reprsim
import torch


def centred(x):
    return x - x.mean(0)


def cka(x, y):
    x, y = centred(x), centred(y)
    return (y.T @ x).norm() ** 2 / ((x.T @ x).norm() * (y.T @ y).norm())


def mutual_knn(x, y, k=10):
    lists = []
    for z in (x, y):
        z = torch.nn.functional.normalize(z)
        parts = []
        for start in range(0, len(z), 2048):
            near = z[start : start + 2048] @ z.T
            rows = torch.arange(len(near))
            near[rows, start + rows] = -2
            parts.append(near.topk(k).indices)
        lists.append(torch.cat(parts))
    found = (lists[0][:, :, None] == lists[1][:, None, :]).sum()
    return found / (len(x) * k)


def procrustes(x, y):
    x, y = centred(x), centred(y)
    return torch.linalg.svdvals(y.T @ x).sum() / (x.norm() * y.norm())


def svcca(x, y):
    """By eigenvectors of X'X, faster than decompositions of X."""
    bases = []
    for z in (x, y):
        z = centred(z)
        values, vectors = torch.linalg.eigh(z.T @ z)
        values, vectors = values.flip(0), vectors.flip(1)
        kept = int((values.cumsum(0) < 0.99 * values.sum()).sum()) + 1
        bases.append(z @ (vectors[:, :kept] / values[:kept].sqrt()))
    return torch.linalg.svdvals(bases[0].T @ bases[1]).mean()


def rsa(x, y):
    """From d x d products: correlations are products of rows of length 1."""
    x, y = (torch.nn.functional.normalize(z - z.mean(1, keepdim=True)) for z in (x, y))
    n = len(x)
    totals = {id(z): float(z.sum(0).norm() ** 2) - n for z in (x, y)}

    def covariance(a, b):
        return float((a.T @ b).norm() ** 2) - n - totals[id(a)] * totals[id(b)] / (n * (n - 1))

    return covariance(x, y) / (covariance(x, x) * covariance(y, y)) ** 0.5


PEERS = {
    "cka_linear_biased": cka,
    "mutual_knn": mutual_knn,
    "procrustes": procrustes,
    "svcca": svcca,
    "rsa_correlation_pearson": rsa,
}


def made(n, d):
    torch.manual_seed(0)
    x = torch.randn(n, d) @ torch.diag(torch.linspace(2, 0.1, d))
    return x, x @ torch.randn(d, d) / d**0.5 + torch.randn(n, d)


def resident():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def memory(measure, n, d):
    """In a process of its own: bytes of the input, and what is added to them at most meanwhile."""
    x, y = made(n, d)
    reprsim.compare(x[:100], y[:100], measure, null=0)
    before, peak, done = resident(), 0, threading.Event()

    def watch():
        nonlocal peak
        while not done.wait(0.0005):
            peak = max(peak, resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    reprsim.compare(x, y, measure, null=0)
    done.set()
    watcher.join()
    print((x.nbytes + y.nbytes) >> 20, max(0, peak - before) >> 20)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--dimensions", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--memory", help=argparse.SUPPRESS)
    args = parser.parse_args()
    n, d = args.samples, args.dimensions
    if args.memory:
        memory(args.memory, n, d)
        return
    threads = len(os.sched_getaffinity(0))
    torch.set_num_threads(threads)
    x, y = made(n, d)
    print(f"n {n}, d {d}, float32, {threads} threads, torch {torch.__version__}, load {os.getloadavg()[0]:.1f}")
    print(f"{'measure':<25}{'torch s':>9}{'ours s':>9}{'ratio':>7}{'differ':>9}{'input MiB':>11}{'added MiB':>11}")
    for measure, peer in PEERS.items():
        best = [float("inf")] * 2
        for _ in range(args.repeats):
            for at, work in enumerate((lambda: peer(x, y), lambda: reprsim.compare(x, y, measure, null=0))):
                start = time.perf_counter()
                found = float(work())
                best[at] = min(best[at], time.perf_counter() - start)
                if at == 0:
                    theirs = found
        options = ["--samples", str(n), "--dimensions", str(d), "--memory", measure]
        told = subprocess.run([sys.executable, __file__, *options], capture_output=True, text=True, check=True)
        held, added = told.stdout.split()
        print(
            f"{measure:<25}{best[0]:>9.3f}{best[1]:>9.3f}{best[0] / best[1]:>7.2f}{abs(theirs - found):>9.0e}"
            f"{held:>11}{added:>11}"
        )


if __name__ == "__main__":
    main()
