"""HDF5 files, walked once from the root with nothing trusted."""

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from cnnblocks.errors import CnnblocksError
from cnnblocks.weights.errors import WeightFileError
from cnnblocks.weights.values import RawValues, Reader, decode, descriptor_reader

_MAX_DEPTH = 64
_MAX_ATTRIBUTE_BYTES = 64 << 20
_BOMB_FLOOR = 64 << 20
_MAX_EXPANSION = 1000
# Filters that are compiled into HDF5 or h5py; any other would load a plug-in library.
_OWN_FILTERS = {1, 2, 3, 4, 5, 6, 32000}
_NUMERIC_KINDS = "fiub"
# What h5py, HDF5 and NumPy raise for damaged files.
_READING_ERRORS = (
    ArithmeticError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)


@dataclass(frozen=True)
class Dataset:
    """One array of numbers in an HDF5 file.

    Attributes:
        path: from the root, without the leading slash.
        shape: its shape.
        dtype: its dtype by name, bfloat16 among them.
        order: grows with the place of its values in the file, the order they were written in.
        values: how to read it.
    """

    path: str
    shape: tuple[int, ...]
    dtype: str
    order: int
    values: Any


class Hdf5File:
    """An HDF5 file and all that is in it, without the values.

    Every link is looked at before it is followed: soft and external links, cycles, references,
    variable-length and virtual data, filters that need a plug-in, and sizes that the file cannot
    hold are refused.

    Args:
        path: for messages, and the file to open unless `stream` is given.
        stream: a seekable binary file that holds the HDF5 file from its first byte.
        reader: reads bytes of the HDF5 file by offset; needed with `stream`.
        size: how many bytes the HDF5 file has; needed with `stream`.

    Raises:
        WeightFileError: the file is broken, or asks for something refused.
    """

    def __init__(
        self,
        path: Path,
        stream: Any = None,
        reader: Reader | None = None,
        size: int | None = None,
    ) -> None:
        self.path = path
        self.datasets: dict[str, Dataset] = {}
        self.groups: list[str] = []
        self.skipped: list[str] = []
        self._reader = reader
        with self.guard():
            # Without locks a file that a training process holds open can be read too.
            self._file = (
                h5py.File(path, "r", locking=False) if stream is None else h5py.File(stream, "r")
            )
        try:
            with self.guard():
                if stream is None:
                    self._own_reader()
                self._size = size if size is not None else path.stat().st_size
                root = self._file["/"].id
                self._ancestors = [_address(root)]
                self._seen = {_address(root)}
                self._walk(root, "", 0)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._file.close()

    def _own_reader(self) -> None:
        if hasattr(os, "preadv"):
            self._reader = descriptor_reader(self._file.id.get_vfd_handle())

    def guard(self) -> "_Guard":
        """Turn whatever h5py raises inside a `with` into a one-line `WeightFileError`."""
        return _Guard(self.path)

    def fail(self, reason: str) -> WeightFileError:
        return WeightFileError(self.path, reason)

    # Walking.

    def _walk(self, group: h5py.h5g.GroupID, prefix: str, depth: int) -> None:
        if depth > _MAX_DEPTH:
            raise self.fail(f"refused: groups nested deeper than {_MAX_DEPTH} at '{prefix}'.")
        for raw in group:
            name = self._name(raw, prefix)
            path = f"{prefix}{name}"
            if group.links.get_info(raw).type != h5py.h5l.TYPE_HARD:
                raise self.fail(f"refused: '{path}' is a soft or external link.")
            child = h5py.h5o.open(group, raw)
            if isinstance(child, h5py.h5d.DatasetID):
                self._add_dataset(child, path)
            elif isinstance(child, h5py.h5g.GroupID):
                self._add_group(child, path, depth)
            else:
                raise self.fail(f"refused: '{path}' is neither a group nor an array.")

    def _name(self, raw: bytes, prefix: str) -> str:
        try:
            name = raw.decode("utf-8")
        except UnicodeDecodeError:
            raise self.fail(f"refused: a name in '{prefix}' is not UTF-8: {raw!r}.") from None
        if not name.isprintable() or name in (".", "..") or "\\" in name:
            raise self.fail(f"refused: the name {name!r} in '{prefix}' could mislead a program.")
        return name

    def _add_group(self, group: h5py.h5g.GroupID, path: str, depth: int) -> None:
        address = _address(group)
        if address in self._ancestors:
            raise self.fail(f"refused: '{path}' is a link back to a group that holds it.")
        if address in self._seen:
            return
        self._seen.add(address)
        self.groups.append(path)
        self._ancestors.append(address)
        self._walk(group, f"{path}/", depth + 1)
        self._ancestors.pop()

    def _add_dataset(self, dataset: h5py.h5d.DatasetID, path: str) -> None:
        dtype = self._dtype(dataset, path)
        if dtype is None:
            self.skipped.append(path)
            return
        raw = dataset.dtype
        shape = dataset.shape
        if shape is None:
            self.skipped.append(path)
            return
        layout = dataset.get_create_plist()
        kind = layout.get_layout()
        offset = dataset.get_offset() if kind == h5py.h5d.CONTIGUOUS else None
        nbytes = math.prod(shape) * raw.itemsize
        self._check_layout(dataset, path, layout, kind, offset, nbytes)
        values: Any = Hdf5Values(self, dataset, shape, dtype)
        if offset is not None and self._reader is not None:
            straight = RawValues(self._reader, offset, shape, raw, dtype)
            values = _Guarded(self, straight, values)
        order = offset if offset is not None else self._size + len(self.datasets)
        self.datasets[path] = Dataset(path, shape, dtype, order, values)

    def _dtype(self, dataset: h5py.h5d.DatasetID, path: str) -> str | None:
        kind = dataset.get_type()
        if isinstance(kind, h5py.h5t.TypeVlenID) or (
            isinstance(kind, h5py.h5t.TypeStringID) and kind.is_variable_str()
        ):
            raise self.fail(f"refused: '{path}' holds values of variable length.")
        if isinstance(kind, h5py.h5t.TypeReferenceID) or kind.dtype.hasobject:
            raise self.fail(f"refused: '{path}' holds references or objects.")
        dtype = kind.dtype
        if dtype == np.dtype("V2") and self._attribute(dataset, "dtype", path) == "bfloat16":
            return "bfloat16"
        if dtype.kind in _NUMERIC_KINDS and dtype.itemsize <= 8 and dtype.subdtype is None:
            return dtype.name
        return None

    def _check_layout(
        self,
        dataset: h5py.h5d.DatasetID,
        path: str,
        layout: h5py.h5p.PropDCID,
        kind: int,
        offset: int | None,
        nbytes: int,
    ) -> None:
        if kind == h5py.h5d.VIRTUAL or layout.get_external_count():
            raise self.fail(f"refused: the values of '{path}' lie in another file.")
        if offset is not None:
            if offset + nbytes > self._size:
                raise self.fail(
                    f"'{path}' lies beyond the end of the file; was it cut short while copying, "
                    "or is it still being written?"
                )
            return
        stored = dataset.get_storage_size()
        if nbytes > _BOMB_FLOOR and nbytes > _MAX_EXPANSION * stored:
            raise self.fail(
                f"refused: '{path}' claims {nbytes:,} bytes, and the file stores {stored:,} for it."
            )
        if kind == h5py.h5d.CHUNKED:
            self._check_chunks(dataset, path, layout, nbytes)

    def _check_chunks(
        self, dataset: h5py.h5d.DatasetID, path: str, layout: h5py.h5p.PropDCID, nbytes: int
    ) -> None:
        chunk = math.prod(layout.get_chunk()) * dataset.dtype.itemsize
        if chunk > max(nbytes, _BOMB_FLOOR):
            raise self.fail(f"refused: '{path}' is stored in pieces of {chunk:,} bytes.")
        for number in range(layout.get_nfilters()):
            code = layout.get_filter(number)[0]
            if code not in _OWN_FILTERS:
                raise self.fail(
                    f"'{path}' is packed with HDF5 filter {code}, which needs a plug-in; "
                    "repack the file with gzip (h5repack -f GZIP=4)."
                )

    # Attributes.

    def attributes(self, path: str = "") -> dict[str, Any]:
        """Return the attributes of a group or dataset: text as `str`, lists of text as lists.

        Args:
            path: where; the root by default.

        Raises:
            WeightFileError: one is broken, far too large, or of a type that files have no use for.
        """
        with self.guard():
            target = self._file[path or "/"].id
            names = [
                h5py.h5a.open(target, index=i).name for i in range(h5py.h5a.get_num_attrs(target))
            ]
            return {
                self._name(name, path): self._attribute(target, name.decode(), path)
                for name in names
            }

    def _attribute(self, target: h5py.h5g.GroupID, name: str, path: str) -> Any:
        if not h5py.h5a.exists(target, name.encode()):
            return None
        attribute = h5py.h5a.open(target, name.encode())
        nbytes = math.prod(attribute.shape or ()) * attribute.get_type().get_size()
        if nbytes > _MAX_ATTRIBUTE_BYTES:
            raise self.fail(f"refused: the attribute '{name}' of '{path}' is far too large.")
        owner = h5py.Group if isinstance(target, h5py.h5g.GroupID) else h5py.Dataset
        return _plain(owner(target).attrs[name])


