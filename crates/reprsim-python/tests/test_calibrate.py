"""The null of any function is the null of ours."""

from __future__ import annotations

import numpy as np
import pytest

import reprsim

RNG = np.random.default_rng(2)
X = RNG.normal(size=(80, 5))
Y = X[:, :3] + 2 * RNG.normal(size=(80, 3))


def cca(x: object, y: object) -> float:
    return float(reprsim.compare(x, y, "cca_mean", null=0))  # type: ignore[call-overload]


@pytest.mark.parametrize("groups", [None, [i // 4 for i in range(80)]])
def test_it_is_ours(groups: list[int] | None) -> None:
    ours = reprsim.compare(X, Y, "cca_mean", null=99, groups=groups, seed=5)
    found = reprsim.calibrate(cca, X, Y, null=99, groups=groups, seed=5)
    assert (found.measure, found.value, found.p, found.n) == ("cca", ours.value, ours.p, 80)
    # Products under permutations are in f32.
    assert found.null_mean == pytest.approx(ours.null_mean, abs=1e-6)
    assert found.calibrated == pytest.approx(ours.calibrated, abs=1e-6)


def test_shifts_of_many_samples() -> None:
    x = RNG.normal(size=(4200, 2))
    ours = reprsim.compare(x, x**2, "procrustes", null=19)

    def procrustes(x: object, y: object) -> float:
        return float(reprsim.compare(x, y, "procrustes", null=0))  # type: ignore[call-overload]

    found = reprsim.calibrate(procrustes, x, x**2, null=19)
    assert found.p == ours.p and found.null_mean == pytest.approx(ours.null_mean, abs=1e-6)


def test_whatever_has_rows() -> None:
    torch, pandas = pytest.importorskip("torch"), pytest.importorskip("pandas")
    jax, polars = pytest.importorskip("jax"), pytest.importorskip("polars")

    def agreement(x: object, y: object) -> float:
        return float(np.mean(np.asarray(x) == np.asarray(y)))

    labels = (RNG.random(200) < 0.5).astype(int)
    of = {
        reprsim.calibrate(agreement, form, form, null=49).null_mean
        for form in (
            labels,
            labels.tolist(),
            torch.tensor(labels),
            pandas.Series(labels),
            polars.Series(labels),
            jax.numpy.asarray(labels),
        )
    }
    assert len(of) == 1 and next(iter(of)) == pytest.approx(0.5, abs=0.05)


def test_mistakes() -> None:
    with pytest.raises(reprsim.InputError, match="no number"):
        reprsim.calibrate(lambda x, y: "much", X, Y)
    with pytest.raises(reprsim.InputError, match="NaN"):
        reprsim.calibrate(lambda x, y: float("nan"), X, Y)
    with pytest.raises(reprsim.InputError, match="80 rows and y has 79"):
        reprsim.calibrate(cca, X, Y[:79])
    with pytest.raises(ZeroDivisionError):
        reprsim.calibrate(lambda x, y: 1 / 0, X, Y)
    unbounded = reprsim.calibrate(lambda x, y: -float(np.square(x[:, :3] - y).sum()), X, Y, largest=None)
    assert unbounded.p == pytest.approx(1 / 201) and unbounded.calibrated is None
