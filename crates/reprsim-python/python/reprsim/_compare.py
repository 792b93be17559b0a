"""How alike two sets of activations are."""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict, cast, overload

from . import _reprsim
from ._activations import Activations
from ._arrays import as_array, as_mask
from ._errors import InputError
from ._result import Result, Results
from ._types import ArrayLike, Layers

if TYPE_CHECKING:
    from typing_extensions import Unpack

Pool: TypeAlias = Literal["mean", "max", "first", "last", "flatten"]
#: Several measures.
Names: TypeAlias = "list[str] | tuple[str, ...]"


class Options(TypedDict, total=False):
    """The options of :func:`compare`."""

    null: int
    groups: Iterable[Hashable] | None
    ids_x: Iterable[Hashable] | None
    ids_y: Iterable[Hashable] | None
    pool: Pool | None
    mask: Any
    bootstrap: int
    leverage: bool
    k: int
    mode: Literal["exact", "paper"]
    layers: Literal["all", "same"]
    device: str
    seed: int


@overload
def compare(
    x: ArrayLike, y: ArrayLike, measure: str = ..., **options: Unpack[Options]
) -> Result: ...
@overload
def compare(
    x: ArrayLike, y: ArrayLike, measure: Names, **options: Unpack[Options]
) -> Results: ...
@overload
def compare(
    x: Layers, y: ArrayLike | Layers, measure: str | Names = ..., **options: Unpack[Options]
) -> Results: ...
@overload
def compare(
    x: ArrayLike, y: Layers, measure: str | Names = ..., **options: Unpack[Options]
) -> Results: ...
def compare(
    x: ArrayLike | Layers,
    y: ArrayLike | Layers,
    measure: str | Names = "cka_linear_debiased",
    *,
    null: int = 200,
    groups: Iterable[Hashable] | None = None,
    ids_x: Iterable[Hashable] | None = None,
    ids_y: Iterable[Hashable] | None = None,
    pool: Pool | None = None,
    mask: Any = None,
    bootstrap: int = 0,
    leverage: bool = False,
    k: int = 10,
    mode: Literal["exact", "paper"] = "exact",
    layers: Literal["all", "same"] = "all",
    device: str = "cpu",
    seed: int = 0,
) -> Result | Results:
    """How alike two sets of activations of the same samples are.

    Parameters
    ----------
    x, y
        Activations ``[samples, dimensions]``, row i of both being the same sample: arrays of any library
        (numpy, PyTorch, JAX, ...; float16, bfloat16, float32 or float64; not copied where they are on the
        processor), tables of numbers, lists of rows; or several layers: a mapping of names to arrays, or
        the path of a ``.safetensors``, ``.npz`` or ``.npy`` file, which is read by rows. Do not write to
        an array while it is compared.
    measure
        A name of :func:`reprsim.measures`, or a list of them; ``"all"`` for all of them.
    null
        Permutations of the samples that each value is tested against; 0: none.
    groups
        What samples belong to where they are not independent of each other (views of one object, windows
        of one text): one label a sample. Permutations and half-samples then take groups whole; a group
        changes places with groups of its size alone.
    ids_x, ids_y
        Which samples the rows are, numbers or names: must agree where both are given.
    pool
        Of more than two axes: ``"mean"`` or ``"max"`` over the tokens of ``[samples, tokens, dimensions]``
        or the places of ``[samples, channels, height, width]``, the ``"first"`` or ``"last"`` token, or
        ``"flatten"``.
    mask
        Of padded tokens, which are real: ``[samples, tokens]`` of 1 and 0, for both; or a pair of masks,
        a tuple.
    bootstrap
        Half-samples drawn for a 95 % interval over samples; 0: none.
    leverage
        Whether to look for the sample that each linear CKA depends on most.
    k
        Neighbours of the measures that use them.
    mode
        ``"paper"`` for the published definitions of Li et al. (2025).
    layers
        Of several layers: ``"all"`` pairs, or those of the ``"same"`` name.
    device
        ``"cpu"``, ``"auto"``, or another of ``reprsim devices``.
    seed
        Draws the permutations and half-samples.

    Returns
    -------
    Result
        Of two arrays and one measure.
    Results
        Of several measures or layers, a sequence.

    Raises
    ------
    InputError
        Shapes that do not fit, an unknown name, a type that activations do not have.
    FileError
        A file that cannot be used.
    MemoryLimitError
        Where it needs more memory than may be used.

    Notes
    -----
    Degenerate activations are no error: the result's ``undefined`` says why it has no value. The same
    input gives the same digits on any number of threads, and those of ``reprsim compare``. Formulas and
    sources: ``docs/measures.md`` of the project. Ctrl-C ends it.

    Examples
    --------
    >>> import reprsim
    >>> x = [[0.1, 1.0], [0.7, -0.4], [-1.2, 0.3], [0.9, 0.8], [-0.5, -0.9], [0.2, -0.6]]
    >>> turned = [[-b, a] for a, b in x]
    >>> result = reprsim.compare(x, turned, null=99)
    >>> round(float(result), 6), result.n
    (1.0, 6)
    >>> [r.measure for r in reprsim.compare(x, turned, ["cka_linear_biased", "procrustes"], null=0)]
    ['cka_linear_biased', 'procrustes_similarity']
    """
    names = [measure] if isinstance(measure, str) else list(measure)
    if not names:
        raise InputError("no measure is named")
    masks: tuple[Any, Any] = cast(Any, mask) if isinstance(mask, tuple) else (mask, mask)
    if len(masks) != 2:
        raise InputError("two masks at most: one of x and one of y")
    ids = _ids(ids_x if ids_x is not None else _own_ids(x), ids_y if ids_y is not None else _own_ids(y))
    models = [_model("x", x, ids[0], masks[0]), _model("y", y, ids[1], masks[1])]
    asked = {
        "measures": names,
        "mode": mode,
        "k": counted("k", k),
        "null": counted("null", null),
        "null_stop": None,
        "blocks": codes(groups),
        "bootstrap": counted("bootstrap", bootstrap),
        "leverage": leverage,
        "same_name": choice("layers", layers, ("all", "same")) == "same",
        "pool": pool,
        "device": device,
        "seed": counted("seed", seed),
    }
    rows = _reprsim.compare(models, asked)
    found: dict[str, list[Result]] = {"pair": [], "maximum": []}
    for row in rows:
        found[row.pop("scope")].append(Result(**row))
    single = isinstance(measure, str) and measure != "all" and not (_is_layers(x) or _is_layers(y))
    return found["pair"][0] if single else Results(found["pair"], found["maximum"])


