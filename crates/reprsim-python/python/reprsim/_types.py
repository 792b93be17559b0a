"""What functions take, in types."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias, Union


class SupportsDLPack(Protocol):
    """An array of any library that speaks DLPack: numpy, PyTorch, JAX, CuPy, ..."""

    def __dlpack__(self, *args: Any, **kwargs: Any) -> Any: ...


class SupportsArray(Protocol):
    """What numpy's ``asarray`` reads: a layer of a file, a data set of HDF5."""

    def __array__(self, *args: Any, **kwargs: Any) -> Any: ...


class SupportsToNumpy(Protocol):
    """A table of pandas or polars, all of whose columns are numbers."""

    def to_numpy(self, *args: Any, **kwargs: Any) -> Any: ...


#: ``[samples, dimensions]``, or more axes with ``pool``: an array of any library, a table of numbers,
#: a buffer, or lists of numbers.
ArrayLike: TypeAlias = Union[
    SupportsDLPack,
    SupportsArray,
    SupportsToNumpy,
    memoryview,
    Sequence[Sequence[float]],
    Sequence[float],
]

#: A path of a ``.safetensors``, ``.npz`` or ``.npy`` file of activations.
PathLike: TypeAlias = Union[str, "os.PathLike[str]"]

#: All layers of a model: arrays by name, or a file.
Layers: TypeAlias = Union[Mapping[str, ArrayLike], PathLike]
