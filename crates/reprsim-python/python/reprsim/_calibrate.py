"""The permutation null of any similarity function."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, TypeVar

from . import _reprsim
from ._question import codes, counted
from ._errors import InputError
from ._result import Result

_X = TypeVar("_X")
_Y = TypeVar("_Y")


def calibrate(
    function: Callable[[_X, _Y], Any],
    x: _X,
    y: _Y,
    null: int = 200,
    groups: Iterable[Hashable] | None = None,
    *,
    largest: float | None = 1.0,
    seed: int = 0,
) -> Result:
    """Tests the value of any similarity function against chance, as :func:`reprsim.compare` tests its own.

    The function is called once on ``x`` and ``y`` and once for each of ``null`` permutations of the rows of
    ``y``; the same seed draws the permutations that ``compare`` draws.

    Parameters
    ----------
    function
        Takes ``x`` and ``y`` and gives a number, larger for what is more alike (of a distance give its
        negative).
    x, y
        Whatever the function takes, a row a sample: arrays, tensors, tables of pandas, lists.
    null
        Permutations.
    groups
        What samples belong to, where they are not independent of each other; one label a sample.
    largest
        The largest value that the function can give, which a calibrated score of 1 stands for; ``None`` if
        there is none.
    seed
        Draws the permutations.

    Returns
    -------
    Result
        Named after the function: ``value``, ``p`` = (1 + permutations that reach the value) / (1 + null),
        ``null_mean`` over the permutations drawn, ``calibrated`` = max(0, (value - t) / (largest - t)), t
        the 95 % order statistic (Groeger, Wen, Brbic 2026, arXiv 2602.14486).

    Raises
    ------
    InputError
        If the function gives no number, or ``x`` and ``y`` have different numbers of rows.

    Examples
    --------
    >>> import reprsim
    >>> def overlap(x, y):
    ...     return sum(a == b for a, b in zip(x, y)) / len(x)
    >>> reprsim.calibrate(overlap, list("abcdefgh"), list("abcdefgh"), null=99).p
    0.01
    """
    count = counted("null", null)
    n = len(y)  # type: ignore[arg-type]
    if len(x) != n:  # type: ignore[arg-type]
        raise InputError(f"x has {len(x)} rows and y has {n}")  # type: ignore[arg-type]
    value = _number(function(x, y))
    permuted: list[float] = []
    for order in _reprsim.permutations(n, count, codes(groups), counted("seed", seed)):
        permuted.append(_number(function(x, _taken(y, order))))
    found = _reprsim.calibration(value, permuted, float("inf") if largest is None else largest)
    null_mean, p, calibrated = (None, None, None) if found is None else found
    return Result(
        measure=getattr(function, "__name__", type(function).__name__),
        value=value,
        p=p,
        null_mean=null_mean,
        calibrated=calibrated,
        interval=None,
        undefined=None,
        n=n,
        d_a=_width(x),
        d_b=_width(y),
        layer_a="x",
        layer_b="y",
        model_a="x",
        model_b="y",
    )


def _number(value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise InputError(f"the function gave {value!r}, which is no number") from error
    if number != number:
        raise InputError("the function gave NaN, which has no rank among others")
    return number


def _taken(values: Any, order: bytes) -> Any:
    """Rows in another order."""
    places: array[int] = array("I")
    places.frombytes(order)
    if hasattr(values, "iloc"):
        return values.iloc[places.tolist()]
    if isinstance(values, Sequence):
        return [values[place] for place in places]
    if hasattr(values, "detach"):
        return values[places.tolist()]
    try:
        import numpy
    except ImportError:
        return values[places.tolist()]
    # JAX takes no list as an index.
    return values[numpy.asarray(places)]


def _width(values: Any) -> int:
    shape = getattr(values, "shape", None)
    return int(shape[1]) if shape is not None and len(shape) == 2 else 1
