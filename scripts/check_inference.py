#!/usr/bin/env python3
# /// script
# requires-python = ">=3.10"
# dependencies = ["numpy", "pandas", "scipy", "scikit-learn", "statsmodels"]
# ///
"""Prints what other libraries and brute force say of a fixed table.

    scripts/check_inference.py [../shared/published]

These numbers stand in the tests of reprsim-stats. The table is a 3 x 3 factorial with
6 seeds, from whole-number arithmetic that the tests repeat; the unbalanced one lacks
every seventh point. With the folder of the published tables also what the tests
expect of those beyond its expected.json.
"""
import itertools
import math
import pathlib
import sys

import numpy as np
import pandas as pd
import statsmodels.api as sm
from scipy import stats
from scipy.special import digamma
from sklearn.feature_selection import mutual_info_classif, mutual_info_regression
from statsmodels.stats.multitest import multipletests


def noise(k: int) -> float:
    """From -0.5 to 0.5, without a pattern that the design could follow."""
    return ((k * k * 7919 + k * 104729) % 1009) / 1009 - 0.5


def factorial() -> pd.DataFrame:
    rows = []
    for seed, i, j in itertools.product(range(6), range(3), range(3)):
        k = len(rows) + 1
        a, b = i / 2 - 0.5, j / 2 - 0.5
        y = 0.5 + 0.2 * a + 0.4 * b + 0.1 * a * b + 0.05 * noise(seed + 201)
        y += 0.1 * noise(seed + 301) * a + 0.1 * noise(seed + 401) * a * b + 0.1 * noise(k)
        accuracy = 0.8 + 0.01 * a + 0.02 * noise(k + 500)
        rows.append((seed, a, b, a * b, accuracy, y))
    return pd.DataFrame(rows, columns=["seed", "a", "b", "ab", "accuracy", "y"])


