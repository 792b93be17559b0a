"""Activations of a PyTorch model's layers while it is used as always."""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import shutil
import tempfile
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias, Union, cast

from ._question import Pool, plain
from ._errors import InputError, ReprsimError
from ._reprsim import orders_of_axes
from ._types import PathLike

if TYPE_CHECKING:
    import torch

#: A layer's name, a pattern of names (``"blocks.*.attn"``, in which ``*`` stands for anything), or a
#: class of modules.
Layer: TypeAlias = Union[str, "type[torch.nn.Module]"]
#: How an output of more than two axes becomes ``[samples, dimensions]``.
Pooling: TypeAlias = Union[Pool, "Callable[[torch.Tensor], torch.Tensor]"]

_DTYPES = {"float16": "F16", "bfloat16": "BF16", "float32": "F32", "float64": "F64"}
#: Bytes copied at once from a spool to a file.
_AT_ONCE = 8 << 20


def capture(
    model: torch.nn.Module,
    layers: Layer | Sequence[Layer] = "*",
    *,
    pool: Pooling = "mean",
    axes: str | Sequence[str] = (),
    file: PathLike | None = None,
    memory: int = 1 << 30,
) -> Capture:
    """Keeps what a model's layers give while it is used inside a ``with`` block.

    Parameters
    ----------
    model
        Any ``torch.nn.Module``, in whatever mode it is (call ``eval()`` where dropout is not wanted).
    layers
        Names of its modules (``model.named_modules()``), patterns, classes, or a list of these; all
        modules if not given.
    pool
        ``"mean"`` or ``"max"`` over the tokens of ``[samples, tokens, dimensions]`` and the places of
        ``[samples, channels, height, width]``, the ``"first"`` or ``"last"`` token, ``"flatten"``, or a
        function of the output. Of tokens those that ``attention_mask`` says are real, where the model is
        called with one, or that :meth:`Capture.batch` is told.
    axes
        Another order of the axes of outputs, a letter each, samples first: ``"nhwc"`` where channels are
        last, as in Swin; ``"ncl"`` of a one-dimensional convolution; several for outputs of several
        numbers of axes. It holds for all outputs of as many axes: capture layers of another order (the
        convolution before a Swin's blocks) by themselves. Outputs ``[samples, a, a, b]`` are not pooled without it: they look as if their
        channels were last (``"nchw"`` says that they are not).
    file
        A ``.safetensors`` file to write to, which ``reprsim compare`` reads; rows go there as they come.
    memory
        Without a file, bytes that may be held; what is beyond goes to a temporary file that is removed
        with the capture.

    Returns
    -------
    Capture
        To be entered by ``with``; after it a mapping of names to tensors ``[samples, dimensions]`` on
        the processor.

    Notes
    -----
    The first axis of an output must be the samples of the batch that the model was called with. Outputs
    of named layers that are not are an error, those of patterns and classes are left out and listed in
    ``skipped``. Of an output of several tensors (a tuple, a mapping, a ``ModelOutput`` of transformers)
    each is a layer ``name[0]`` or ``name[key]``; a module's second call in a pass is ``name@2``. Whatever
    happens inside the block, the model has no hook after it.

    Examples
    --------
    >>> import reprsim, torch
    >>> model = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.Flatten()).eval()
    >>> loader = torch.arange(20).split(8)
    >>> with torch.no_grad(), reprsim.capture(model, ["0", torch.nn.ReLU]) as captured:
    ...     for ids in loader:
    ...         captured.batch(ids=ids)
    ...         _ = model(torch.randn(len(ids), 3, 16, 16))
    >>> captured
    <Capture of 2 layers: 0 [20, 8], 1 [20, 8]>
    >>> len(reprsim.compare(captured, captured, null=0))
    4
    """
    return Capture(model, layers, pool, axes, file, memory)