def _address(identifier: h5py.h5g.GroupID) -> tuple[int, int]:
    info = h5py.h5o.get_info(identifier)
    return info.fileno, info.addr


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return [_plain(item) for item in value.ravel()]
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, np.generic):
        return _plain(value.item())
    return value


class _Guard:
    """Names the file in whatever goes wrong while reading it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        if isinstance(error, _READING_ERRORS) and not isinstance(error, CnnblocksError):
            raise WeightFileError(self._path, _reason(error)) from error


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, FileNotFoundError):
        return "there is no such file."
    if isinstance(error, PermissionError):
        return "no permission to read it."
    if "truncated file" in text:
        return f"the file was cut short, or is still being written ({text})."
    if "already open for write" in text:
        return f"a program is writing it, or died while doing so ({text})."
    if "signature not found" in text:
        return "not an HDF5 file, or its beginning is damaged."
    return f"damaged: {text}."


class Hdf5Values:
    """Values that HDF5 itself has to unpack: chunked, compressed, compact."""

    def __init__(
        self,
        file: Hdf5File,
        dataset: h5py.h5d.DatasetID,
        shape: tuple[int, ...],
        dtype: str,
    ) -> None:
        self._file = file
        self._dataset = dataset
        self._shape = shape
        self._dtype = dtype

    def slabs(self, buffer: np.ndarray) -> Iterator[np.ndarray]:
        itemsize = self._dataset.dtype.itemsize
        for selection in blocks(self._shape, max(1, buffer.nbytes // itemsize)):
            yield self.read(selection).ravel()

    def read(self, selection: tuple[Any, ...]) -> np.ndarray:
        """Read with steps forwards, as HDF5 does, then turn round the axes that go backwards."""
        forward = tuple(_forward(item, size) for item, size in zip(selection, self._shape))
        with self._file.guard():
            raw = np.asarray(h5py.Dataset(self._dataset)[forward])
        turned = tuple(
            slice(None, None, -1 if (item.step or 1) < 0 else 1)
            for item in selection
            if isinstance(item, slice)
        )
        values = decode(np.ascontiguousarray(raw).ravel(), self._dtype).reshape(raw.shape)
        return values[turned]


def _forward(item: int | slice, size: int) -> int | slice:
    if isinstance(item, int):
        return item
    indices = range(size)[item]
    if not indices:
        return slice(0, 0)
    low, high = min(indices[0], indices[-1]), max(indices[0], indices[-1])
    return slice(low, high + 1, abs(indices.step))


def blocks(shape: tuple[int, ...], limit: int) -> Iterator[tuple[slice, ...]]:
    """Yield selections that cover `shape` in C order, each of at most `limit` values."""
    if math.prod(shape) <= limit:
        yield tuple(slice(0, size) for size in shape)
        return
    row = math.prod(shape[1:])
    if row <= limit:
        step = limit // row
        for start in range(0, shape[0], step):
            yield (
                slice(start, min(start + step, shape[0])),
                *(slice(0, size) for size in shape[1:]),
            )
        return
    for index in range(shape[0]):
        for rest in blocks(shape[1:], limit):
            yield (slice(index, index + 1), *rest)


class _Guarded:
    """Whole tensors straight from the file, slices through HDF5, errors named."""

    def __init__(self, file: Hdf5File, raw: RawValues, packed: Hdf5Values) -> None:
        self._file = file
        self._raw = raw
        self._packed = packed

    def slabs(self, buffer: np.ndarray) -> Iterator[np.ndarray]:
        with self._file.guard():
            yield from self._raw.slabs(buffer)

    def read(self, selection: tuple[Any, ...]) -> np.ndarray:
        if all(item == slice(None) for item in selection):
            with self._file.guard():
                return self._raw.read(selection)
        return self._packed.read(selection)
