"""Models and a question as the extension takes them."""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, Literal, TypeAlias, TypedDict, cast

from . import _reprsim
from ._activations import Activations
from ._arrays import as_array, as_mask
from ._errors import InputError

Pool: TypeAlias = Literal["mean", "max", "first", "last", "flatten"]
#: Several measures.
Names: TypeAlias = "list[str] | tuple[str, ...]"


class Options(TypedDict, total=False):
    """What :func:`compare` and :func:`matrix` are both told."""

    null: int
    groups: Iterable[Hashable] | None
    permute: Literal["whole", "within"]
    pool: Pool | None
    axes: str | Sequence[str]
    mask: Any
    bootstrap: int
    k: int
    mode: Literal["exact", "paper"]
    device: str
    seed: int


def is_layers(values: object) -> bool:
    """Whether it is all layers of a model, not one array."""
    return isinstance(values, (str, os.PathLike, Mapping))


def model(
    name: str, values: Any, ids: Iterable[Hashable] | None, mask: Any, read: list[str] | None = None
) -> dict[str, Any]:
    """A model: its layers, of which those of ``read`` are read, and what is said of them."""
    if ids is None and isinstance(values, Mapping):
        # As a capture has them.
        ids = cast("Iterable[Hashable] | None", getattr(cast(Any, values), "sample_ids", None))
    layers: Any
    if isinstance(values, Activations):
        values, ids = values.path, ids or None
    if isinstance(values, (str, os.PathLike)):
        layers = os.fspath(cast("str | os.PathLike[str]", values))
    elif isinstance(values, Mapping):
        layers = [(str(key), named(str(key), value)) for key, value in values.items()]
    else:
        layers = [(name, named(name, values))]
    return {
        "name": name,
        "layers": layers,
        "read": read,
        "ids": None if ids is None else labels(ids),
        "mask": None if mask is None else as_mask(mask),
    }


def preparation(
    pool: str | None, axes: str | Sequence[str], groups: Iterable[Hashable] | None, align: bool
) -> dict[str, Any]:
    """What becomes of arrays and rows."""
    return {
        "pool": pool,
        "axes": [axes] if isinstance(axes, str) else list(axes),
        "groups": None if groups is None else labels(groups),
        "align": align,
    }


def question(
    measure: str | Names,
    *,
    null: int,
    permute: str,
    bootstrap: int,
    k: int,
    mode: str,
    device: str,
    seed: int,
    leverage: bool = False,
    same_name: bool = False,
) -> dict[str, Any]:
    """What is asked of models."""
    names = [measure] if isinstance(measure, str) else list(measure)
    if not names:
        raise InputError("no measure is named")
    return {
        "measures": names,
        "mode": mode,
        "k": counted("k", k),
        "null": counted("null", null),
        "within": choice("permute", permute, ("whole", "within")) == "within",
        "bootstrap": counted("bootstrap", bootstrap),
        "leverage": leverage,
        "same_name": same_name,
        "device": device,
        "seed": counted("seed", seed),
    }


def named(name: str, values: Any) -> _reprsim.Array:
    """An array; what is wrong with it is said with its name."""
    try:
        return as_array(values)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error


def labels(values: Iterable[Hashable]) -> list[int] | list[str]:
    """Whole numbers, or else texts."""
    listed = plain(values)
    if all(isinstance(label, int) for label in listed):
        return [int(label) for label in listed]
    return [str(label) for label in listed]


def codes(values: Iterable[Hashable] | None) -> list[int]:
    """A number for each different label; none without labels."""
    if values is None:
        return []
    known: dict[Hashable, int] = {}
    return [known.setdefault(label, len(known)) for label in plain(values)]


def plain(values: Iterable[Any]) -> Sequence[Any]:
    """Labels as values that are equal where they are: those of arrays and tensors are not."""
    return cast(Any, values).tolist() if hasattr(values, "tolist") else list(values)


def counted(name: str, value: int) -> int:
    """A number of things."""
    if value < 0:
        raise InputError(f"{name} = {value}: it is 0 or more")
    return value


def choice(name: str, value: str, known: tuple[str, ...]) -> str:
    """One of some words."""
    if value not in known:
        raise InputError(f"{name} = '{value}': it is {' or '.join(repr(k) for k in known)}")
    return value
