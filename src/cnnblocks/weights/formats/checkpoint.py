"""TensorFlow checkpoints: `name.index` and `name.data-00000-of-00001`, or a SavedModel's variables.

Keys tell the attributes that lead to a variable (`layer_with_weights-0/kernel`); the saved graph
of objects tells the variables' names (`conv2d/kernel`) and the order of the layers.
"""

import math
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Lock
from typing import IO, Any

import numpy as np

from cnnblocks.weights.errors import WeightFileError, reading
from cnnblocks.weights.formats.tensor_bundle import (
    DTYPES,
    STRING,
    BundleError,
    Entry,
    Node,
    read_graph,
    read_index,
    read_strings,
)
from cnnblocks.weights.naming import (
    axes_of,
    drop_model_name,
    group_layers,
    known_kind,
    natural,
    role_of,
    trainable_of,
)
from cnnblocks.weights.table import Tensor, WeightTable
from cnnblocks.weights.values import RawValues, Reader, reader_of

_MAX_INDEX_BYTES = 256 << 20
_MAX_GRAPH_BYTES = 64 << 20
_MAX_SHARDS = 1000
_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
_VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
_DATA = re.compile(r"(.+)\.data-\d{5}-of-\d{5}")
_LATEST = re.compile(r'^model_checkpoint_path: "([^"\n]+)"', re.MULTILINE)
_TF1_SLOT = re.compile(r".*/(Adam(_1)?|Momentum|RMSProp(_1)?|Adagrad|ExponentialMovingAverage)")


def find_prefix(path: Path) -> Path | None:
    """Return the prefix of the checkpoint that a path means, `None` if it means none.

    Args:
        path: a prefix, an index, a data file, a directory with a checkpoint in it, a SavedModel,
            or the file `checkpoint` that names the latest.

    Raises:
        WeightFileError: the directory has several checkpoints and nothing tells which.
    """
    if path.name.endswith(".index") and path.is_file():
        return path.with_name(path.name.removesuffix(".index"))
    data = _DATA.fullmatch(path.name)
    if data and _index(path.with_name(data[1])).is_file():
        return path.with_name(data[1])
    if path.name and not path.is_file() and _index(path).is_file():
        return path
    if path.is_dir():
        return _prefix_in(path)
    if path.name == "checkpoint" and path.is_file():
        return _latest(path)
    return None


def _index(prefix: Path) -> Path:
    return prefix.with_name(f"{prefix.name}.index")


def _prefix_in(directory: Path) -> Path | None:
    latest = _latest(directory / "checkpoint")
    if latest is not None:
        return latest
    for place in (directory, directory / "variables"):
        found = sorted(place.glob("*.index"))
        if len(found) > 1:
            names = ", ".join(file.name.removesuffix(".index") for file in found[:8])
            raise WeightFileError(directory, f"several checkpoints; name one of them: {names}.")
        if found:
            return found[0].with_name(found[0].name.removesuffix(".index"))
    return None


def _latest(file: Path) -> Path | None:
    """Return what a `checkpoint` file names, if it lies beside it: nothing else is read."""
    if not file.is_file() or file.stat().st_size > 1 << 20:
        return None
    match = _LATEST.search(file.read_text("utf-8", "replace"))
    if match is None:
        return None
    prefix = file.with_name(re.split(r"[/\\]", match[1])[-1] or "_")
    return prefix if _index(prefix).is_file() else None


def read(path: Path, prefix: Path) -> WeightTable:
    """Read the table of the checkpoint with this prefix.

    Raises:
        WeightFileError: a file of it is missing or damaged.
    """
    index = _index(prefix)
    if index.stat().st_size > _MAX_INDEX_BYTES:
        raise WeightFileError(path, "refused: the index is far too large.")
    with ExitStack() as opened:
        try:
            count, entries = read_index(index.read_bytes())
            shards = _Shards(path, prefix, count)
            opened.callback(shards.close)
            nodes = _graph(entries, shards)
        except BundleError as error:
            raise WeightFileError(path, f"{error}.") from error
        names = _names(entries, nodes)
        tensors, paths = _tensors(path, entries, names, shards)
        opened.pop_all()
    weights = [tensor for tensor in tensors if tensor.role != "optimizer"]
    layers = group_layers(weights, None, paths)
    return WeightTable(path, "tf-checkpoint", tensors, layers, {}, close=shards.close)


class _Shards:
    """The data files of a checkpoint, opened when first needed."""

    def __init__(self, path: Path, prefix: Path, count: int) -> None:
        if count > _MAX_SHARDS:
            raise BundleError(f"refused: the index speaks of {count:,} data files")
        self._path = path
        self._files = [
            prefix.with_name(f"{prefix.name}.data-{number:05}-of-{count:05}")
            for number in range(count)
        ]
        self._lock = Lock()
        self._closed = False
        self._streams: dict[int, IO[bytes]] = {}

    def close(self) -> None:
        with self._lock:
            self._closed = True
            for stream in self._streams.values():
                stream.close()

    def check(self, key: str, entry: Entry) -> None:
        """Raise unless the values of `entry` can lie where it says."""
        if entry.shard >= len(self._files):
            raise BundleError(f"'{key}' lies in a data file that there is not")
        file = self._files[entry.shard]
        if not file.is_file():
            raise BundleError(f"'{file.name}' is missing beside the index")
        if entry.offset + entry.size > file.stat().st_size:
            raise BundleError(f"'{key}' lies beyond the end of '{file.name}'; was it cut short?")

    def read(self, entry: Entry) -> bytes:
        stream = self._stream(entry.shard)
        stream.seek(entry.offset)
        return stream.read(entry.size)

    def reader(self, shard: int) -> Reader:
        return reader_of(self._stream(shard))

    def _stream(self, shard: int) -> IO[bytes]:
        with self._lock:
            if self._closed:
                raise ValueError("read of a closed file")
            if shard not in self._streams:
                self._streams[shard] = self._files[shard].open("rb")
            return self._streams[shard]


