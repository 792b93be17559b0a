"""Tables: columns by name."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator, Mapping
from html import escape
from typing import TYPE_CHECKING, Any, TypeAlias, Union

from ._result import shown, to_pandas, to_polars

if TYPE_CHECKING:
    import pandas
    import polars

#: Numbers (an ``array``, which numpy takes as it is; of floats NaN where one is missing), or text and
#: other values (a list, ``None`` where one is missing).
Column: TypeAlias = Union["array[float]", "array[int]", "list[Any]"]

_ROWS = 60


class Table(Mapping[str, Column]):
    """Columns of one length by name: a mapping."""

    def __init__(self, columns: Mapping[str, Column]) -> None:
        self._columns = dict(columns)

    @classmethod
    def of_json(cls, text: str) -> Table:
        """A table of fields and rows in JSON: columns of numbers alone are arrays."""
        found: dict[str, Any] = json.loads(text)
        names, rows = found["fields"], found["rows"]
        return cls({name: _column([row[at] for row in rows]) for at, name in enumerate(names)})

    def __getitem__(self, name: str) -> Column:
        try:
            return self._columns[name]
        except KeyError:
            raise KeyError(f"no column '{name}'; there are: {', '.join(self._columns)}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        """The number of columns, as of any mapping; :attr:`shape` has both numbers."""
        return len(self._columns)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(next(iter(self._columns.values()), ())), len(self._columns)

    def rows(self) -> Iterator[dict[str, Any]]:
        """The rows, one after the other."""
        for values in zip(*self._columns.values()):
            yield dict(zip(self._columns, values))

    def to_pandas(self) -> pandas.DataFrame:
        """The same as a table of pandas, which has to be installed."""
        return to_pandas(self._columns)

    def to_polars(self) -> polars.DataFrame:
        """The same as a table of polars, which has to be installed."""
        return to_polars(self._columns)

    def __repr__(self) -> str:
        rows, columns = self.shape
        return f"<Table of {rows} rows and {columns} columns: {', '.join(self)}>"

    def _repr_html_(self) -> str:
        rows, _ = self.shape
        head = "".join(f"<th>{escape(name)}</th>" for name in self)
        first = [row for row, _ in zip(self.rows(), range(_ROWS))]
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(shown(value))}</td>" for value in row.values()) + "</tr>"
            for row in first
        )
        more = f"<p>{rows} rows in all</p>" if rows > _ROWS else ""
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def _column(values: list[Any]) -> Column:
    numbers = [value for value in values if value is not None]
    if not numbers or any(isinstance(v, bool) or not isinstance(v, (int, float)) for v in numbers):
        return values
    if len(numbers) == len(values) and all(isinstance(value, int) for value in numbers):
        return array("q", values)
    return array("d", [float("nan") if value is None else value for value in values])
