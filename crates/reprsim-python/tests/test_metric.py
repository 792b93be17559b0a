"""Samples that come batch by batch."""

from __future__ import annotations

import numpy as np
import pytest

import reprsim

RNG = np.random.default_rng(1)
X = RNG.normal(size=(500, 4)) @ RNG.normal(size=(4, 10)) + 100
Y = X[:, :6] ** 2 / 100 + RNG.normal(size=(500, 6))
STREAMING = [
    "cka_linear_biased",
    "cka_linear_debiased",
    "cka_linear_row_column",
    "procrustes_similarity",
    "rsa_correlation_pearson",
]


def exact(x: np.ndarray, y: np.ndarray, debiased: bool) -> float:
    """Linear CKA from n x n matrices in f64 (Song et al. 2012, eq. 5; Kornblith et al. 2019)."""
    n = len(x)
    k, l = ((a - a.mean(0)) @ (a - a.mean(0)).T for a in (x, y))

    def hsic(k: np.ndarray, l: np.ndarray) -> float:
        if not debiased:
            return float((k * l).sum())
        k, l = (a - np.diag(np.diag(a)) for a in (k, l))
        ones = np.ones(n)
        return float(
            (k * l).sum()
            + k.sum() * l.sum() / ((n - 1) * (n - 2))
            - 2 * (ones @ k) @ (l @ ones) / (n - 2)
        )

    return hsic(k, l) / np.sqrt(hsic(k, k) * hsic(l, l))


@pytest.mark.parametrize("batch", [1, 64, 500])
def test_sums_are_exact(batch: int) -> None:
    metric = reprsim.Metric(STREAMING)
    for start in range(0, 500, batch):
        metric.update(X[start : start + batch], Y[start : start + batch])
    found = metric.compute()
    values = {r.measure: float(r) for r in found}
    assert list(values) == STREAMING
    for name, debiased in (("cka_linear_biased", False), ("cka_linear_debiased", True)):
        assert values[name] == pytest.approx(exact(X, Y, debiased), rel=1e-11)
    whole = {r.measure: r for r in reprsim.compare(X, Y, STREAMING, null=9)}
    for r in found:
        assert r.value == pytest.approx(whole[r.measure].value, abs=2e-6)
        assert (r.n, r.d_a, r.d_b, r.p) == (500, 10, 6, None)
        if r.null_mean is not None:
            assert r.null_mean == pytest.approx(whole[r.measure].null_mean, abs=2e-6)


def test_what_does_not_stream_says_so() -> None:
    for name in ("cca_mean", "mutual_knn", "rsa_correlation_spearman"):
        with pytest.raises(reprsim.InputError, match="needs all samples at once.*cka_linear_debiased"):
            reprsim.Metric(name)
    metric = reprsim.Metric()
    assert metric.compute().undefined == "fewer than 4 samples"
    metric.update(X, Y)
    with pytest.raises(reprsim.InputError, match="other dimensions"):
        metric.update(X, X)
    with pytest.raises(reprsim.InputError, match="same samples"):
        metric.update(X[:3], Y)
    assert metric.samples == 500 and "500" in repr(metric)
