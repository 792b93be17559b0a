"""What is found of two layers, and of several pairs of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from html import escape
from typing import TYPE_CHECKING, Any, overload

from ._errors import ReprsimError, UndefinedError

if TYPE_CHECKING:
    import pandas
    import polars


def shown(value: object) -> str:
    """A value as a person reads it: four digits."""
    if value is None:
        return ""
    if isinstance(value, float):
        return "0" if abs(value) < 1e-12 else f"{value:.4f}" if abs(value) >= 1e-3 else f"{value:.1e}"
    if isinstance(value, tuple):
        return " to ".join(shown(part) for part in value)
    return str(value)


@dataclass(frozen=True)
class Result:
    """One measure of one pair of layers.

    ``float(result)`` is the value, or raises :class:`reprsim.UndefinedError`.
    """

    #: The measure's name; of one that uses neighbours it ends with their number.
    measure: str
    #: The value, or ``None``: ``undefined`` then says why.
    value: float | None
    #: Share of the permutations that reach the value, itself counted in; ``None`` without them.
    p: float | None
    #: The chance level: the mean over all permutations of the samples where it is known in closed form
    #: and samples have no groups, else over those drawn.
    null_mean: float | None
    #: The value on a scale from what chance gives (0) to identity (1); ``None`` for measures without an
    #: upper end.
    calibrated: float | None
    #: A 95 % interval over samples, with ``bootstrap``.
    interval: tuple[float, float] | None
    #: Why there is no value.
    undefined: str | None
    #: Samples.
    n: int
    #: Dimensions of the first layer and of the second.
    d_a: int
    d_b: int
    #: The first layer and the second.
    layer_a: str
    layer_b: str
    #: Their models.
    model_a: str
    model_b: str
    #: The value as a distance and as an angle in radians, for measures that have one: the largest value
    #: less it, of shapes ``sqrt(2 - 2 value)``; its arc cosine.
    distance: float | None = None
    angle: float | None = None
    #: With ``leverage``, of linear CKA: the sample (from 0) without which the value changes most, and
    #: the value without it.
    influence: tuple[int, float] | None = None

    def __float__(self) -> float:
        if self.value is None:
            raise UndefinedError(f"{self.measure} has no value: {self.undefined}")
        return self.value

    def __repr__(self) -> str:
        of = "" if self.layer_a == self.layer_b == "" else f" {self.layer_a} x {self.layer_b}"
        value = shown(self.value) if self.value is not None else f"undefined ({self.undefined})"
        parts = [f"{self.measure}{of} = {value}"]
        if self.interval is not None:
            parts.append(f"95 % {shown(self.interval)}")
        if self.null_mean is not None:
            parts.append(f"chance {shown(self.null_mean)}")
        if self.p is not None:
            parts.append(f"p {shown(self.p)}")
        if self.calibrated is not None:
            parts.append(f"calibrated {shown(self.calibrated)}")
        parts.append(f"n {self.n}")
        return f"<{', '.join(parts)}>"


_SHOWN = ("layer_a", "layer_b", "measure", "value", "null_mean", "p", "calibrated", "interval")
_ROWS = 60


class Results(Sequence[Result]):
    """Results in the order of measures, and of each those of pairs of layers.

    A sequence; ``results["measure"]`` gives those of one measure.
    """

    def __init__(self, results: Sequence[Result], maxima: Sequence[Result] = ()) -> None:
        self._results = tuple(results)
        #: Of each measure of several pairs of layers the largest, tested against the largest under each
        #: permutation, which is what a search over layers must be tested against.
        self.maximum = {result.measure: result for result in maxima}

    @overload
    def __getitem__(self, index: int) -> Result: ...
    @overload
    def __getitem__(self, index: slice | str) -> Results: ...
    def __getitem__(self, index: int | slice | str) -> Result | Results:
        if isinstance(index, str):
            found = [result for result in self._results if result.measure == index]
            if not found:
                known = ", ".join(dict.fromkeys(result.measure for result in self._results))
                raise KeyError(f"no result of '{index}'; there are: {known}")
            return Results(found, [m for m in self.maximum.values() if m.measure == index])
        if isinstance(index, slice):
            return Results(self._results[index])
        return self._results[index]

    def __len__(self) -> int:
        return len(self._results)

    def __iter__(self) -> Iterator[Result]:
        return iter(self._results)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Results):
            return NotImplemented
        return self._results == other._results and self.maximum == other.maximum

    __hash__ = None  # type: ignore[assignment]

    def to_dict(self) -> dict[str, list[Any]]:
        """Columns by name, a row a result; ``interval`` as ``ci_low`` and ``ci_high``."""
        columns: dict[str, list[Any]] = {}
        for field in fields(Result):
            values = [getattr(result, field.name) for result in self._results]
            if field.name == "interval":
                columns["ci_low"] = [None if v is None else v[0] for v in values]
                columns["ci_high"] = [None if v is None else v[1] for v in values]
            elif field.name == "influence":
                columns["influential_row"] = [None if v is None else v[0] for v in values]
                columns["value_without"] = [None if v is None else v[1] for v in values]
            else:
                columns[field.name] = values
        return columns

    def to_pandas(self) -> pandas.DataFrame:
        """The same as a table of pandas, which has to be installed."""
        return to_pandas(self.to_dict())

    def to_polars(self) -> polars.DataFrame:
        """The same as a table of polars, which has to be installed."""
        return to_polars(self.to_dict())

    def _rows(self) -> tuple[list[str], list[list[str]]]:
        names = [
            name for name in _SHOWN if any(getattr(result, name) is not None for result in self._results)
        ]
        rows: list[list[str]] = []
        for result in self._results[:_ROWS]:
            row = [shown(getattr(result, name)) for name in names]
            if result.value is None and "value" in names:
                row[names.index("value")] = result.undefined or ""
            rows.append(row)
        return names, rows

    def __repr__(self) -> str:
        names, rows = self._rows()
        widths = [max(len(row[i]) for row in [names, *rows]) for i in range(len(names))]
        lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths)).rstrip() for row in [names, *rows]]
        if len(self) > _ROWS:
            lines.append(f"... {len(self)} in all")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        names, rows = self._rows()
        head = "".join(f"<th>{escape(name)}</th>" for name in names)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
        )
        more = f"<p>{len(self)} in all</p>" if len(self) > _ROWS else ""
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def to_pandas(columns: dict[str, Any]) -> pandas.DataFrame:
    """A table of pandas of columns."""
    try:
        import pandas
    except ImportError as error:
        raise ReprsimError("pandas is not installed: pip install pandas") from error
    return pandas.DataFrame(columns)


def to_polars(columns: dict[str, Any]) -> polars.DataFrame:
    """A table of polars of columns."""
    try:
        import polars
    except ImportError as error:
        raise ReprsimError("polars is not installed: pip install polars") from error
    return polars.DataFrame({name: list(values) for name, values in columns.items()})
