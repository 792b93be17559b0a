"""Tables of the program: measures, runs, statistics."""

from __future__ import annotations

import os
from array import array
from collections.abc import Mapping, Sequence
from typing import Any, cast

from . import _reprsim
from ._errors import InputError
from ._table import Column, Table
from ._types import PathLike


def measures() -> Table:
    """The similarity measures and what is known of each: range, invariances, chance level, source.

    Examples
    --------
    >>> import reprsim
    >>> "cka_linear_debiased" in reprsim.measures()["name"]
    True
    """
    return Table.of_json(_reprsim.measures())


def read(run: PathLike) -> Table:
    """The table of a run: a row a cell, probe, pair of layers and measure.

    Parameters
    ----------
    run
        The directory that ``reprsim run`` wrote. Its finished cells are read, whether or not the others
        are done.

    Returns
    -------
    Table
        The columns of ``results.csv``, with overlaps and roles (``docs/analysis.md``).

    Raises
    ------
    FileError
        If it is no run, or none of its cells is finished.

    Examples
    --------
    Where ``run`` is a directory like ``"runs/quick"``:

    >>> import reprsim
    >>> table = reprsim.read(run)
    >>> sorted(set(table["role"]))
    ['level', 'untrained']
    >>> table.to_pandas().shape == table.shape
    True
    """
    columns: dict[str, Column] = {}
    for name, kind, values in _reprsim.run(os.fspath(run)):
        if kind == "text":
            columns[name] = cast("list[Any]", values)
        else:
            numbers: Any = array(kind)
            numbers.frombytes(cast(bytes, values))
            columns[name] = numbers
    return Table(columns)


def analyze(
    table: Mapping[str, Any] | PathLike | Any,
    *,
    x: str | Sequence[str],
    y: str | Sequence[str],
    group: str | Sequence[str] = (),
    where: Mapping[str, object] | None = None,
    cluster: str | None = None,
    covariate: str | Sequence[str] = (),
    missing: float | Sequence[float] = (),
    permutations: int = 999,
    seed: int = 0,
) -> Table:
    """The statistics of similarity on overlap, of any tidy table, as ``reprsim analyze``.

    Parameters
    ----------
    table
        A row a point: a mapping of names to columns (:func:`reprsim.read` gives one), a table of pandas
        or polars, or the path of a CSV file.
    x
        The column of the overlap; several are a factorial design.
    y
        The columns of similarity, each analysed alone.
    group
        Columns whose values are analysed apart, such as the measure.
    where
        Takes only rows with these values, by column.
    cluster
        The column of what points share, such as the seed.
    covariate
        Columns to hold fixed, such as accuracy.
    missing
        Numbers that stand for a missing value.
    permutations, seed
        Of the tests that permute.

    Returns
    -------
    Table
        A row a group, ``y`` and term: slope, errors, interval, p, randomisation test, share of the
        variance, mutual information (``docs/analysis.md``).

    Raises
    ------
    InputError
        A column that there is not, or a value that is no number.

    Notes
    -----
    Ctrl-C ends the call after two seconds at most; what is being computed is not told to stop and goes on
    in the background until its permutations are done or Python ends.

    Examples
    --------
    >>> import reprsim
    >>> points = {"overlap": [0, 0, 0.5, 0.5, 1, 1], "cka": [0.11, 0.1, 0.32, 0.3, 0.5, 0.52]}
    >>> found = reprsim.analyze(points, x="overlap", y="cka")
    >>> round(found["slope"][0], 3)
    0.405
    """
    if isinstance(table, (str, os.PathLike)):
        given: Any = os.fspath(cast("str | os.PathLike[str]", table))
    else:
        given = _columns(table)
    options = {
        "x": _listed(x),
        "y": _listed(y),
        "group": _listed(group),
        "where": [(name, _text(value)) for name, value in (where or {}).items()],
        "cluster": cluster,
        "covariate": _listed(covariate),
        "missing": [missing] if isinstance(missing, (int, float)) else list(missing),
        "permutations": permutations,
        "seed": seed,
    }
    return Table.of_json(_reprsim.analyze(given, options))


def _listed(names: str | Sequence[str]) -> list[str]:
    return [names] if isinstance(names, str) else list(names)


def _columns(table: Any) -> list[tuple[str, list[str]]]:
    if hasattr(table, "to_dict") and hasattr(table, "columns"):
        # Of pandas as of polars: columns by name, each of which gives its values.
        table = {str(name): table[name] for name in table.columns}
    if not isinstance(table, Mapping):
        raise InputError(f"{type(table).__name__} is no table: give a mapping of names to columns")
    columns: list[tuple[str, list[str]]] = []
    for name, values in table.items():
        for listing in ("to_list", "tolist"):
            if hasattr(values, listing):
                values = getattr(values, listing)()
                break
        columns.append((str(name), [_text(value) for value in values]))
    return columns


def _text(value: object) -> str:
    """A value as a CSV file has it: missing ones are empty, numbers have all their digits."""
    if value is None or value != value:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float):
        return repr(float(value))
    return str(value)
