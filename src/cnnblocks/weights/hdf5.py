"""HDF5 files, walked once from the root with nothing trusted."""

import math
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from cnnblocks.weights.errors import WeightFileError, reading
from cnnblocks.weights.hdf5_text import TextReader
from cnnblocks.weights.values import RawValues, Reader, decode, descriptor_reader, reader_of

_MAX_DEPTH = 64
_MAX_ATTRIBUTE_BYTES = 64 << 20
_BOMB_FLOOR = 64 << 20
_MAX_EXPANSION = 1000
# HDF5 unpacks a whole chunk for any part of it, so this much is read at once to meet each once.
_BAND_BYTES = 64 << 20
# Filters that are compiled into HDF5 or h5py; any other would load a plug-in library.
_OWN_FILTERS = {1, 2, 3, 4, 5, 6, 32000}
_SIMPLE_TYPES = (h5py.h5t.TypeStringID, h5py.h5t.TypeIntegerID, h5py.h5t.TypeFloatID)
_TWO_BYTES = np.dtype("V2")
_NUMERIC_KINDS = "fiub"


@dataclass(frozen=True)
class Dataset:
    """One array of numbers in an HDF5 file.

    Attributes:
        path: from the root, without the leading slash.
        shape: its shape.
        dtype: its dtype by name, bfloat16 among them.
        values: how to read it.
    """

    path: str
    shape: tuple[int, ...]
    dtype: str
    values: Any


class Hdf5File:
    """An HDF5 file and all that is in it, without the values.

    Every link is looked at before it is followed: soft and external links, cycles, references,
    variable-length and virtual data, filters that need a plug-in, and sizes that the file cannot
    hold are refused.

    Attributes:
        datasets: the arrays of numbers, by path.
        groups: the groups, by path; the root's is empty.
        skipped: the paths of arrays of anything else.

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
        self.groups: dict[str, h5py.h5g.GroupID] = {}
        self.skipped: list[str] = []
        self._seen: set[int] = set()
        with ExitStack() as opened, self.guard():
            self._size = path.stat().st_size if size is None else size
            # Without locks a file that a training process holds open can be read too.
            self._file = opened.enter_context(
                h5py.File(path, "r", locking=False) if stream is None else h5py.File(stream, "r")
            )
            self._reader = reader or self._own_reader(opened)
            base = self._file.id.get_create_plist().get_userblock()
            self._texts = TextReader(self._reader, base, self._size)
            root = h5py.h5g.open(self._file.id, b"/")
            self._headers = {"": h5py.h5o.get_info(root).addr}
            self._ancestors = [self._headers[""]]
            self.groups[""] = root
            self._walk(root, "", 0)
            self._closing = opened.pop_all()

    def close(self) -> None:
        self._closing.close()

    def _own_reader(self, opened: ExitStack) -> Reader:
        if hasattr(os, "preadv"):
            return descriptor_reader(self._file.id.get_vfd_handle)
        return reader_of(opened.enter_context(self.path.open("rb")))

    def guard(self) -> AbstractContextManager[None]:
        """Turn whatever goes wrong inside a `with` into a `WeightFileError` of this file."""
        return reading(self.path)

    def fail(self, reason: str) -> WeightFileError:
        return WeightFileError(self.path, reason)

    # Walking.

    def _walk(self, group: h5py.h5g.GroupID, prefix: str, depth: int) -> None:
        if depth > _MAX_DEPTH:
            raise self.fail(f"refused: groups nested deeper than {_MAX_DEPTH} at '{prefix}'.")
        links: list[tuple[bytes, int, int]] = []
        # The same object tells of every link in turn.
        group.links.iterate(lambda name, i: links.append((name, i.type, i.u)), info=True)
        for raw, kind, header in links:
            path = f"{prefix}{self._name(raw, prefix)}"
            if kind != h5py.h5l.TYPE_HARD:
                raise self.fail(f"refused: '{path}' is a soft or external link.")
            child = h5py.h5o.open(group, raw)
            if isinstance(child, h5py.h5d.DatasetID):
                self._add_dataset(child, path, header)
            elif isinstance(child, h5py.h5g.GroupID):
                self._add_group(child, path, header, depth)
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

    def _add_group(self, group: h5py.h5g.GroupID, path: str, header: int, depth: int) -> None:
        if header in self._ancestors:
            raise self.fail(f"refused: '{path}' is a link back to a group that holds it.")
        if header in self._seen:
            return
        self._seen.add(header)
        self.groups[path] = group
        self._headers[path] = header
        self._ancestors.append(header)
        self._walk(group, f"{path}/", depth + 1)
        self._ancestors.pop()

    def _add_dataset(self, dataset: h5py.h5d.DatasetID, path: str, header: int) -> None:
        raw = self._raw_dtype(dataset, path)
        dtype = self._dtype(raw, header)
        shape = dataset.shape
        if dtype is None or shape is None:
            self.skipped.append(path)
            return
        layout = dataset.get_create_plist()
        kind = layout.get_layout()
        offset = dataset.get_offset() if kind == h5py.h5d.CONTIGUOUS else None
        nbytes = math.prod(shape) * raw.itemsize
        self._check_layout(dataset, path, layout, kind, offset, nbytes)
        values: Any = Hdf5Values(self, dataset, shape, raw, dtype)
        if offset is not None:
            straight = RawValues(self._reader, offset, shape, raw, dtype)
            values = _Guarded(self, straight, values)
        self.datasets[path] = Dataset(path, shape, dtype, values)

    def _raw_dtype(self, dataset: h5py.h5d.DatasetID, path: str) -> np.dtype:
        """Return the dtype as it lies in the file."""
        kind = dataset.get_type()
        if isinstance(kind, h5py.h5t.TypeVlenID) or _is_variable(kind):
            raise self.fail(f"refused: '{path}' holds values of variable length.")
        if isinstance(kind, h5py.h5t.TypeReferenceID) or (dtype := kind.dtype).hasobject:
            raise self.fail(f"refused: '{path}' holds references or objects.")
        return dtype

    def _dtype(self, raw: np.dtype, header: int) -> str | None:
        """Return the dtype by name, `None` if it is not one of numbers."""
        if raw == _TWO_BYTES and self._texts.texts(header).get("dtype") == ["bfloat16"]:
            return "bfloat16"
        if raw.kind in _NUMERIC_KINDS and raw.itemsize <= 8 and raw.subdtype is None:
            return raw.name
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
        """Return the attributes of a group: numbers, text, and lists of them.

        Others, such as references, are left out.

        Args:
            path: the group; the root by default.

        Raises:
            WeightFileError: one is broken or far too large.
        """
        with self.guard():
            target = self.groups[path]
            texts = self._texts.texts(self._headers[path])
            found: dict[str, Any] = {
                name: values if len(values) != 1 else values[0] for name, values in texts.items()
            }
            if h5py.h5a.get_num_attrs(target) > len(texts):
                found |= self._other_attributes(target, path)
            for name in found:
                self._name(name.encode(), path)
            return found

    def written(self, group: str) -> tuple[int, int] | None:
        """Return what grows with the time at which a group's `name` was written, if it has one."""
        with self.guard():
            return self._texts.place(self._headers[group], "name")

    def _other_attributes(self, target: h5py.h5g.GroupID, path: str) -> dict[str, Any]:
        found = {}
        for number in range(h5py.h5a.get_num_attrs(target)):
            attribute = h5py.h5a.open(target, index=number)
            kind = attribute.get_type()
            if isinstance(kind, _SIMPLE_TYPES) and not _is_variable(kind):
                found[attribute.name.decode()] = self._attribute(attribute, path)
        return found

    def _attribute(self, attribute: h5py.h5a.AttrID, path: str) -> Any:
        nbytes = math.prod(attribute.shape or ()) * attribute.get_type().get_size()
        if nbytes > _MAX_ATTRIBUTE_BYTES:
            raise self.fail(f"refused: an attribute of '{path}' is far too large.")
        value = np.empty(attribute.shape or (), attribute.dtype)
        if value.size:
            attribute.read(value)
        return _plain(value if attribute.shape else value[()])