def fitted(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The fit of y on the columns of x and an intercept."""
    x = np.column_stack([np.ones(len(y)), x])
    return x @ np.linalg.lstsq(x, y, rcond=None)[0]


def bias_reduced(x: np.ndarray, y: np.ndarray, clusters: np.ndarray) -> list[np.ndarray]:
    """Coefficients after the intercept with their CR2 errors, Satterthwaite degrees of freedom,
    ends of the interval and p, by the definition (Pustejovsky and Tipton 2018, eq. 6 and 11):
    matrices of all points, adjustments as symmetric roots.
    """
    x = np.column_stack([np.ones(len(y)), x])
    bread = np.linalg.inv(x.T @ x)
    left = np.eye(len(y)) - x @ bread @ x.T
    e = left @ y
    meat = np.zeros_like(bread)
    columns = []
    for cluster in np.unique(clusters):
        rows = np.flatnonzero(clusters == cluster)
        values, vectors = np.linalg.eigh(left[np.ix_(rows, rows)])
        kept = values > 1e-9
        root = (vectors[:, kept] / np.sqrt(values[kept])) @ vectors[:, kept].T
        score = x[rows].T @ root @ e[rows]
        meat += np.outer(score, score)
        columns.append(left[:, rows] @ root @ x[rows] @ bread)
    b, error = bread @ x.T @ y, np.sqrt(np.diag(bread @ meat @ bread))
    df = []
    for j in range(x.shape[1]):
        of_term = np.column_stack([column[:, j] for column in columns])
        products = of_term.T @ of_term
        df.append(np.trace(products) ** 2 / np.sum(products**2))
    df = np.array(df)
    half = stats.t.ppf(0.975, df) * error
    p = 2 * stats.t.sf(np.abs(b / error), df)
    return [values[1:] for values in (b, error, df, b - half, b + half, p)]


def say_bias_reduced(name: str, x: np.ndarray, y: np.ndarray, clusters: np.ndarray) -> None:
    words = ("coefficients", "errors", "degrees of freedom", "lower ends", "upper ends", "p")
    for word, values in zip(words, bias_reduced(x, y, clusters)):
        say(f"{name}, {word}", *values)


def r_squared(x: np.ndarray, y: np.ndarray) -> float:
    return 1 - np.sum((y - fitted(x, y)) ** 2) / np.sum((y - y.mean()) ** 2)


def sign_flip(x: np.ndarray, place: int, y: np.ndarray, seeds: np.ndarray) -> float:
    """All flips of the scores of whole seeds."""
    others = np.delete(x, place, axis=1)
    scores = (x[:, place] - fitted(others, x[:, place])) * (y - fitted(others, y))
    sums = [scores[seeds == s].sum() for s in np.unique(seeds)]
    flips = np.array(list(itertools.product([1, -1], repeat=len(sums))))
    statistics = np.abs(flips @ sums)
    return np.mean(statistics >= statistics[0] * (1 - 1e-10))


def permutation(x: np.ndarray, place: int, y: np.ndarray) -> float:
    """All permutations of the residuals of the model without the term."""
    others = np.delete(x, place, axis=1)
    fit = fitted(others, y)
    residuals = y - fit

    def t(y: np.ndarray) -> float:
        return abs(sm.OLS(y, sm.add_constant(x)).fit().tvalues[place + 1])

    observed = t(y)
    orders = itertools.permutations(range(len(y)))
    return np.mean([t(fit + residuals[list(o)]) >= observed * (1 - 1e-10) for o in orders])


def shares(x: np.ndarray, covariates: np.ndarray, y: np.ndarray) -> list[float]:
    """The gain of R² of each term, averaged over all orders."""
    terms = x.shape[1]
    gains = np.zeros(terms)
    for order in itertools.permutations(range(terms)):
        for place, term in enumerate(order):
            before, after = list(order[:place]), list(order[: place + 1])
            gains[term] += r_squared(np.column_stack([x[:, after], covariates]), y)
            gains[term] -= r_squared(np.column_stack([x[:, before], covariates]), y)
    return list(gains / math.factorial(terms))


def partial(x: np.ndarray, y: np.ndarray, term: int) -> float:
    left = 1 - r_squared(np.delete(x, term, axis=1), y)
    return (left - (1 - r_squared(x, y))) / left


def ross(levels: np.ndarray, y: np.ndarray) -> float:
    """Ross (2014) by its definition, in nats.

    scikit-learn has the same but for levels of at most 7 points, where its search for
    neighbours computes distances as x² - 2 x y + y² and rounding decides whether the
    neighbour at the radius counts.
    """
    kept = np.array([np.sum(levels == level) > 1 for level in levels])
    levels, y = levels[kept], y[kept]
    total = 0.0
    for level, value in zip(levels, y):
        distances = np.sort(np.abs(y[levels == level] - value))[1:]
        k = min(3, len(distances))
        near = np.sum(np.abs(y - value) < distances[k - 1])
        total += digamma(k) - digamma(len(distances) + 1) - digamma(near)
    return digamma(len(y)) + total / len(y)


def scikit_ross(levels: np.ndarray, y: np.ndarray) -> float:
    levels = np.unique(levels, return_inverse=True)[1]
    return mutual_info_classif(y.reshape(-1, 1), levels, random_state=42)[0]


def power(shift: float, df: float, critical: float) -> float:
    return stats.nct.sf(critical, df, shift) + stats.nct.cdf(-critical, df, shift)


def say(name: str, *values: float) -> None:
    print(f"{name}: " + ", ".join(repr(float(v)) for v in values))


def small_tables() -> None:
    """Those of the tests in linear.rs."""
    x = np.array([0.0, 0.5, 1.0] * 3).reshape(-1, 1)
    y = np.array([0.10, 0.22, 0.35, 0.12, 0.20, 0.41, 0.05, 0.19, 0.30])
    say_bias_reduced("line", x, y, np.repeat([0, 1, 2], 3))
    two = np.array([0.10, 0.22, 0.35, 0.12, 0.20])
    say_bias_reduced("two seeds", np.array([[0.0], [0.5], [1.0], [0.0], [1.0]]), two, np.array([0, 0, 0, 1, 1]))
    jitter = [
        0.02, -0.01, 0.03, -0.02, 0.01, 0.0, -0.03, 0.02, 0.01, 0.04, -0.02, 0.0, 0.01, -0.01,
        0.02, -0.04, 0.03, 0.01,
    ]
    rows = [(i / 2 - 0.5, j / 2 - 0.5, s * 3 + j) for s, i, j in itertools.product(range(2), range(3), range(3))]
    a, b, g = np.array(rows).T
    y = 0.5 + 0.2 * a + 0.4 * b + 0.1 * a * b + np.array(jitter)
    say_bias_reduced("factorial of linear.rs", np.column_stack([a, b, a * b]), y, g)


def synthetic() -> None:
    table = factorial()
    unbalanced = table[table.index % 7 != 6]
    terms, y = unbalanced[["a", "b", "ab"]].to_numpy(), unbalanced.y.to_numpy()
    seeds, accuracy = unbalanced.seed.to_numpy(), unbalanced[["accuracy"]].to_numpy()
    x = np.column_stack([terms, accuracy])

    say_bias_reduced("clustered", x, y, seeds)
    # Seeds of 1 to 8 points, and a covariate that each seed has one value of.
    uneven = table[[i % 9 <= i // 9 + (i // 9 > 3) for i in range(54)]]
    level = np.array([noise(3 * seed + 17) for seed in uneven.seed])
    say_bias_reduced(
        "uneven", np.column_stack([uneven[["a", "b"]], level]), uneven.y.to_numpy(), uneven.seed.to_numpy()
    )
    say_bias_reduced("balanced", table[["a", "b", "ab"]].to_numpy(), table.y.to_numpy(), table.seed.to_numpy())
    small_tables()
    say("sign flips", *[sign_flip(x, place, y, seeds) for place in range(4)])
    say("sign flips, accuracy", *[sign_flip(terms, p, accuracy[:, 0], seeds) for p in range(3)])
    say("R²", r_squared(x, y), r_squared(accuracy, y))
    say("partial R²", *[partial(x, y, place) for place in range(3)])
    say("shares", *shares(terms, accuracy, y))
    say("shares without covariate", *shares(terms, np.empty((len(y), 0)), y))

    few = table[table.seed == 0].iloc[:7]
    say(
        "permutations",
        permutation(few[["a"]].to_numpy(), 0, few.y.to_numpy()),
        permutation(few[["a", "b"]].to_numpy(), 0, few.y.to_numpy()),
    )

    square = np.column_stack([table.b, table.b**2])
    curve = sm.OLS(table.y, sm.add_constant(square)).fit()
    say("curvature", curve.params.iloc[2], curve.bse.iloc[2], curve.pvalues.iloc[2])

    y, b = table.y.to_numpy(), table.b.to_numpy()
    say("Spearman", stats.spearmanr(b, y)[0], stats.spearmanr(np.round(y, 1), table.accuracy)[0])
    ksg = lambda x, y: mutual_info_regression(x.reshape(-1, 1), y, random_state=42)[0]
    say("KSG", ksg(b, y), ksg(y, y + 20 * table.accuracy.to_numpy()))
    # Levels of 1, 2, 3 and of many points.
    uneven = np.select([y <= np.sort(y)[k] for k in (0, 2, 5)], [9, 7, 8], 2 * b)
    say("Ross", ross(b, y), ross(uneven, y))
    say("Ross, scikit-learn", scikit_ross(b, y), scikit_ross(uneven, y))
    kept = np.unique(uneven, return_counts=True)[1]
    say("entropy", stats.entropy([18, 18, 18]), stats.entropy(kept[kept > 1]))

    p = [0.01, 0.04, 0.03, 0.005, 0.5, 0.02]
    say("Holm", *multipletests(p, method="holm")[1])

    # Slope 0.3, residual sd 0.5, sum of squares 2.5 and 5 points a seed, 2 coefficients.
    for s in (1, 2, 3, 8):
        df = 5 * s - 2
        shift, critical = 0.3 * math.sqrt(2.5 * s) / 0.5, stats.t.ppf(0.975, df)
        say(f"power, independent, {s} seeds", power(shift, df, critical))
    # Slope 0.1, sd of slopes 0.1.
    for s in (2, 3, 5, 8, 20):
        say(f"power, clustered, {s} seeds", power(math.sqrt(s), s - 1, stats.t.ppf(0.975, s - 1)))


def published(folder: pathlib.Path) -> None:
    for name, column in (
        ("resnet_cifar100_ds_platonic", "metric_ood_all_mnist"),
        ("resnet_cifar100_task_platonic", "metric_ood_one"),
        ("nanogpt_shakespeare_ds_platonic", "metric_wikitext"),
        ("resnet_partition_platonic", "shape"),
    ):
        table = pd.read_csv(folder / f"{name}.csv")
        table = table[(table.metric == "cka") & (table[column] != -1)]
        if "partition" in table:
            x = table.partition.str.removeprefix("partition").astype(float).to_numpy()
        else:
            x = table.frac_overlap.to_numpy()
        y, seeds = table[column].to_numpy(), table.seed.to_numpy()
        print(name, column, len(y), "points", len(np.unique(seeds)), "seeds")
        say_bias_reduced("  clustered", x.reshape(-1, 1), y, seeds)
        say("  sign flips", sign_flip(x.reshape(-1, 1), 0, y, seeds))
        say("  Ross, and scikit-learn's", ross(x, y), scikit_ross(x, y))
        say("  entropy", stats.entropy(np.unique(x, return_counts=True)[1]))
        square = np.column_stack([x, x**2])
        curve = sm.OLS(y, sm.add_constant(square)).fit()
        say("  curvature p, independent", curve.pvalues[2])


if __name__ == "__main__":
    synthetic()
    root = pathlib.Path(__file__).resolve().parents[2] / "shared" / "published"
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else root
    if folder.exists():
        published(folder)
    else:
        print("no published tables")
