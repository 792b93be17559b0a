#!/usr/bin/env python3
"""Values of measures by their peers' own programs, for tests/golden/peers.json.

Run in a virtual environment with numpy, scipy, scikit-learn, POT and rsatoolbox:

    python scripts/golden_peers.py > tests/golden/peers.json

Matchings are scipy's linear_sum_assignment and POT's emd2, regressions scikit-learn's Ridge fitted
without each sample in turn, dissimilarities and their comparisons rsatoolbox's. netrep is in no
registry: its shape metrics are computed with numpy from the formulas of Williams et al. (2021,
arXiv 2110.14739), as are projection weights (Morcos et al. 2018, arXiv 1806.05759) and the
deconfounded measures (Cui et al. 2022, arXiv 2202.00095).
"""

import importlib.metadata
import json
import sys
from pathlib import Path

import numpy as np
import ot
import rsatoolbox
from rsatoolbox.rdm import RDMs, calc_rdm, compare
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import pdist
from sklearn.linear_model import Ridge

GOLDEN = Path(__file__).resolve().parent.parent / "tests" / "golden"
PENALTIES = [10.0**power for power in range(-6, 4)]


def centred(x):
    return x - x.mean(axis=0)


def matchings(x, y):
    """Permutation Procrustes, soft matching and correlation matches."""
    x, y = centred(x), centred(y)
    products = x.T @ y
    length = np.linalg.norm(x) * np.linalg.norm(y)
    rows, columns = linear_sum_assignment(products, maximize=True)
    widths = x.shape[1], y.shape[1]
    weights = [np.full(d, 1 / d) for d in widths]
    transported = lambda m: -ot.emd2(*weights, -m, numItermax=10_000_000)
    correlations = products / np.outer(np.linalg.norm(x, axis=0), np.linalg.norm(y, axis=0))
    matched = linear_sum_assignment(correlations, maximize=True)
    return {
        "permutation_procrustes_similarity": products[rows, columns].sum() / length,
        "soft_matching_similarity": transported(products) * np.sqrt(widths[0] * widths[1]) / length,
        "soft_matching_correlation": transported(correlations),
        "correlation_match": correlations[matched].mean(),
        "correlation_semi_match": (correlations.max(0).mean() + correlations.max(1).mean()) / 2,
    }


def basis(x):
    u, s, v = np.linalg.svd(centred(x), full_matrices=False)
    kept = s > 1e-7 * s[0]
    return u[:, kept], s[kept], v[kept]


def shapes(x, y):
    """Angular shape similarity of partly whitened layers, singular values of mean square 1 first."""
    found = {}
    for name, alpha in [("shape_alpha0_similarity", 0.0), ("shape_alpha05_similarity", 0.5)]:
        parts = []
        for m in (x, y):
            u, s, v = basis(m)
            s = s / np.sqrt((s**2).mean())
            whitened = u * (alpha * s + 1 - alpha) @ v
            parts.append(whitened / np.linalg.norm(whitened))
        found[name] = np.linalg.norm(parts[0].T @ parts[1], "nuc")
    return found


def projections(x, y):
    """Canonical correlations weighted by the first layer, the second, and the mean."""
    u, s, v = np.linalg.svd(basis(x)[0].T @ basis(y)[0], full_matrices=False)
    weigh = lambda m, w: np.abs((basis(m)[0] @ w).T @ centred(m)).sum(axis=1)
    a, b = (np.average(s, weights=weigh(m, w)) for m, w in ((x, u), (y, v.T)))
    return {"pwcca": a, "pwcca_b": b, "pwcca_mean": (a + b) / 2}


def left_out(x, y):
    """R2 of predicting each sample of y from x by a ridge that was fitted without it."""
    u, s, _ = basis(x)
    yc = centred(y)
    n = len(x)
    unit = (s**2).mean()

    def generalised(penalty):
        fit = s**2 / (s**2 + penalty * unit)
        residual = yc - u * fit @ (u.T @ yc)
        return (residual**2).sum() / (n - 1 - fit.sum()) ** 2

    penalty = min(PENALTIES, key=generalised) * unit
    errors = of_mean = 0.0
    for i in range(n):
        rest = np.arange(n) != i
        model = Ridge(alpha=penalty, solver="svd").fit(x[rest], y[rest])
        errors += ((y[i] - model.predict(x[i : i + 1])[0]) ** 2).sum()
        of_mean += ((y[i] - y[rest].mean(axis=0)) ** 2).sum()
    return 1 - errors / of_mean


