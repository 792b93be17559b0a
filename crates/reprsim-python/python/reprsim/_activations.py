"""Files of activations."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

from . import _reprsim
from ._errors import ReprsimError
from ._types import PathLike

if TYPE_CHECKING:
    import numpy
    import numpy.typing

#: Elements that are read at once.
_AT_ONCE = 1 << 21


def activations(path: PathLike) -> Activations:
    """Opens a ``.safetensors``, ``.npz`` or ``.npy`` file of activations; rows are read when asked for.

    Raises
    ------
    FileError
        If it cannot be read, is damaged, or holds no layers.

    Examples
    --------
    >>> import numpy, os, tempfile, reprsim
    >>> path = os.path.join(tempfile.mkdtemp(), "a.npz")
    >>> numpy.savez(path, layer1=numpy.ones((9, 4)), layer2=numpy.ones((9, 3, 5, 5)))
    >>> layers = reprsim.activations(path)
    >>> {name: layer.shape for name, layer in layers.items()}
    {'layer1': (9, 4), 'layer2': (9, 3, 5, 5)}
    >>> numpy.asarray(layers["layer1"]).dtype, layers["layer2"].rows(2, 4).shape
    (dtype('float64'), (2, 3, 5, 5))
    """
    return Activations(path)


class LayerOfFile:
    """A layer in a file: numpy's ``asarray`` reads it whole, ``rows`` some of its samples."""

    def __init__(self, file: _reprsim.File, at: int, name: str, shape: list[int], dtype: str) -> None:
        self._file = file
        self._at = at
        #: Its name.
        self.name = name
        #: Its shape, samples first.
        self.shape = tuple(shape)
        #: The type of its elements in the file.
        self.dtype = dtype

    def rows(self, start: int, stop: int) -> memoryview:
        """Samples from ``start`` to before ``stop``, of float64, in the shape of the layer."""
        values = memoryview(self._file.read(self._at, start, stop))
        return cast(memoryview, values.cast("d", (stop - start, *self.shape[1:])))

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(
        self, dtype: numpy.typing.DTypeLike | None = None, copy: bool | None = None
    ) -> numpy.ndarray[Any, Any]:
        if copy is False:
            raise ValueError("what is in a file is read, which copies it")
        try:
            import numpy
        except ImportError as error:
            raise ReprsimError("numpy is not installed: pip install numpy") from error
        # Holds what the file holds exactly; whole numbers may stand for multiples of a scale.
        is_short = self.dtype in ("float16", "bfloat16", "float32")
        out = numpy.empty(self.shape, "f4" if is_short else "f8")
        step = max(1, _AT_ONCE // max(1, out[:1].size))
        for start in range(0, len(out), step):
            stop = min(start + step, len(out))
            out[start:stop] = self.rows(start, stop)
        return out if dtype is None else out.astype(dtype, copy=False)

    def __repr__(self) -> str:
        return f"<layer {self.name} {list(self.shape)} of {self.dtype}>"


class Activations(Mapping[str, LayerOfFile]):
    """The layers of a file by name, in the order of the file; :func:`reprsim.compare` takes it."""

    def __init__(self, path: PathLike) -> None:
        #: The file.
        self.path = os.fspath(path)
        file = _reprsim.File(self.path)
        self._layers = {
            name: LayerOfFile(file, at, name, shape, dtype)
            for at, (name, shape, dtype) in enumerate(file.layers)
        }
        #: The ids of the samples, if the file has numbers.
        self.sample_ids: list[int] | None = file.ids

    def __getitem__(self, name: str) -> LayerOfFile:
        return self._layers[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._layers)

    def __len__(self) -> int:
        return len(self._layers)

    def __repr__(self) -> str:
        layers = ", ".join(f"{name} {list(layer.shape)}" for name, layer in self.items())
        return f"<Activations {self.path}: {layers}>"