class Capture(Mapping[str, "torch.Tensor"]):
    """Layers of a model by name, filled inside a ``with`` block; made by :func:`capture`."""

    def __init__(
        self,
        model: torch.nn.Module,
        layers: Layer | Sequence[Layer],
        pool: Pooling,
        axes: str | Sequence[str],
        file: PathLike | None,
        memory: int,
    ) -> None:
        known = ("mean", "max", "first", "last", "flatten")
        if not callable(pool) and pool not in known:
            raise InputError(f"pool '{pool}': it is {', '.join(known)} or a function")
        self._model = model
        self._pool: Pooling = pool
        self._axes = _orders([axes] if isinstance(axes, str) else list(axes))
        self._modules = _chosen(model, [layers] if isinstance(layers, (str, type)) else list(layers))
        self._store = _Store(None if file is None else Path(file), memory)
        self._handles: list[Any] = []
        self._tensors: dict[str, torch.Tensor] = {}
        self._ids: list[Hashable] = []
        self._next_ids: list[Hashable] | None = None
        self._next_mask: torch.Tensor | None = None
        #: Why outputs that patterns and classes asked for were left out, by name.
        self.skipped: dict[str, str] = {}
        #: The ids of the rows, if batches had some; rows are then in the order of their ids.
        self.sample_ids: list[Hashable] | None = None
        self._pass: _Pass | None = None

    def batch(self, *, ids: Iterable[Hashable] | None = None, mask: Any = None) -> None:
        """Tells which samples the next pass is of.

        Parameters
        ----------
        ids
            Their ids, numbers or names, in any order: all batches have them, or none.
        mask
            Which tokens are real: a tensor or array ``[samples, tokens]`` of 1 and 0.
        """
        if ids is not None:
            self._next_ids = list(plain(ids))
        if mask is not None:
            import torch

            self._next_mask = torch.as_tensor(mask)

    def __enter__(self) -> Capture:
        if self._handles or self._store.closed:
            raise ReprsimError("a capture is entered once: make another")
        register = self._handles.append
        try:
            register(self._model.register_forward_pre_hook(self._begin, with_kwargs=True, prepend=True))
            for name, (module, is_named) in self._modules.items():
                register(module.register_forward_hook(self._hook(name, is_named)))
            # Also where the pass fails, which is then no batch.
            register(self._model.register_forward_hook(self._end, always_call=True))
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._remove()
        if kind is not None:
            self._store.discard()
            return
        try:
            order = self._order()
            self._tensors = self._store.finish(order, self.sample_ids, self._pool)
        except BaseException:
            self._store.discard()
            raise

    def _remove(self) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        self._pass = None

    def _begin(self, _module: Any, args: Any, kwargs: Any) -> None:
        """A pass begins: what is known of its samples."""
        mask, self._next_mask = self._next_mask, None
        if mask is None:
            mask = kwargs.get("attention_mask")
        ids, self._next_ids = self._next_ids, None
        first = next(_tensors("", (args, kwargs)), None)
        samples = None if first is None or first[1].ndim == 0 else int(first[1].shape[0])
        if ids is not None and samples is not None and len(ids) != samples:
            raise InputError(f"{len(ids)} ids of a batch of {samples} samples")
        self._pass = _Pass(samples, mask if mask is not None and mask.ndim == 2 else None, ids)

    def _end(self, _module: Any, _args: Any, output: Any) -> None:
        """A pass ends, or failed: without an output nothing of it is kept."""
        current, self._pass = self._pass, None
        if current is None or not current.rows or output is None:
            return
        count = len(next(iter(current.rows.values())))
        if (current.ids is None) != (not self._ids) and self._store.samples > 0:
            raise InputError("some batches have ids and others have not")
        self._ids.extend(current.ids or ())
        self._store.add(current.rows, count)

    def _hook(self, name: str, is_named: bool) -> Callable[[Any, Any, Any], None]:
        def hook(_module: Any, _args: Any, output: Any) -> None:
            current = self._pass
            if current is None:
                # A part of the model that was called by itself is no pass of it.
                return
            call = current.calls[name] = current.calls.get(name, 0) + 1
            called = name if call == 1 else f"{name}@{call}"
            for full, tensor in _named_tensors(called, output):
                reason = _unfit(tensor, current.samples) or self._ambiguous(tensor)
                if reason is None:
                    current.samples = int(tensor.shape[0])
                    current.rows[full] = self._rows(full, tensor.detach(), current.mask)
                elif is_named:
                    raise InputError(f"layer '{full}' {reason}")
                else:
                    self.skipped[full] = reason

        return hook

    def _rows(self, name: str, x: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        pool, axes = self._pool, self._axes.get(x.ndim)
        if callable(pool):
            rows = pool(x)
        elif axes is None or pool == "flatten":
            rows = _pooled(x, pool, mask)
        else:
            rows = _pooled_of(x, pool, mask, axes)
        if rows.ndim != 2 or rows.shape[0] != x.shape[0]:
            raise InputError(f"layer '{name}': pooling gave {list(rows.shape)} of {list(x.shape)}")
        # What comes next may change it in place.
        return rows.to("cpu", copy=True).contiguous()

    def _ambiguous(self, x: torch.Tensor) -> str | None:
        """Why the axes of an output are not known: maps of positions that hold channels have equal sides
        where these have them."""
        if self._pool not in ("mean", "max") or x.ndim != 4 or 4 in self._axes:
            return None
        _, h, w, c = x.shape
        if h != w or w == c or h == 1 or c == 1:
            return None
        return (
            f"gives {list(x.shape)}, which looks as if its channels were last: say axes=\"nhwc\", or "
            'axes="nchw" if they are not'
        )

    def _order(self) -> list[int] | None:
        """The places of rows in the order of their ids."""
        if not self._ids:
            return None
        try:
            order = sorted(range(len(self._ids)), key=lambda row: cast(Any, self._ids[row]))
        except TypeError as error:
            raise InputError("ids must be all numbers or all names") from error
        ids = [self._ids[row] for row in order]
        for id, following in zip(ids, ids[1:]):
            if id == following:
                raise InputError(f"sample {id!r} came twice")
        self.sample_ids = ids
        return order

    def __getitem__(self, name: str) -> torch.Tensor:
        return self._tensors[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    def __repr__(self) -> str:
        layers = ", ".join(f"{name} {list(tensor.shape)}" for name, tensor in self.items())
        return f"<Capture of {len(self)} layers: {layers}>"

    def save(self, path: PathLike) -> None:
        """Writes the layers and the ids to a ``.safetensors`` file, which ``reprsim compare`` reads."""
        layers = {name: list(tensor.shape) for name, tensor in self._tensors.items()}
        dtypes = {name: _dtype(tensor) for name, tensor in self._tensors.items()}
        with _whole(Path(path)) as out:
            out.write(_header(layers, dtypes, self.sample_ids, self._pool))
            for tensor in self._tensors.values():
                out.write(_bytes(tensor))
            out.write(_id_bytes(self.sample_ids))


class _Pass:
    """A forward pass of the model."""

    def __init__(
        self, samples: int | None, mask: torch.Tensor | None, ids: list[Hashable] | None
    ) -> None:
        self.samples = samples
        self.mask = mask
        self.ids = ids
        self.calls: dict[str, int] = {}
        self.rows: dict[str, torch.Tensor] = {}


def _chosen(
    model: torch.nn.Module, layers: Sequence[Layer]
) -> dict[str, tuple[torch.nn.Module, bool]]:
    """The modules that are asked for, in the order of the model, and whether by their names."""
    modules = {name: module for name, module in model.named_modules() if name}
    asked: dict[str, bool] = {}
    for layer in layers:
        if isinstance(layer, str) and layer in modules:
            asked[layer] = True
            continue
        if isinstance(layer, str):
            found = [name for name in modules if fnmatchcase(name, layer)]
        else:
            found = [name for name, module in modules.items() if isinstance(module, layer)]
        if not found:
            near = get_close_matches(str(layer), modules, 1)
            hint = f" (did you mean '{near[0]}'?)" if near else ""
            raise InputError(f"the model has no module {layer!r}{hint}; see model.named_modules()")
        for name in found:
            asked.setdefault(name, False)
    return {name: (modules[name], asked[name]) for name in modules if name in asked}


def _tensors(name: str, value: Any) -> Iterator[tuple[str, torch.Tensor]]:
    """The tensors in an output, with their names, which no module has: ``stage[0]`` is not ``stage.0``."""
    import torch

    if isinstance(value, torch.Tensor):
        yield name, value
        return
    parts: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, Mapping):
        parts = value.items()
    elif isinstance(value, (tuple, list)):
        parts = enumerate(cast("Sequence[Any]", value))
    for key, part in parts:
        yield from _tensors(f"{name}[{key}]", part)


def _named_tensors(name: str, output: Any) -> list[tuple[str, torch.Tensor]]:
    """Those that can be activations; one alone has the name of the layer."""
    found = [(full, x) for full, x in _tensors(name, output) if x.is_floating_point()]
    return [(name, found[0][1])] if len(found) == 1 else found


def _unfit(x: torch.Tensor, samples: int | None) -> str | None:
    """Why an output has no row a sample."""
    shape = list(x.shape)
    if not shape:
        return "gives a number, no row a sample"
    if samples is not None and shape[0] != samples:
        return f"gives {shape} of a batch of {samples} samples: its first axis is not theirs"
    if 0 in shape:
        return f"gives {shape}, which holds nothing"
    return None


def _pooled(x: torch.Tensor, pool: str, mask: torch.Tensor | None) -> torch.Tensor:
    if x.ndim <= 2:
        return x.reshape(x.shape[0], -1)
    if pool == "flatten":
        return x.flatten(1)
    if x.ndim == 3:
        real = None
        if mask is not None and mask.shape == x.shape[:2]:
            real = mask.to(x.device) != 0
        return _over_tokens(x, pool, real)
    if pool in ("first", "last"):
        raise InputError(f"{list(x.shape)} is read as [samples, channels, ...], which has no {pool} token")
    places = x.flatten(2)
    if pool == "max":
        return places.amax(2)
    return x.mean(tuple(range(2, x.ndim)), dtype=_sum_dtype(x))


def _orders(axes: list[str]) -> dict[int, str]:
    """Orders of axes by how many there are."""
    known = {len(order): order for order in orders_of_axes(axes)}
    for order in known.values():
        if order[0] != "n" or "c" not in order:
            raise InputError(f"axes '{order}': outputs have their samples (n) first, and channels (c)")
    return known


def _pooled_of(x: torch.Tensor, pool: str, mask: torch.Tensor | None, axes: str) -> torch.Tensor:
    """Pools an output of named axes."""
    channels = axes.index("c")
    if axes[1:].replace("c", "") == "t":
        # A mask is one of tokens in their order.
        return _pooled(x.movedim(channels, 2), pool, mask)
    if x.ndim > 2 and pool in ("first", "last"):
        raise InputError(f"{list(x.shape)} is read as {axes}, which has no {pool} token")
    maps = x.movedim(channels, 1)
    return _pooled(maps.unsqueeze(3) if maps.ndim == 3 else maps, pool, None)


def _over_tokens(x: torch.Tensor, pool: str, real: torch.Tensor | None) -> torch.Tensor:
    import torch

    if real is not None and not bool(real.any(1).all()):
        raise InputError("a sample has no real token: there is nothing to pool")
    if pool == "mean":
        if real is None:
            return x.mean(1, dtype=_sum_dtype(x))
        weights = real.unsqueeze(2).to(_sum_dtype(x))
        # What padding holds may be no number.
        kept = x.to(weights.dtype).masked_fill(weights == 0, 0.0)
        return kept.sum(1) / weights.sum(1)
    if pool == "max":
        return (x if real is None else x.masked_fill(~real.unsqueeze(2), float("-inf"))).amax(1)
    if real is None:
        return x[:, 0 if pool == "first" else -1]
    places = torch.arange(x.shape[1], device=x.device).expand_as(real)
    if pool == "first":
        at = places.masked_fill(~real, x.shape[1]).amin(1)
    else:
        at = places.masked_fill(~real, -1).amax(1)
    return x[torch.arange(x.shape[0], device=x.device), at]


def _sum_dtype(x: torch.Tensor) -> torch.dtype:
    """Sums of 16-bit numbers need 32."""
    import torch

    return torch.float32 if x.element_size() < 4 else x.dtype


def _dtype(tensor: torch.Tensor) -> str:
    name = str(tensor.dtype).removeprefix("torch.")
    if name not in _DTYPES:
        raise InputError(f"a layer of {name}: activations are {', '.join(_DTYPES)}")
    return _DTYPES[name]


def _bytes(tensor: torch.Tensor) -> memoryview:
    import torch

    lent: Any = tensor.contiguous().view(torch.uint8).numpy()
    return memoryview(lent).cast("B")


def _header(
    layers: Mapping[str, list[int]],
    dtypes: Mapping[str, str],
    ids: Sequence[Hashable] | None,
    pool: Pooling,
) -> bytes:
    """The beginning of a safetensors file of these layers, one after the other."""
    metadata = {"layers": ",".join(layers), "pooling": "function" if callable(pool) else pool}
    entries: dict[str, Any] = {}
    end = 0
    sizes = {"F16": 2, "BF16": 2, "F32": 4, "F64": 8}
    for name, shape in layers.items():
        size = shape[0] * shape[1] * sizes[dtypes[name]]
        entries[name] = {"dtype": dtypes[name], "shape": shape, "data_offsets": [end, end + size]}
        end += size
    if ids is not None and _are_numbers(ids):
        size = 8 * len(ids)
        entries["sample_ids"] = {
            "dtype": "I64",
            "shape": [len(ids)],
            "data_offsets": [end, end + size],
        }
    elif ids is not None:
        named = "\n".join(str(id) for id in ids)
        metadata["sample_ids_sha256"] = hashlib.sha256(named.encode()).hexdigest()
    text = json.dumps({"__metadata__": metadata, **entries}).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def _are_numbers(ids: Sequence[Hashable]) -> bool:
    return all(isinstance(id, int) for id in ids)


def _id_bytes(ids: Sequence[Hashable] | None) -> bytes:
    if ids is None or not _are_numbers(ids):
        return b""
    return b"".join(cast(int, id).to_bytes(8, "little", signed=True) for id in ids)


class _whole:
    """A file that is there with all its content, or not at all."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> BinaryIO:
        descriptor, self._partial = tempfile.mkstemp(
            prefix=f".{self._path.name}.", dir=self._path.parent or "."
        )
        self._out = os.fdopen(descriptor, "wb")
        return self._out

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._out.close()
        if kind is None:
            os.replace(self._partial, self._path)
        else:
            os.unlink(self._partial)


class _Store:
    """Rows of layers as they come: in memory, or in a file each."""

    def __init__(self, file: Path | None, memory: int) -> None:
        if file is not None and file.suffix != ".safetensors":
            raise InputError(f"{file}: its ending must be .safetensors")
        self._file = file
        self._memory = memory
        self._held: dict[str, list[torch.Tensor]] = {}
        self._bytes = 0
        self._spools: dict[str, BinaryIO] = {}
        self._kinds: dict[str, tuple[int, str]] = {}
        self._folder: Path | None = None
        self.samples = 0
        self.closed = False

    def add(self, rows: dict[str, torch.Tensor], count: int) -> None:
        """The rows of a batch, the same layers in each."""
        kinds = {name: (int(x.shape[1]), _dtype(x)) for name, x in rows.items()}
        if self.samples > 0 and kinds != self._kinds:
            for name in [*self._kinds, *kinds]:
                before, now = self._kinds.get(name), kinds.get(name)
                if before != now:
                    raise InputError(f"layer '{name}' was {before} and is {now}: [dimensions, type]")
        self._kinds = kinds
        self.samples += count
        for name, x in rows.items():
            if self._folder is None:
                self._held.setdefault(name, []).append(x)
                self._bytes += x.numel() * x.element_size()
            else:
                self._spools[name].write(_bytes(x))
        if self._folder is None and (self._file is not None or self._bytes > self._memory):
            self._spill()

    def _spill(self) -> None:
        """What is held goes to files, and what comes from now on."""
        beside = None if self._file is None else self._file.parent
        self._folder = Path(tempfile.mkdtemp(prefix=".reprsim-capture.", dir=beside))
        for at, (name, parts) in enumerate(self._held.items()):
            spool = self._spools[name] = (self._folder / str(at)).open("w+b")
            for part in parts:
                spool.write(_bytes(part))
        self._held = {}

    def finish(
        self, order: list[int] | None, ids: Sequence[Hashable] | None, pool: Pooling
    ) -> dict[str, torch.Tensor]:
        """All layers, their rows in this order."""
        import torch

        self.closed = True
        if self._folder is None:
            whole = {name: torch.cat(parts) for name, parts in self._held.items()}
            self._held = {}
            if order is None:
                return whole
            return {name: x[torch.tensor(order)] for name, x in whole.items()}
        file = self._file or self._folder / "activations.safetensors"
        shapes = {name: [self.samples, width] for name, (width, _) in self._kinds.items()}
        header = _header(shapes, {name: dtype for name, (_, dtype) in self._kinds.items()}, ids, pool)
        with _whole(file) as out:
            out.write(header)
            for name, (width, dtype) in self._kinds.items():
                spool = self._spools[name]
                spool.flush()
                row = width * {"F16": 2, "BF16": 2, "F32": 4, "F64": 8}[dtype]
                for part in _in_order(spool, row, order):
                    out.write(part)
            out.write(_id_bytes(ids))
        for spool in self._spools.values():
            spool.close()
        self._spools = {}
        tensors = _mapped(file, len(header), shapes, {name: kind[1] for name, kind in self._kinds.items()})
        # A mapped file needs no name.
        self.discard()
        return tensors

    def discard(self) -> None:
        """Removes what was spooled."""
        self.closed = True
        for spool in self._spools.values():
            spool.close()
        self._spools, self._held = {}, {}
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None


def _in_order(spool: BinaryIO, row: int, order: list[int] | None) -> Iterator[bytes]:
    """The rows of a spool in another order, some at a time."""
    spool.seek(0)
    if order is None:
        while part := spool.read(_AT_ONCE):
            yield part
        return
    at_once = max(1, _AT_ONCE // row)
    with mmap.mmap(spool.fileno(), 0, access=mmap.ACCESS_READ) as rows:
        for start in range(0, len(order), at_once):
            yield b"".join(rows[at * row : (at + 1) * row] for at in order[start : start + at_once])


def _mapped(
    file: Path, start: int, shapes: Mapping[str, list[int]], dtypes: Mapping[str, str]
) -> dict[str, torch.Tensor]:
    """The layers of a file, one after the other, read when they are looked at."""
    import torch

    types = {short: getattr(torch, name) for name, short in _DTYPES.items()}
    tensors: dict[str, torch.Tensor] = {}
    with file.open("rb") as opened:
        # Copied on write: whoever changes a tensor does not change the file.
        lent = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_COPY)
    for name, shape in shapes.items():
        dtype = types[dtypes[name]]
        count = shape[0] * shape[1]
        tensors[name] = torch.frombuffer(lent, dtype=dtype, count=count, offset=start).reshape(shape)
        start += count * dtype.itemsize
    return tensors
