#!/usr/bin/env python3
# /// script
# requires-python = ">=3.10"
# dependencies = ["numpy", "scipy", "scikit-learn", "ripser", "lm-sim"]
# ///
"""Writes what measures of neighbourhoods, of shape and of outputs must return.

    scripts/golden_geometry.py tests/golden

Reads the pairs NAME_a.npy and NAME_b.npy of that folder and writes geometry.json and outputs.json
there, in f64. Persistent homology is ripser's, nearest neighbours are scikit-learn's, canonical
correlations and eigenvalues scipy's, CAPA is lm-sim's (the package of its authors) and the
Jensen-Shannon distance scipy's. The rest is written down from the papers, and none of it shares a
line with the program: ReSi and the authors' package of the multi-scale intrinsic distance are not
in the registry. Versions of what it used are written beside the values.
"""
import importlib.metadata
import json
import pathlib
import sys

import numpy as np
import scipy.linalg
import scipy.spatial.distance
import scipy.special
from lmsim.metrics import CAPA
from ripser import ripser
from sklearn.neighbors import NearestNeighbors

K = 10

# Samples that topology is told of: as many as the program takes at once.
PART = 128


def neighbours(x, k, metric):
    found = NearestNeighbors(n_neighbors=k + 1, metric=metric).fit(x).kneighbors(x)[1]
    # A sample is its own nearest, wherever rounding puts it.
    return [[j for j in row if j != i][:k] for i, row in enumerate(found)]


def jaccard(a, b):
    return len(set(a) & set(b)) / len(set(a) | set(b))


def rank_similarity(a, b):
    common = set(a) & set(b)
    if not common:
        return 0.0
    ranks = [(a.index(j) + 1, b.index(j) + 1) for j in common]
    total = sum(2 / ((1 + abs(r - s)) * (r + s)) for r, s in ranks)
    return total / sum(1 / m for m in range(1, len(common) + 1))


def second_order(x, y, a, b):
    values = []
    for i in range(len(x)):
        either = sorted(set(a[i]) | set(b[i]))
        near = [1 - scipy.spatial.distance.cdist(m[i : i + 1], m[either], "cosine")[0] for m in (x, y)]
        values.append(1 - scipy.spatial.distance.cosine(*near))
    return np.mean(values)


def gulp(x, y):
    """Boix-Adsera et al. 2022, without a ridge: projections on the columns of either layer."""
    projections = []
    for m in (x, y):
        basis = scipy.linalg.orth(m - m.mean(0))
        projections.append(basis @ basis.T)
    return np.linalg.norm(projections[0] - projections[1]) ** 2


def loops(distances):
    bars = ripser(distances, maxdim=1, distance_matrix=True)["dgms"][1]
    return float((bars[:, 1] - bars[:, 0]).sum())


def rtd(x, y):
    """Barannikov et al. 2022, algorithm 1, both ways."""
    scaled = []
    for m in (x, y):
        d = scipy.spatial.distance.cdist(m, m)
        scaled.append(d / np.quantile(d, 0.9))

    def one_way(v, w):
        zero = np.zeros_like(v)
        return loops(np.block([[zero, v], [v.T, np.minimum(v, w)]]))

    return (one_way(*scaled) + one_way(*scaled[::-1])) / 2


def heat(x, times):
    """Tsitsulin et al. 2020, with all eigenvalues."""
    n = len(x)
    joined = np.zeros((n, n))
    for i, row in enumerate(neighbours(x, 5, "euclidean")):
        joined[i, row] = 1
    joined = np.maximum(joined, joined.T)
    roots = np.sqrt(joined.sum(1))
    laplacian = np.eye(n) - joined / np.outer(roots, roots)
    return np.exp(-np.outer(times, scipy.linalg.eigvalsh(laplacian))).mean(1)


def imd(x, y):
    times = np.logspace(-1, 1, 256)
    apart = np.abs(heat(x, times) - heat(y, times))
    return 1e6 * (np.exp(-2 * (times + 1 / times)) * apart).max()


