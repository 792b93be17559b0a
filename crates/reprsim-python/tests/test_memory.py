"""Memory that other objects lend stays while it is read; every kind of array is accepted."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

import reprsim
from reprsim._arrays import as_array

RNG = np.random.default_rng(3)
X = RNG.normal(size=(60, 5)).astype("f4")


class Interface(dict[str, Any]):
    """An array interface that keeps its array, as a capsule does."""

    def __init__(self, of: np.ndarray[Any, Any]) -> None:
        super().__init__(of.__array_interface__)
        self.of = of


class Temporary:
    """Lends another array each time that it is asked."""

    def __init__(self) -> None:
        self.lent: list[weakref.ref[Interface]] = []

    @property
    def __array_interface__(self) -> Interface:
        interface = Interface(X.copy())
        self.lent.append(weakref.ref(interface))
        return interface


def test_what_an_object_said_is_kept() -> None:
    temporary = Temporary()
    lent = as_array(temporary)
    gc.collect()
    # It was asked once, and what it said then lives as long as what was made of it.
    assert [of() is not None for of in temporary.lent] == [True]
    assert float(reprsim.compare(lent, X, null=0)) == pytest.approx(1.0)  # type: ignore[arg-type]
    del lent
    gc.collect()
    assert temporary.lent[0]() is None


class Derived(np.ndarray[Any, Any]):
    """An array of numpy that says something of its own."""

    asked = 0

    @property
    def __array_interface__(self) -> Interface:  # type: ignore[override]
        Derived.asked += 1
        return Interface(X.copy())


def test_an_array_is_asked_once() -> None:
    derived = np.zeros((60, 5), "f4").view(Derived)
    Derived.asked = 0
    lent = as_array(derived)
    assert Derived.asked == 1 and lent.shape == [60, 5]
    assert float(reprsim.compare(lent, X, null=0)) == pytest.approx(1.0)  # type: ignore[arg-type]


def test_an_image_lends_bytes() -> None:
    image = pytest.importorskip("PIL.Image")
    pixels = RNG.integers(0, 255, (30, 20), "u1")
    lent = as_array(image.fromarray(pixels))
    assert (lent.shape, lent.dtype) == ([30, 20], "uint8")
    expected = reprsim.compare(pixels, X[:30], null=0).value
    assert reprsim.compare(image.fromarray(pixels), X[:30], null=0).value == expected

    class Wrong:
        __array_interface__ = {"version": 3, "shape": (3, 2), "typestr": "<f4", "data": None}

    with pytest.raises(reprsim.InputError):
        reprsim.compare(Wrong(), X)  # type: ignore[call-overload]


class OnlyArray:
    """As a data set of HDF5: no buffer, no interface."""

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        return X


def test_what_numpy_reads_is_an_array(tmp_path: Path) -> None:
    assert float(reprsim.compare(OnlyArray(), X, null=0)) == pytest.approx(1.0)
    save_file({"a": X, "b": np.ascontiguousarray(X[:, :2])}, tmp_path / "x.safetensors")
    layers = reprsim.activations(tmp_path / "x.safetensors")
    assert reprsim.compare(layers["b"], X, null=9) == reprsim.compare(X[:, :2], X, null=9)


def test_whole_numbers_of_a_file_keep_their_digits(tmp_path: Path) -> None:
    for kind, value in (("i4", 2**31 - 1), ("u4", 2**32 - 1), ("i8", 2**53 - 1), ("u2", 2**16 - 1)):
        numbers = np.full((4, 2), value, kind)
        np.save(tmp_path / "x.npy", numbers)
        (layer,) = reprsim.activations(tmp_path / "x.npy").values()
        assert (np.asarray(layer).astype(kind) == numbers).all(), kind
    np.save(tmp_path / "x.npy", X.astype("f2"))
    (layer,) = reprsim.activations(tmp_path / "x.npy").values()
    assert np.asarray(layer).dtype == np.float32
    # Multiples of a scale, which is in the file.
    scale = np.float32(0.1)
    save_file(
        {"q": np.arange(20, dtype="i1").reshape(10, 2), "q.scale": np.array([scale])},
        tmp_path / "q.safetensors",
    )
    quantized = np.asarray(reprsim.activations(tmp_path / "q.safetensors")["q"])
    assert quantized[1, 1] == 3 * np.float64(scale)
