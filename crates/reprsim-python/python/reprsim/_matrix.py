"""Models compared each with each."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, Union, overload

from . import _reprsim
from ._errors import InputError, UndefinedError
from ._question import Names, Options, Pool, model, preparation, question
from ._result import Result, Results, to_pandas, to_polars
from ._types import ArrayLike, Layers, PathLike

if TYPE_CHECKING:
    import pandas
    import polars
    from typing_extensions import Unpack

#: Models by name: an array each, or all layers of one, of which one stands for it.
Models: TypeAlias = Mapping[str, Union[ArrayLike, Layers]]


class _Options(Options, total=False):
    """The options of :func:`matrix`."""

    layer: str | Mapping[str, str] | None
    ids: Mapping[str, Iterable[Hashable]] | None


@overload
def matrix(models: Models, measure: str = ..., **options: Unpack[_Options]) -> Matrix: ...
@overload
def matrix(models: Models, measure: Names, **options: Unpack[_Options]) -> dict[str, Matrix]: ...
def matrix(
    models: Models,
    measure: str | Names = "cka_linear_debiased",
    *,
    layer: str | Mapping[str, str] | None = None,
    null: int = 200,
    groups: Iterable[Hashable] | None = None,
    permute: Literal["whole", "within"] = "whole",
    ids: Mapping[str, Iterable[Hashable]] | None = None,
    pool: Pool | None = None,
    axes: str | Sequence[str] = (),
    mask: Any = None,
    bootstrap: int = 0,
    k: int = 10,
    mode: Literal["exact", "paper"] = "exact",
    device: str = "cpu",
    seed: int = 0,
) -> Matrix | dict[str, Matrix]:
    """How alike models are, each with each, in one pass: what a model needs is computed once.

    Parameters
    ----------
    models
        By name: arrays ``[samples, dimensions]``, row i being the same sample in all of them; or mappings
        of layers, or paths of files, of which one layer stands for the model.
    measure
        A name of :func:`reprsim.measures`, or a list of them.
    layer
        Which layer stands for a model of several, for all or by the models' names; ``penultimate`` if
        there is one, else the last, where it is not said.
    ids
        Which samples the rows are, by the models' names: rows are matched by them.
    mask
        Of padded tokens, which are real: one for all models, or a mapping by their names.
    null, groups, permute, pool, axes, bootstrap, k, mode, device, seed
        As of :func:`reprsim.compare`.

    Returns
    -------
    Matrix
        Of one measure; of several a mapping of their names to matrices.

    Raises
    ------
    InputError, FileError, MemoryLimitError
        As :func:`reprsim.compare`.

    Notes
    -----
    ``q`` are the p-values of all pairs of different models by Benjamini and Hochberg (1995).

    Examples
    --------
    >>> import random, reprsim
    >>> def made(seed):
    ...     draw = random.Random(seed).gauss
    ...     return [[draw(0, 1) for _ in range(4)] for _ in range(30)]
    >>> one = made(0)
    >>> found = reprsim.matrix({"a": one, "b": made(1), "c": [row[::-1] for row in one]}, null=99)
    >>> round(found.values[0][2], 6), found.p[0][2]
    (1.0, 0.01)
    >>> found.cluster().order
    ['a', 'c', 'b']
    """
    unknown = [name for given in (ids, layer) if isinstance(given, Mapping) for name in given if name not in models]
    if unknown:
        raise InputError(f"no model is called '{unknown[0]}'; there are: {', '.join(models)}")
    given = [
        model(
            name,
            values,
            None if ids is None else ids.get(name),
            mask.get(name) if isinstance(mask, Mapping) else mask,
            _read(layer.get(name) if isinstance(layer, Mapping) else layer),
        )
        for name, values in models.items()
    ]
    asked = question(
        measure,
        null=null,
        permute=permute,
        bootstrap=bootstrap,
        k=k,
        mode=mode,
        device=device,
        seed=seed,
    )
    found = _reprsim.matrix(given, preparation(pool, axes, groups, ids is not None), asked)
    matrices = {row["measure"]: Matrix(list(models), row) for row in found}
    single = isinstance(measure, str) and measure != "all"
    return next(iter(matrices.values())) if single else matrices


def _read(layer: str | None) -> list[str] | None:
    return None if layer is None else [layer]


@dataclass(frozen=True)
class Clustering:
    """A tree of models by average linkage (UPGMA): how far each pair falls short of the largest value."""

    #: The models as leaves, from one end of the tree to the other.
    order: list[str]
    #: The joins from the nearest, as SciPy's ``linkage`` has them: two clusters (a model by its place, or,
    #: from the number of models on, that of an earlier join), how far they are, and models in both.
    merges: list[tuple[int, int, float, int]]


class Picture:
    """A picture, which Jupyter shows."""

    def __init__(self, svg: str) -> None:
        #: The picture as SVG.
        self.svg = svg

    def _repr_svg_(self) -> str:
        return self.svg

    def _repr_html_(self) -> str:
        return self.svg

    def save(self, path: PathLike) -> None:
        """Writes it to an ``.svg`` file."""
        if Path(path).suffix != ".svg":
            raise InputError(f"{path}: its ending must be .svg")
        Path(path).write_text(self.svg)


class Matrix:
    """How alike models are, each with each, by one measure; made by :func:`matrix`."""

    def __init__(self, models: list[str], found: Mapping[str, Any]) -> None:
        #: The models by name, in order.
        self.models = models
        #: The measure's name.
        self.measure: str = found["measure"]
        #: Whether swapping two models leaves the value.
        self.symmetric: bool = found["symmetric"]
        rows = [{name: value for name, value in row.items() if name != "scope"} for row in found["cells"]]
        self._cells = [Result(**row) for row in rows]
        self._q: list[float | None] = found["q"]
        self._found = found

    def _square(self, values: Sequence[float | None]) -> list[list[float | None]]:
        count = len(self.models)
        return [list(values[at : at + count]) for at in range(0, count * count, count)]

    @property
    def values(self) -> list[list[float | None]]:
        """The values: row i, column j is model i with model j; ``None`` where there is none."""
        return self._square([cell.value for cell in self._cells])

    @property
    def p(self) -> list[list[float | None]]:
        """The p-values, of models with themselves too, which are no tests."""
        return self._square([cell.p for cell in self._cells])

    @property
    def q(self) -> list[list[float | None]]:
        """The p-values of all pairs of different models by Benjamini and Hochberg; ``None`` on the diagonal."""
        return self._square(self._q)

    def __getitem__(self, pair: tuple[str, str]) -> Result:
        """What is known of two models: ``matrix["a", "b"]``."""
        for name in pair:
            if name not in self.models:
                raise KeyError(f"no model '{name}'; there are: {', '.join(self.models)}")
        a, b = (self.models.index(name) for name in pair)
        return self._cells[a * len(self.models) + b]

    def _tests(self) -> list[int]:
        count = len(self.models)
        pairs = [(i, j) for i in range(count) for j in range(count)]
        return [i * count + j for i, j in pairs if i < j or (i > j and not self.symmetric)]

    def to_dict(self) -> dict[str, list[Any]]:
        """Columns by name, a row a pair of different models, with its ``q``."""
        tests = self._tests()
        columns = Results([self._cells[at] for at in tests]).to_dict()
        return {**columns, "q": [self._q[at] for at in tests]}

    def to_pandas(self) -> pandas.DataFrame:
        """The same as a table of pandas, which has to be installed."""
        return to_pandas(self.to_dict())

    def to_polars(self) -> polars.DataFrame:
        """The same as a table of polars, which has to be installed."""
        return to_polars(self.to_dict())

    def cluster(self) -> Clustering:
        """A tree of the models.

        Raises
        ------
        UndefinedError
            If a pair has no value, or the measure no largest one to take distances from.
        """
        if self._found["order"] is None:
            raise UndefinedError(f"no tree: {self._found['why']}")
        order = [self.models[at] for at in self._found["order"]]
        return Clustering(order, list(self._found["merges"]))

    def plot(self) -> Picture:
        """A heatmap with the tree beside it; pairs whose q is above 0.05 are marked."""
        return Picture(self._found["svg"])

    def _repr_html_(self) -> str:
        return self.plot().svg

    def __repr__(self) -> str:
        return f"<Matrix of {len(self.models)} models by {self.measure}: {', '.join(self.models)}>"
