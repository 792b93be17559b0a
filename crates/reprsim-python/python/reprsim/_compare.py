"""How alike two sets of activations are."""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, cast, overload

from . import _reprsim
from ._errors import InputError
from ._question import Names, Options, Pool, choice, is_layers, model, preparation, question
from ._result import Result, Results
from ._types import ArrayLike, Layers

if TYPE_CHECKING:
    from typing_extensions import Unpack


class _Options(Options, total=False):
    """The options of :func:`compare`."""

    ids_x: Iterable[Hashable] | None
    ids_y: Iterable[Hashable] | None
    layers: Literal["all", "same"]
    leverage: bool
    covariate: ArrayLike | Layers | None


@overload
def compare(
    x: ArrayLike, y: ArrayLike, measure: str = ..., **options: Unpack[_Options]
) -> Result: ...
@overload
def compare(
    x: ArrayLike, y: ArrayLike, measure: Names, **options: Unpack[_Options]
) -> Results: ...
@overload
def compare(
    x: Layers, y: ArrayLike | Layers, measure: str | Names = ..., **options: Unpack[_Options]
) -> Results: ...
@overload
def compare(
    x: ArrayLike, y: Layers, measure: str | Names = ..., **options: Unpack[_Options]
) -> Results: ...
def compare(
    x: ArrayLike | Layers,
    y: ArrayLike | Layers,
    measure: str | Names = "cka_linear_debiased",
    *,
    null: int = 200,
    groups: Iterable[Hashable] | None = None,
    permute: Literal["whole", "within"] = "whole",
    ids_x: Iterable[Hashable] | None = None,
    ids_y: Iterable[Hashable] | None = None,
    pool: Pool | None = None,
    axes: str | Sequence[str] = (),
    mask: Any = None,
    bootstrap: int = 0,
    leverage: bool = False,
    covariate: ArrayLike | Layers | None = None,
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
        (numpy, PyTorch, JAX, ...; floating-point or whole numbers; not copied where they are on the
        processor), tables of numbers, lists of rows; or several layers: a mapping of names to arrays, or
        the path of a ``.safetensors``, ``.npz`` or ``.npy`` file, which is read by rows. Do not write to
        an array while it is compared.
    measure
        A name of :func:`reprsim.measures`, or a list of them; ``"all"`` for all of them.
    null
        Permutations of the samples that each value is tested against; 0: none.
    groups
        What each sample of ``x`` belongs to, a label a sample, where samples are not exchangeable.
    permute
        ``"whole"``: samples of a group depend on each other (views of one object, windows of one text);
        groups change places as a whole, each with those of its size, and half-samples take them whole.
        ``"within"``: samples change places inside their group alone (a class, a session).
    ids_x, ids_y
        Which samples the rows are, numbers or names: rows are matched by them, and what one of both lacks
        is left out, which the logger ``reprsim`` says.
    pool
        Of more than two axes: ``"mean"`` or ``"max"`` over the tokens of ``[samples, tokens, dimensions]``
        or the places of ``[samples, channels, height, width]``, the ``"first"`` or ``"last"`` token, or
        ``"flatten"``.
    axes
        Another order of axes, a letter each: ``"nhwc"`` of Keras and JAX, ``"ncl"`` of a one-dimensional
        convolution; several for arrays of several numbers of axes. Maps ``[samples, a, a, b]`` without it
        are told to the logger ``reprsim``: they look as if their channels were last.
    mask
        Of padded tokens, which are real: ``[samples, tokens]`` of 1 and 0, for both; or a pair of masks,
        a tuple, one of which may be ``None``. That of ``x`` is the covariate's, too, if it has tokens.
    bootstrap
        Half-samples drawn for a 95 % interval over samples; 0: none.
    leverage
        Whether to look for the sample that each linear CKA depends on most.
    covariate
        What is held fixed: one layer on the same samples, row i being row i of ``x``, whose similarities are
        taken off those of each layer (Cui et al. 2022); for measures that take one.
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
    sources: ``docs/measures.md`` of the project. Ctrl-C ends it. A process forked after the first call cannot
    compare, which is said: start processes of ``multiprocessing`` by ``"spawn"``.

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
    masks: tuple[Any, ...] = mask if isinstance(mask, tuple) else (mask, mask)
    if len(masks) != 2:
        raise InputError("two masks at most: one of x and one of y")
    names = [_name(values, name) for name, values in (("x", x), ("y", y))]
    models = [model(names[0], x, ids_x, masks[0]), model(names[1], y, ids_y, masks[1])]
    prepared = preparation(pool, axes, groups, ids_x is not None or ids_y is not None)
    asked = question(
        measure,
        null=null,
        permute=permute,
        bootstrap=bootstrap,
        k=k,
        mode=mode,
        device=device,
        seed=seed,
        leverage=leverage,
        same_name=choice("layers", layers, ("all", "same")) == "same",
    )
    held = None if covariate is None else model("covariate", covariate, ids_x, masks[0])
    found: dict[str, list[Result]] = {"pair": [], "maximum": []}
    for row in _reprsim.compare(models, held, prepared, asked):
        found[row.pop("scope")].append(Result(**row))
    single = isinstance(measure, str) and measure != "all" and not (is_layers(x) or is_layers(y))
    return found["pair"][0] if single else Results(found["pair"], found["maximum"])


def _name(values: object, name: str) -> str:
    """What a model is called: a file by its stem."""
    path = getattr(values, "path", values)
    if isinstance(path, (str, os.PathLike)):
        return os.path.splitext(os.path.basename(os.fspath(cast("str | os.PathLike[str]", path))))[0]
    return name
