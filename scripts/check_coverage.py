#!/usr/bin/env python3
# /// script
# requires-python = ">=3.10"
# dependencies = ["numpy", "scipy"]
# ///
"""How often 95 % intervals of few clusters cover the truth: the table of docs/analysis.md.

    scripts/check_coverage.py [TABLES]

Clusters differ in intercept and in slope; errors by the definition, as matrices of all points:
CR2 with Satterthwaite's degrees of freedom, and CR1 with clusters - 1 beside it.
"""
import sys

import numpy as np
from scipy import stats


def design(clusters: int, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """The column tested and the cluster of each point."""
    levels = np.arange(5) / 4
    kept = {
        "same": lambda g: levels,
        "uneven": lambda g: [levels[[0, 4]], levels[[0, 1, 2, 4]], levels][g % 3],
        "one large": lambda g: np.repeat(levels, 8) if g == 0 else levels,
        "between": lambda g: np.full(5, g / clusters),
        "between, one apart": lambda g: np.full(5, 4.0 if g == 0 else g / clusters),
    }[kind]
    x = [np.asarray(kept(g), dtype=float) for g in range(clusters)]
    return np.concatenate(x), np.repeat(np.arange(clusters), [len(part) for part in x])


def coverage(clusters: int, kind: str, tables: int, rng: np.random.Generator) -> list[float]:
    tested, of = design(clusters, kind)
    n = len(of)
    x = np.column_stack([np.ones(n), tested])
    bread = np.linalg.inv(x.T @ x)
    left = np.eye(n) - x @ bread @ x.T
    scores, columns = [], []
    for g in range(clusters):
        rows = of == g
        values, vectors = np.linalg.eigh(left[np.ix_(rows, rows)])
        kept = values > 1e-9
        root = (vectors[:, kept] / np.sqrt(values[kept])) @ vectors[:, kept].T
        column = left[:, rows] @ root @ x[rows] @ bread[:, 1]
        columns.append(column)
        scores.append((column, left[:, rows] @ x[rows] @ bread[:, 1]))
    products = np.array(columns) @ np.array(columns).T
    df = np.trace(products) ** 2 / np.sum(products**2)
    own = 0.0 if kind.startswith("between") else 0.1
    y = 0.05 * rng.standard_normal((tables, n))
    y += 0.1 * rng.standard_normal((tables, clusters))[:, of]
    y += own * rng.standard_normal((tables, clusters))[:, of] * tested
    slope = y @ x @ bread[:, 1]
    reduced = sum((y @ score[0]) ** 2 for score in scores)
    plain = sum((y @ score[1]) ** 2 for score in scores) * clusters / (clusters - 1) * (n - 1) / (n - 2)
    found = []
    for variance, freedom in ((reduced, df), (plain, clusters - 1)):
        found.append(np.mean(np.abs(slope) <= stats.t.ppf(0.975, freedom) * np.sqrt(variance)))
    return [*found, df]


def main() -> None:
    tables = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    rng = np.random.default_rng(1)
    print("| column | clusters | df | CR2 | CR1 |\n|---|---|---|---|---|")
    for kind in ("same", "uneven", "one large", "between", "between, one apart"):
        for clusters in (3, 4, 5, 6, 8):
            cr2, cr1, df = coverage(clusters, kind, tables, rng)
            print(f"| {kind} | {clusters} | {df:.1f} | {100 * cr2:.1f} | {100 * cr1:.1f} |")


if __name__ == "__main__":
    main()
