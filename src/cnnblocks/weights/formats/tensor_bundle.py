"""The files of a TensorFlow checkpoint, read without TensorFlow.

The index is a sorted string table, as LevelDB writes it, of protocol buffers: one that tells the
number of data files, then one for every tensor with its dtype, shape, data file and offset. The
data files are plain bytes. So a checkpoint opens at once, lazily, and a damaged one cannot bring
TensorFlow down.
"""

from collections.abc import Iterator
from dataclasses import dataclass

_MAGIC = 0xDB4775248B80FB57
_FOOTER = 48
_BLOCK_TRAILER = 5
_MAX_KEY_BYTES = 4096
_MAX_KEYS_BYTES = 64 << 20

DTYPES = {
    1: "float32",
    2: "float64",
    3: "int32",
    4: "uint8",
    5: "int16",
    6: "int8",
    9: "int64",
    10: "bool",
    14: "bfloat16",
    17: "uint16",
    19: "float16",
    22: "uint32",
    23: "uint64",
}
STRING = 7


class BundleError(ValueError):
    """The bytes are not what a checkpoint has."""


@dataclass(frozen=True)
class Entry:
    """Where one tensor of a checkpoint lies.

    Attributes:
        dtype: TensorFlow's number for the dtype.
        shape: its shape.
        shard: number of its data file.
        offset: where it begins there.
        size: how many bytes it has.
        partitioned: whether it is one of TensorFlow 1's partitioned variables.
    """

    dtype: int
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int
    partitioned: bool


@dataclass(frozen=True)
class Node:
    """One object of the saved graph of objects.

    Attributes:
        children: number and attribute name of every object it holds, in order.
        variables: checkpoint key and full name of every variable it is.
    """

    children: tuple[tuple[int, str], ...]
    variables: tuple[tuple[str, str], ...]


def is_index(data: bytes) -> bool:
    """Return whether `data` ends as an index does."""
    return len(data) >= _FOOTER and int.from_bytes(data[-8:], "little") == _MAGIC


def read_index(data: bytes) -> tuple[int, dict[str, Entry]]:
    """Return the number of data files, and every tensor by its key.

    Raises:
        BundleError: the index is damaged.
    """
    if not is_index(data):
        raise BundleError("the index has no end; was it cut short?")
    _, place = _handle(data, len(data) - _FOOTER)
    (offset, size), _ = _handle(data, place)
    shards = 0
    entries: dict[str, Entry] = {}
    end = spent = 0
    for _, handle in _block(data, offset, size):
        (begin, length), _ = _handle(handle, 0)
        if begin < end:
            raise BundleError("refused: blocks of the index lie over each other")
        end = begin + length
        for key, value in _block(data, begin, length):
            spent += len(key)
            if spent > _MAX_KEYS_BYTES:
                raise BundleError("refused: the names in the index are far too long")
            if key:
                entries[_decode(key)] = _entry(value)
            else:
                shards = _header(value)
    if not shards:
        raise BundleError("the index does not say how many data files there are")
    return shards, entries


def _header(data: bytes) -> int:
    fields = dict(_fields(data))
    if fields.get(2, 0) != 0:
        raise BundleError("the values are big-endian, which only some old machines wrote")
    return _integer(fields.get(1, 0))


def _entry(data: bytes) -> Entry:
    found: dict[int, int] = {}
    shape: tuple[int, ...] = ()
    partitioned = False
    for number, value in _fields(data):
        if number == 2:
            shape = _shape(_message(value))
        elif number == 7:
            partitioned = True
        elif number in (1, 3, 4, 5):
            found[number] = _integer(value)
    return Entry(
        found.get(1, 0), shape, found.get(3, 0), found.get(4, 0), found.get(5, 0), partitioned
    )


def _shape(data: bytes) -> tuple[int, ...]:
    return tuple(
        _integer(dict(_fields(_message(value))).get(1, 0))
        for number, value in _fields(data)
        if number == 2
    )


def read_strings(data: bytes, count: int) -> list[bytes]:
    """Return the strings of a string tensor: lengths, a checksum, then the bytes.

    Raises:
        BundleError: there are fewer bytes than the lengths say.
    """
    lengths = []
    place = 0
    for _ in range(count):
        length, place = _varint(data, place)
        lengths.append(length)
    place += 4
    strings = []
    for length in lengths:
        strings.append(_slice(data, place, length))
        place += length
    return strings


def read_graph(data: bytes) -> list[Node]:
    """Return the objects of a saved graph of objects.

    Raises:
        BundleError: the graph is damaged.
    """
    return [_node(_message(value)) for number, value in _fields(data) if number == 1]


def _node(data: bytes) -> Node:
    children = []
    variables = []
    for number, value in _fields(data):
        if number == 1:
            fields = dict(_fields(_message(value)))
            children.append((_integer(fields.get(1, 0)), _decode(_message(fields.get(2, b"")))))
        elif number == 2:
            fields = dict(_fields(_message(value)))
            key, name = (_decode(_message(fields.get(field, b""))) for field in (3, 2))
            variables.append((key, name))
    return Node(tuple(children), tuple(variables))


# The string table.


def _handle(data: bytes, place: int) -> tuple[tuple[int, int], int]:
    offset, place = _varint(data, place)
    size, place = _varint(data, place)
    return (offset, size), place


def _block(data: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield the keys and values of a block; each key leaves out what it shares with the last."""
    block = _slice(data, offset, size + _BLOCK_TRAILER)
    if block[size] != 0:
        raise BundleError("the index is packed, which TensorFlow does not do")
    if size < 4:
        raise BundleError("a block of the index is too short")
    restarts = int.from_bytes(block[size - 4 : size], "little")
    end = size - 4 * (restarts + 1)
    key = b""
    place = 0
    while place < end:
        shared, place = _varint(block, place)
        own, place = _varint(block, place)
        length, place = _varint(block, place)
        if shared > len(key) or place + own + length > end:
            raise BundleError("a block of the index is damaged")
        if shared + own > _MAX_KEY_BYTES:
            raise BundleError(f"refused: a name in the index has {shared + own:,} bytes")
        key = key[:shared] + block[place : place + own]
        yield key, block[place + own : place + own + length]
        place += own + length


# Protocol buffers.


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    place = 0
    while place < len(data):
        tag, place = _varint(data, place)
        wire = tag & 7
        value: int | bytes
        if wire == 0:
            value, place = _varint(data, place)
        elif wire in (1, 5):
            width = 8 if wire == 1 else 4
            value = int.from_bytes(_slice(data, place, width), "little")
            place += width
        elif wire == 2:
            length, place = _varint(data, place)
            value = _slice(data, place, length)
            place += length
        else:
            raise BundleError("a record of the checkpoint is damaged")
        yield tag >> 3, value


def _integer(value: int | bytes) -> int:
    if isinstance(value, bytes) or value >= 1 << 62:
        raise BundleError("a record of the checkpoint has an absurd number")
    return value


def _message(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise BundleError("a record of the checkpoint is damaged")
    return value


def _decode(data: bytes) -> str:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise BundleError("a name in the checkpoint is not UTF-8") from None
    if not text.isprintable():
        raise BundleError(f"refused: the name {text!r} could mislead a program")
    return text


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if not 0 <= place < len(data):
            raise BundleError("the checkpoint ends early; was it cut short?")
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
    raise BundleError("a number in the checkpoint is damaged")


def _slice(data: bytes, place: int, length: int) -> bytes:
    if place + length > len(data):
        raise BundleError("the checkpoint ends early; was it cut short?")
    return data[place : place + length]