def uniformity(x):
    squares = scipy.spatial.distance.cdist(x, x, "sqeuclidean")
    return np.log(np.exp(-2 * squares).sum() / len(x) ** 2)


def concentricity(x):
    return 1 - scipy.spatial.distance.cdist(x, x.mean(0, keepdims=True), "cosine").mean()


def geometry(x, y):
    a, b = neighbours(x, K, "cosine"), neighbours(y, K, "cosine")
    lists = list(zip(a, b))
    apart = lambda of: -abs(of(x) - of(y))
    return {
        "jaccard_knn_cosine_k10": np.mean([jaccard(*both) for both in lists]),
        "rank_knn_cosine_k10": np.mean([rank_similarity(*both) for both in lists]),
        "rank_jaccard_knn_cosine_k10": np.mean(
            [jaccard(*both) * rank_similarity(*both) for both in lists]
        ),
        "second_order_cosine_k10": second_order(x, y, a, b),
        "gulp": -gulp(x, y),
        "rtd": -rtd(x[:PART], y[:PART]),
        "imd": -imd(x, y),
        "magnitude_difference": apart(lambda m: np.linalg.norm(m.mean(0))),
        "concentricity_difference": apart(concentricity),
    }


def outputs(seed):
    """Scores of two classifiers that agree somewhat, and what is said of them."""
    rng = np.random.default_rng(seed)
    n, classes = 40, 5
    labels = rng.integers(classes, size=n)
    truth = 1.5 * np.eye(classes)[labels]
    common = rng.normal(size=(n, classes))
    scores = [truth + common + rng.normal(size=(n, classes)) for _ in range(2)]
    scores = [np.round(s, 4) for s in scores]
    shares = [scipy.special.softmax(s, axis=1) for s in scores]
    answers = [s.argmax(1) for s in scores]
    accuracies = [float((answer == labels).mean()) for answer in answers]
    differ = float((answers[0] != answers[1]).mean())
    errors = [1 - accuracy for accuracy in accuracies]
    # Klabunde and Lemmerich 2023: the least and the most that two models of these errors can.
    least, most = abs(errors[0] - errors[1]), min(sum(errors), 1)
    divergence = [
        scipy.spatial.distance.jensenshannon(p, q, base=2) ** 2 for p, q in zip(*shares)
    ]
    capa = CAPA()
    kappa = capa.compute_k(*shares, labels)
    return {
        "classes": classes,
        "a": scores[0].ravel().tolist(),
        "b": scores[1].ravel().tolist(),
        "labels": labels.tolist(),
        "accuracies": accuracies,
        "expected": {
            "disagreement": differ,
            "min_max_disagreement": (differ - least) / (most - least),
            "jsd": float(np.mean(divergence)),
            "performance_difference": abs(accuracies[0] - accuracies[1]),
            "capa": float(kappa),
        },
    }


def main():
    folder = pathlib.Path(sys.argv[1])
    packages = ["numpy", "scipy", "scikit-learn", "ripser", "lm-sim"]
    versions = {name: importlib.metadata.version(name) for name in packages}
    pairs = {}
    for path in sorted(folder.glob("*_a.npy")):
        name = path.name.removesuffix("_a.npy")
        x, y = (np.load(folder / f"{name}_{side}.npy").astype(np.float64) for side in "ab")
        pairs[name] = {key: float(value) for key, value in geometry(x, y).items()}
        # As they are, samples of these layers are too far apart for uniformity to see.
        apart = abs(uniformity(0.1 * x) - uniformity(0.1 * y))
        pairs[name]["uniformity_difference"] = float(-apart)
    write = lambda name, value: (folder / name).write_text(json.dumps(value, indent=1) + "\n")
    write("geometry.json", {"made_with": versions, "pairs": pairs})
    write("outputs.json", {"made_with": versions, "cases": [outputs(seed) for seed in range(3)]})


if __name__ == "__main__":
    main()
