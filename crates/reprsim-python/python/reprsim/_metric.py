"""Measures of samples that come batch by batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar, cast, overload

from . import _reprsim
from ._question import Names, Pool, named
from ._errors import InputError
from ._result import Result, Results
from ._types import ArrayLike

_Answer = TypeVar("_Answer", Result, Results)


class Metric(Generic[_Answer]):
    """A measure of two layers whose samples come batch by batch and are not kept.

    Exact, from sums over samples in float64 whose size is that of the dimensions squared: linear CKA
    (biased, debiased, row and column corrected), RSA by Pearson's correlation, Procrustes. Measures that
    need all samples at once, and permutations, are refused: ``null_mean`` is the exact mean over all
    permutations where a formula tells it, ``p`` is ``None``.

    Parameters
    ----------
    measure
        A name of :func:`reprsim.measures`, or a list of them.
    pool, axes
        As of :func:`reprsim.compare`.

    Raises
    ------
    InputError
        A measure that does not stream.

    Examples
    --------
    >>> import reprsim
    >>> metric = reprsim.Metric("cka_linear_debiased")
    >>> metric.update([[0.1, 1.0], [0.7, -0.4], [-1.2, 0.3]], [[1.0], [0.2], [-2.0]])
    >>> metric.update([[0.9, 0.8], [-0.5, -0.9], [0.2, -0.6]], [[0.6], [-0.4], [0.3]])
    >>> result = metric.compute()
    >>> result.n, result.value is not None
    (6, True)
    """

    @overload
    def __init__(self: Metric[Result], measure: str = ..., *, pool: Pool | None = ..., axes: str | Sequence[str] = ...) -> None: ...
    @overload
    def __init__(self: Metric[Results], measure: Names, *, pool: Pool | None = ..., axes: str | Sequence[str] = ...) -> None: ...
    def __init__(
        self,
        measure: str | Names = "cka_linear_debiased",
        *,
        pool: Pool | None = None,
        axes: str | Sequence[str] = (),
    ) -> None:
        names = [measure] if isinstance(measure, str) else list(measure)
        if not names or "all" in names:
            raise InputError("name the measures: not all of them stream")
        self._single = isinstance(measure, str)
        self._sums = _reprsim.Sums(names)
        self._pool = pool
        self._axes = _reprsim.orders_of_axes([axes] if isinstance(axes, str) else list(axes))
        self._widths = (0, 0)

    def update(self, x: ArrayLike, y: ArrayLike) -> None:
        """Adds samples: rows of both layers, the same samples in the same order.

        Raises
        ------
        InputError
            Other dimensions than before, or different numbers of rows.
        """
        left, right = named("x", x), named("y", y)
        self._widths = self._sums.update(left, right, self._pool, self._axes)

    @property
    def samples(self) -> int:
        """Samples so far."""
        return self._sums.samples

    def compute(self) -> _Answer:
        """The measure on all samples so far; more may come."""
        n, (d_a, d_b) = self.samples, self._widths
        results = [
            Result(
                measure=row["measure"],
                value=row["value"],
                distance=row["distance"],
                angle=row["angle"],
                p=None,
                null_mean=row["null_mean"],
                calibrated=None,
                interval=None,
                undefined=row["undefined"],
                n=n,
                d_a=d_a,
                d_b=d_b,
                layer_a="x",
                layer_b="y",
                model_a="x",
                model_b="y",
            )
            for row in self._sums.scores()
        ]
        return cast(_Answer, results[0] if self._single else Results(results))

    def __repr__(self) -> str:
        return f"<Metric of {self.samples} samples>"