def _is_variable(kind: h5py.h5t.TypeID) -> bool:
    return isinstance(kind, h5py.h5t.TypeStringID) and kind.is_variable_str()


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return [_plain(item) for item in value.ravel()]
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, np.generic):
        return _plain(value.item())
    return value


class Hdf5Values:
    """Values that HDF5 itself has to unpack: chunked, compressed, compact."""

    def __init__(
        self,
        file: Hdf5File,
        dataset: h5py.h5d.DatasetID,
        shape: tuple[int, ...],
        raw: np.dtype,
        dtype: str,
    ) -> None:
        self._file = file
        self._dataset = dataset
        self._shape = shape
        self._itemsize = raw.itemsize
        self._dtype = dtype

    def slabs(self, buffer: np.ndarray) -> Iterator[np.ndarray]:
        limit = max(1, buffer.nbytes // self._itemsize)
        for selection in self._bands(limit):
            band = self.read(selection).ravel()
            for start in range(0, band.size, limit):
                yield band[start : start + limit]

    def _bands(self, limit: int) -> Iterator[tuple[slice, ...]]:
        """Yield selections of whole chunks, as far as they fit into `_BAND_BYTES`."""
        with self._file.guard():
            chunk = h5py.Dataset(self._dataset).chunks
        if chunk is None or not all(self._shape):
            yield from blocks(self._shape, limit, (1,) * len(self._shape))
            return
        chunk = tuple(map(min, chunk, self._shape))
        rows = chunk[0] * math.prod(self._shape[1:])
        band = min(rows, _BAND_BYTES // self._itemsize)
        yield from blocks(self._shape, max(limit, band, math.prod(chunk)), chunk)

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


def blocks(
    shape: tuple[int, ...], limit: int, chunk: tuple[int, ...]
) -> Iterator[tuple[slice, ...]]:
    """Yield selections that cover `shape` in C order, each of at most `limit` values.

    They end where chunks of the shape `chunk` do, if that many values are allowed.
    """
    if math.prod(shape) <= limit:
        yield tuple(slice(0, size) for size in shape)
        return
    row = math.prod(shape[1:])
    if row <= limit:
        step = limit // row
        step -= step % chunk[0] if step > chunk[0] else 0
        for start in range(0, shape[0], step):
            yield (
                slice(start, min(start + step, shape[0])),
                *(slice(0, size) for size in shape[1:]),
            )
        return
    for index in range(shape[0]):
        for rest in blocks(shape[1:], limit, chunk[1:]):
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
