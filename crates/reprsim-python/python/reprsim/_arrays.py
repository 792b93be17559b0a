"""Arrays of any library as the extension borrows them."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Sequence
from typing import Any

from ._errors import InputError
from ._reprsim import Array

#: Kinds of numbers by numpy's letters, and by those of buffers.
_KINDS = {"f": "float", "i": "int", "u": "uint"}
_BUFFERS = {**dict.fromkeys("efd", "float"), **dict.fromkeys("bhilq", "int"), **dict.fromkeys("BHILQ", "uint")}
#: The processor, and its memory that a GPU reads too, by DLPack.
_HOST = (1, 3, 11)


def as_array(values: Any) -> Array:
    """Borrows an array, without a copy where its library lends it and it is on the processor.

    PyTorch's tensors leave their graph, and those of a GPU are copied to the processor.
    """
    if isinstance(values, Array):
        return values
    interface = getattr(values, "__array_interface__", None)
    if interface is not None:
        return _of_numpy(values, interface)
    if hasattr(values, "detach"):
        values = _of_torch(values)
    if hasattr(values, "__dlpack__"):
        return _of_dlpack(values)
    if hasattr(values, "to_numpy"):
        return as_array(values.to_numpy())
    if isinstance(values, (str, bytes)):
        raise InputError(f"{type(values).__name__} where an array is needed")
    if hasattr(values, "__array__"):
        # A layer of a file, a data set of HDF5: read whole.
        whole = _numpy().asarray(values)
        return _of_numpy(whole, whole.__array_interface__)
    try:
        buffer = memoryview(values)
    except TypeError:
        if isinstance(values, Sequence):
            return _of_lists(values)
    else:
        return _of_buffer(buffer)
    raise InputError(
        f"{type(values).__module__}.{type(values).__name__} is no array: give a numpy array, a tensor, "
        "anything with __dlpack__, a buffer, or lists of numbers"
    )


def _of_numpy(values: Any, interface: dict[str, Any]) -> Array:
    if hasattr(values, "filled"):
        raise InputError("a masked array: leave its masked samples out, or fill them")
    if not _is_numpy(values):
        values = _interfaced(values, interface)
        interface = values.__array_interface__
    kind: str = interface["typestr"]
    if kind[0] == ">":
        values = values.astype(values.dtype.newbyteorder("<"))
        return _of_numpy(values, values.__array_interface__)
    if kind[1] == "b":
        # Truth values are bytes.
        return Array.of_interface(values, interface, "uint8")
    if kind[1] in _KINDS:
        return Array.of_interface(values, interface, f"{_KINDS[kind[1]]}{8 * int(kind[2:])}")
    return Array.of_interface(values, interface, str(getattr(values, "dtype", kind)))


def _is_numpy(values: Any) -> bool:
    """Whether it is an array of numpy, which is not imported where it was not."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(values, numpy.ndarray)


def _numpy() -> Any:
    try:
        import numpy
    except ImportError as error:
        raise InputError("to read this kind of array numpy is needed: pip install numpy") from error
    return numpy


class _Said:
    """An object and what it said by numpy's array interface, which is another thing the next time; either
    may be what keeps the memory."""

    def __init__(self, values: Any, interface: dict[str, Any]) -> None:
        self.values = values
        self.__array_interface__ = interface


def _interfaced(values: Any, interface: dict[str, Any]) -> Any:
    """Any other object with the array interface, as numpy reads it: an image of Pillow gives bytes."""
    try:
        return _numpy().asarray(_Said(values, interface))
    except (TypeError, ValueError) as error:
        kind = f"{type(values).__module__}.{type(values).__name__}"
        raise InputError(f"{kind} does not lend its values: {error}") from error


def _of_torch(values: Any) -> Any:
    values = values.detach()
    if getattr(values, "is_sparse", False):
        raise InputError("a sparse tensor: call to_dense() first")
    if str(getattr(values, "device", "cpu")) != "cpu":
        values = values.cpu()
    return values.resolve_neg() if getattr(values, "is_neg", bool)() else values


def _of_dlpack(values: Any) -> Array:
    try:
        device, _ = values.__dlpack_device__()
        if device in _HOST:
            try:
                # Before the first version, what may not be written could not be lent.
                capsule = values.__dlpack__(max_version=(1, 0))
            except TypeError:
                capsule = values.__dlpack__()
        else:
            capsule = values.__dlpack__(max_version=(1, 0), dl_device=(1, 0), copy=True)
    except (BufferError, RuntimeError, TypeError, ValueError) as error:
        kind = f"{type(values).__module__}.{type(values).__name__}"
        raise InputError(f"{kind} does not lend its values: {error}") from error
    return Array.of_dlpack(capsule)


def _of_buffer(buffer: memoryview) -> Array:
    kind = _BUFFERS.get(buffer.format.lstrip("@=<"))
    if kind is None:
        raise InputError(f"a buffer of format '{buffer.format}', which is not one of numbers")
    return Array.of_bytes(buffer.tobytes(), f"{kind}{8 * buffer.itemsize}", list(buffer.shape or ()))


def _of_lists(values: Sequence[Any]) -> Array:
    try:
        if len(values) > 0 and not hasattr(values[0], "__len__"):
            numbers = array("d", values)
            return Array.of_bytes(numbers.tobytes(), "float64", [len(values)])
        numbers = array("d", (value for row in values for value in row))
        widths = {len(row) for row in values}
    except TypeError as error:
        raise InputError(f"lists that hold something other than rows of numbers: {error}") from error
    if len(widths) > 1:
        raise InputError(f"rows of different lengths: {min(widths)} to {max(widths)}")
    shape = [len(values), widths.pop() if widths else 0]
    return Array.of_bytes(numbers.tobytes(), "float64", shape)


def as_mask(values: Any) -> tuple[list[bool], tuple[int, int]]:
    """A mask ``[samples, tokens]``, 1 for a real token, 0 for padding."""
    rows: list[list[Any]] = values.tolist() if hasattr(values, "tolist") else [list(r) for r in values]
    if not rows or not all(isinstance(row, list) for row in rows):
        raise InputError("a mask has shape [samples, tokens]")
    if len({len(row) for row in rows}) != 1:
        raise InputError("rows of a mask of different lengths")
    flat = [value for row in rows for value in row]
    if any(value not in (0, 1) for value in flat):
        raise InputError("a mask holds 1 for a real token and 0 for padding alone")
    return [bool(value) for value in flat], (len(rows), len(rows[0]))