def rdms(x):
    """Dissimilarities by their names in ids."""
    data = rsatoolbox.data.Dataset(x, obs_descriptors={"sample": np.arange(len(x))})
    covariance = centred(x).T @ centred(x)
    found = {
        "euclidean": calc_rdm(data, method="euclidean", descriptor="sample"),
        "correlation": calc_rdm(data, method="correlation", descriptor="sample"),
        # rsatoolbox has none: its comparison of scipy's distances.
        "cosine": RDMs(pdist(x, "cosine")[None]),
    }
    if x.shape[1] < len(x) - 1:
        noise = np.linalg.inv(covariance)
        found["mahalanobis"] = calc_rdm(data, method="mahalanobis", noise=noise, descriptor="sample")
    return found


COMPARISONS = {
    "pearson": "corr",
    "spearman": "spearman",
    "kendall": "tau-a",
    "cosine": "cosine",
    "whitened_cosine": "cosine_cov",
}
RSA = {
    "correlation": ["pearson", "spearman", "kendall", "cosine", "whitened_cosine"],
    "euclidean": ["pearson", "spearman", "kendall", "cosine", "whitened_cosine"],
    "cosine": ["pearson", "spearman"],
    "mahalanobis": ["pearson", "spearman", "whitened_cosine"],
}


def rsa(x, y):
    a, b = rdms(x), rdms(y)
    found = {}
    for dissimilarity in a.keys() & b.keys():
        for comparison in RSA[dissimilarity]:
            value = compare(a[dissimilarity], b[dissimilarity], method=COMPARISONS[comparison])
            name = f"rsa_{dissimilarity}_{comparison}"
            # It is linear CKA, biased, which is its name here.
            name = {"rsa_euclidean_whitened_cosine": "cka_linear_biased"}.get(name, name)
            found[name] = np.asarray(value).item()
    return found


def beyond(x, y, c):
    """What x and y have in common beyond c: residuals of similarity matrices."""
    upper = np.triu_indices(len(x), 1)

    def residual(k, of):
        slope, *_ = np.linalg.lstsq(of[:, None], k, rcond=None)
        return k - of * slope[0]

    gram = lambda m: (centred(m) @ centred(m).T).ravel()
    k, l = residual(gram(x), gram(c)), residual(gram(y), gram(c))
    distances = lambda m: 1 - np.corrcoef(m)[upper]
    away = lambda v: v - v.mean()
    d, e = (residual(away(distances(m)), away(distances(c))) for m in (x, y))
    return {
        "cka_linear_biased": k @ l / np.linalg.norm(k) / np.linalg.norm(l),
        "rsa_correlation_pearson": d @ e / np.linalg.norm(d) / np.linalg.norm(e),
    }


def main():
    versions = {
        name: importlib.metadata.version(name)
        for name in ["numpy", "scipy", "scikit-learn", "POT", "rsatoolbox"]
    }
    found = {}
    for name in ["small", "relu", "wide", "unrelated"]:
        x, y = (np.load(GOLDEN / f"{name}_{side}.npy").astype(np.float64) for side in "ab")
        print(name, x.shape, y.shape, file=sys.stderr)
        values = matchings(x, y) | shapes(x, y) | projections(x, y) | rsa(x, y)
        values["ridge_cv_r2_b_from_a"] = left_out(x, y)
        values["ridge_cv_r2_a_from_b"] = left_out(y, x)
        covariate = x[:, :12] + y[:, :12]
        found[name] = {
            "values": {key: float(values[key]) for key in sorted(values)},
            # Beyond the first twelve units of both, added up.
            "beyond": {key: float(v) for key, v in beyond(x, y, covariate).items()},
        }
    json.dump({"made_by": versions, "of": found}, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