def _graph(entries: dict[str, Entry], shards: _Shards) -> list[Node]:
    entry = entries.get(_GRAPH)
    if entry is None or entry.dtype != STRING:
        return []
    if entry.size > _MAX_GRAPH_BYTES:
        raise BundleError(f"refused: its graph of objects has {entry.size:,} bytes")
    shards.check(_GRAPH, entry)
    return read_graph(read_strings(shards.read(entry), 1)[0])


def _names(entries: dict[str, Entry], nodes: list[Node]) -> dict[str, str]:
    """Return the full name of every tensor's key, in the order of the model's layers."""
    names: dict[str, str] = {}
    for number in _depth_first(nodes):
        for key, name in nodes[number].variables:
            if key in entries:
                names.setdefault(key, name or key)
    for key in sorted(entries, key=natural):
        names.setdefault(key, key)
    return names


def _depth_first(nodes: list[Node]) -> Iterator[int]:
    seen: set[int] = set()
    waiting = [0] if nodes else []
    while waiting:
        number = waiting.pop()
        if number in seen or number >= len(nodes):
            continue
        seen.add(number)
        yield number
        waiting.extend(child for child, _ in reversed(nodes[number].children))


def _tensors(
    path: Path, entries: dict[str, Entry], names: dict[str, str], shards: _Shards
) -> tuple[list[Tensor], dict[str, str]]:
    numeric = {key: name for key, name in names.items() if entries[key].dtype in DTYPES}
    weights = [key for key in numeric if not _is_optimizer(key)]
    layers = _layers(weights, numeric)
    tensors = [
        _tensor(path, key, numeric[key], layers[key], entries[key], shards) for key in weights
    ]
    tensors += [
        _tensor(path, key, numeric[key], "optimizer", entries[key], shards)
        for key in sorted(numeric, key=natural)
        if _is_optimizer(key)
    ]
    return tensors, {layers[key]: _parent(key) for key in reversed(weights)}


def _is_optimizer(key: str) -> bool:
    return (
        "optimizer" in key.split("/")[:2]
        or "/.OPTIMIZER_SLOT/" in key
        or _TF1_SLOT.fullmatch(key) is not None
        or re.fullmatch(r"beta[12]_power", key) is not None
    )


def _parent(key: str) -> str:
    return key.removesuffix(_VALUE).rpartition("/")[0]


def _layers(keys: list[str], names: dict[str, str]) -> dict[str, str]:
    """Return the layer of every key: its variable's name without the last part, if that is one."""
    named = [key for key in keys if "/" in names[key] and not names[key].endswith(_VALUE)]
    short = dict(zip(named, drop_model_name([names[key] for key in named])))
    owners: dict[str, str] = {}
    layers = {}
    for key in keys:
        name = short.get(key, key.removesuffix(_VALUE)).rpartition("/")[0]
        # Two layers of one name, which TensorFlow allows, are told apart by their keys.
        if owners.setdefault(name, _parent(key)) != _parent(key):
            name = _parent(key)
        layers[key] = name
    return layers


def _tensor(path: Path, key: str, name: str, layer: str, entry: Entry, shards: _Shards) -> Tensor:
    dtype = DTYPES[entry.dtype]
    raw = np.dtype("<u2" if dtype == "bfloat16" else dtype)
    size = math.prod(entry.shape) * raw.itemsize
    if entry.partitioned:
        raise WeightFileError(path, f"'{key}' is a partitioned variable, which is not supported.")
    if entry.size != size:
        raise WeightFileError(path, f"'{key}' claims {size:,} bytes and has {entry.size:,}.")
    try:
        shards.check(key, entry)
    except BundleError as error:
        raise WeightFileError(path, f"{error}.") from None
    plain = key.removesuffix(_VALUE)
    kind = known_kind(layer)
    role = "optimizer" if layer == "optimizer" else role_of(plain)
    if role == "kernel" and kind and kind.startswith("depthwise"):
        role = "depthwise_kernel"
    return Tensor(
        path=key,
        name=name.removesuffix(_VALUE),
        layer=layer,
        role=role,
        shape=entry.shape,
        axes=axes_of(kind, role, entry.shape),
        dtype=dtype,
        trainable=trainable_of(role, None),
        values=_ShardValues(path, shards, entry, raw, dtype),
    )


class _ShardValues:
    """Values in a data file, which is opened when they are first asked for."""

    def __init__(
        self, path: Path, shards: _Shards, entry: Entry, raw: np.dtype, dtype: str
    ) -> None:
        self._path = path
        self._shards = shards
        self._entry = entry
        self._raw = raw
        self._dtype = dtype

    def slabs(self, buffer: np.ndarray) -> Iterator[np.ndarray]:
        with reading(self._path):
            yield from self._values().slabs(buffer)

    def read(self, selection: tuple[Any, ...]) -> np.ndarray:
        with reading(self._path):
            return self._values().read(selection)

    def _values(self) -> RawValues:
        entry = self._entry
        reader = self._shards.reader(entry.shard)
        return RawValues(reader, entry.offset, entry.shape, self._raw, self._dtype)