def _is_layers(values: object) -> bool:
    return isinstance(values, (str, os.PathLike, Mapping))


def _own_ids(values: object) -> Iterable[Hashable] | None:
    """The sample ids that a mapping of layers brings, as those of :func:`reprsim.capture`."""
    if isinstance(values, Mapping):
        return cast("Iterable[Hashable] | None", getattr(values, "sample_ids", None))
    return None


def _model(name: str, values: Any, ids: list[int] | None, mask: Any) -> tuple[Any, ...]:
    """A model as the extension takes it."""
    layers: Any
    if isinstance(values, Activations):
        values = values.path
    if isinstance(values, (str, os.PathLike)):
        layers = os.fspath(cast("str | os.PathLike[str]", values))
        name = os.path.splitext(os.path.basename(layers))[0]
    elif isinstance(values, Mapping):
        layers = [(str(key), named(str(key), value)) for key, value in cast(Any, values).items()]
    else:
        layers = [(name, named(name, values))]
    return name, layers, ids, None if mask is None else as_mask(mask)


def named(name: str, values: Any) -> _reprsim.Array:
    try:
        return as_array(values)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error


def codes(labels: Iterable[Hashable] | None) -> list[int]:
    """A number for each different label; none without labels."""
    if labels is None:
        return []
    known: dict[Hashable, int] = {}
    return [known.setdefault(label, len(known)) for label in plain(labels)]


def plain(labels: Iterable[Any]) -> Sequence[Any]:
    """Labels as values that are equal where they are: arrays and tensors have others."""
    return cast(Any, labels).tolist() if hasattr(labels, "tolist") else list(labels)


def _ids(
    x: Iterable[Hashable] | None, y: Iterable[Hashable] | None
) -> tuple[list[int] | None, list[int] | None]:
    """Ids as whole numbers: as they are, or, of names, those of all names in the order of x and y."""
    listed = [None if ids is None else plain(ids) for ids in (x, y)]
    every = [label for ids in listed for label in ids or ()]
    if all(isinstance(label, int) for label in every):
        return listed[0] and list(listed[0]), listed[1] and list(listed[1])  # type: ignore[return-value]
    known: dict[Hashable, int] = {}
    coded = [
        None if ids is None else [known.setdefault(label, len(known)) for label in ids] for ids in listed
    ]
    return coded[0], coded[1]


def counted(name: str, value: int) -> int:
    if value < 0:
        raise InputError(f"{name} = {value}: it is 0 or more")
    return value


def choice(name: str, value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise InputError(f"{name} = '{value}': it is {' or '.join(repr(k) for k in known)}")
    return value
