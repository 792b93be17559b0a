#!/usr/bin/env python3
"""Times the plain formulas of the measures in PyTorch, as in the published code
(n x n matrices, feature by feature), beside `cargo bench --bench measures`.

    pip install torch numpy
    scripts/bench_measures_torch.py [--n 10000] [--d 512] [--skip-biased] [--only "d x d"]

Prints seconds (median of the repeats that fit) and, with --criterion DIR (the
target directory's `criterion` folder), the ratio to what the Rust benchmark took.
"""
import argparse
import json
import statistics
import time
from pathlib import Path

import torch


def layer(n, d, seed):
    """Half of the variance shared with every other layer, as in the benchmark."""
    common = torch.rand(n, d, generator=torch.Generator().manual_seed(1)) * 2 - 1
    own = torch.rand(n, d, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    return common + own


def published(x):
    """Clamp at the 0.95 quantile of absolute values, then rows of length 1."""
    q = x.abs().flatten().sort().values[int(0.95 * x.numel())]
    return torch.nn.functional.normalize(x.clamp(-q, q), dim=-1)


def hsic_biased(k, l):
    h = torch.eye(len(k)) - 1 / len(k)
    return torch.trace(k @ h @ l @ h)


def hsic_unbiased(k, l):
    m = len(k)
    k, l = k.clone().fill_diagonal_(0), l.clone().fill_diagonal_(0)
    s = (k * l.T).sum() + k.sum() * l.sum() / ((m - 1) * (m - 2))
    return (s - 2 * (k @ l).sum() / (m - 2)) / (m * (m - 3))


def cka(a, b, hsic):
    k, l = a @ a.T, b @ b.T
    return hsic(k, l) / (torch.sqrt(hsic(k, k) * hsic(l, l)) + 1e-6)


def feature_space_cka(a, b):
    """What a careful user writes: d x d, biased."""
    a, b = a - a.mean(0), b - b.mean(0)
    return (b.T @ a).norm() ** 2 / ((a.T @ a).norm() * (b.T @ b).norm())


def neighbours(x, k=10):
    return (x @ x.T).fill_diagonal_(-1e8).argsort(dim=1, descending=True)[:, :k]


def mutual_knn(a, b, k=10):
    x, y = neighbours(a, k), neighbours(b, k)
    rows = torch.arange(len(a)).unsqueeze(1)
    p, q = torch.zeros(len(a), len(a)), torch.zeros(len(a), len(a))
    p[rows, x], q[rows, y] = 1.0, 1.0
    return ((p * q).sum(1) / k).mean()


def cycle_knn(a, b, k=10):
    x, y = neighbours(a, k), neighbours(b, k)
    hit = x[y] == torch.arange(len(a)).view(-1, 1, 1)
    return hit.float().view(len(a), -1).max(1).values.mean()


def svcca(a, b, dims=10):
    def basis(x):
        x = x - x.mean(0)
        return torch.linalg.svd(x / (x.std(0) + 1e-8), full_matrices=False)[0][:, :dims]

    return torch.linalg.svdvals(basis(a).T @ basis(b)).mean()


def procrustes(a, b):
    a, b = a - a.mean(0), b - b.mean(0)
    return torch.linalg.matrix_norm(a.T @ b, "nuc") / (a.norm() * b.norm())


def mean_cca(a, b):
    q = [torch.linalg.qr((x - x.mean(0)).double())[0] for x in (a, b)]
    return torch.linalg.svdvals(q[0].T @ q[1]).mean()


def cholesky_cca(a, b):
    """d x d in f32: squares the condition of the layers."""
    a, b = a - a.mean(0), b - b.mean(0)
    left, right = (torch.linalg.cholesky(x.T @ x) for x in (a, b))
    half = torch.linalg.solve_triangular(left, a.T @ b, upper=False)
    return torch.linalg.svdvals(torch.linalg.solve_triangular(right, half.T, upper=False)).mean()


def eigen_svcca(a, b):
    """The same for the directions that carry 99 % of the variance."""

    def whitening(x):
        values, vectors = torch.linalg.eigh(x.T @ x)
        values, vectors = values.flip(0), vectors.flip(1)
        kept = int((values.cumsum(0) < 0.99 * values.sum()).sum()) + 1
        return vectors[:, :kept] / values[:kept].sqrt()

    a, b = a - a.mean(0), b - b.mean(0)
    return torch.linalg.svdvals(whitening(a).T @ (a.T @ b) @ whitening(b)).mean()


def gaussian_cka(a, b):
    def kernel(x):
        square = torch.cdist(x, x) ** 2
        i, j = torch.triu_indices(len(x), len(x), 1)
        return torch.exp(-square / (2 * square[i, j].median()))

    k, l = kernel(a), kernel(b)
    return hsic_unbiased(k, l) / torch.sqrt(hsic_unbiased(k, k) * hsic_unbiased(l, l))


def rsa_pearson(a, b):
    i, j = torch.triu_indices(len(a), len(a), 1)
    return torch.corrcoef(torch.stack([torch.corrcoef(a)[i, j], torch.corrcoef(b)[i, j]]))[0, 1]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--n", type=int, default=10_000)
    parser.add_argument("--d", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--skip-biased", action="store_true", help="it takes minutes")
    parser.add_argument("--only", help="cases whose names have this in them")
    parser.add_argument("--criterion", type=Path, help="TARGET/criterion of the Rust benchmark")
    args = parser.parse_args()
    a, b = layer(args.n, args.d, 2), layer(args.n, args.d, 3)
    pa, pb = published(a), published(b)
    # Ours measures both layers' preprocessing too; here it is left out.
    cases = [
        ("cka, published (n x n), biased", "cka_linear_biased", lambda: cka(pa, pb, hsic_biased)),
        ("cka, published (n x n), unbiased", "cka_linear_debiased", lambda: cka(pa, pb, hsic_unbiased)),
        ("cka, d x d, biased", "cka_linear_biased", lambda: feature_space_cka(a, b)),
        ("mutual_knn", "mutual_knn_cosine", lambda: mutual_knn(pa, pb)),
        ("cycle_knn", "cycle_knn_cosine", lambda: cycle_knn(pa, pb)),
        ("svcca (ten directions)", "svcca_var99_mean", lambda: svcca(pa, pb)),
        ("mean CCA", "cca_mean", lambda: mean_cca(a, b)),
        ("mean CCA, d x d in f32", "cca_mean", lambda: cholesky_cca(a, b)),
        ("SVCCA, d x d in f32", "svcca_var99_mean", lambda: eigen_svcca(a, b)),
        ("Procrustes", "procrustes_similarity", lambda: procrustes(a, b)),
        ("Gaussian CKA, debiased", "cka_rbf_median_debiased", lambda: gaussian_cka(a, b)),
        ("RSA, Pearson", "rsa_correlation_pearson", lambda: rsa_pearson(a, b)),
    ]
    print(f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads, n={args.n}, d={args.d}")
    for name, ours, run in cases:
        if args.only and args.only not in name:
            continue
        if args.skip_biased and name.endswith("(n x n), biased"):
            continue
        times = []
        while len(times) < args.repeats and sum(times) < 60:
            start = time.perf_counter()
            value = float(run())
            times.append(time.perf_counter() - start)
        seconds = statistics.median(times)
        line = f"{name:36} {seconds:9.3f} s  (value {value:.6f}, {len(times)} runs)"
        if args.criterion:
            path = args.criterion / f"pair n={args.n} d={args.d}" / ours / "new/estimates.json"
            if path.exists():
                took = json.loads(path.read_text())["median"]["point_estimate"] / 1e9
                line += f"  {ours} {took:.3f} s: {seconds / took:.1f} times as fast"
        print(line, flush=True)


if __name__ == "__main__":
    main()
