"""Attributes of variable length, which Keras keeps names in, read without HDF5's own code.

HDF5 stores such text in shared heaps, and reading a damaged heap can make its library run for
ever. So this module finds the text itself: in an object's header the attribute, in the attribute
the place in a heap, in the heap the text, every step within bounds.
"""

import math
import struct
from collections.abc import Iterator

import numpy as np

from cnnblocks.weights.values import Reader

_MAX_MESSAGES = 65_536
_MAX_BLOCKS = 4_096
_MAX_HEAP = 64 << 20
_ATTRIBUTE = 0x0C
_CONTINUATION = 0x10
_SHARED = 0x02
_VARIABLE_LENGTH = 9
_STRING = 1
_REFERENCE = struct.Struct("<IQI")
_UNDEFINED = (1 << 64) - 1


class TextReader:
    """Reads attributes of variable length of an HDF5 file.

    Args:
        reader: reads the file.
        base: what HDF5 adds to every address, the size of the user's block.
        size: how many bytes the file has.
    """

    def __init__(self, reader: Reader, base: int, size: int) -> None:
        self._reader = reader
        self._base = base
        self._size = size
        self._known: dict[int, dict[str, list[tuple[int, int, int]]]] = {}
        self._heaps: dict[int, dict[int, bytes]] = {}
        self._heap_bytes = 0

    def texts(self, header: int) -> dict[str, list[str]]:
        """Return the attributes of variable-length text of the object with a header there.

        Args:
            header: address of the object's header.

        Raises:
            ValueError: the header or a heap is damaged.
        """
        found = self._references(header)
        # Many may refer to one text.
        if sum(length for own in found.values() for length, _, _ in own) > _MAX_HEAP:
            raise ValueError("the attributes of an object are far too large")
        return {
            name: [self._text(*reference) for reference in references]
            for name, references in found.items()
        }

    def place(self, header: int, name: str) -> tuple[int, int] | None:
        """Return where the text of an attribute lies: its heap and its number there.

        Heaps fill up in the order in which attributes are written.

        Args:
            header: address of the object's header.
            name: of the attribute.
        """
        references = self._references(header).get(name)
        return references[0][1:] if references else None

    def _references(self, header: int) -> dict[str, list[tuple[int, int, int]]]:
        if header not in self._known:
            found = (_attribute(data) for data in self._attributes(header))
            self._known[header] = dict(attribute for attribute in found if attribute is not None)
        return self._known[header]

    def _read(self, address: int, length: int) -> bytes:
        if length < 0 or address < 0 or self._base + address + length > self._size:
            raise ValueError("an attribute lies beyond the end of the file")
        buffer = np.empty(length, np.uint8)
        if length:
            self._reader(self._base + address, buffer)
        return buffer.tobytes()

    # Headers of objects.

    def _attributes(self, header: int) -> Iterator[bytes]:
        start = self._read(header, 12)
        second = start[:4] == b"OHDR"
        messages = self._second(header) if second else self._first(header, start)
        for number, (kind, flags, data) in enumerate(messages):
            if number > _MAX_MESSAGES:
                raise ValueError("an object has an absurd number of messages")
            if kind == _ATTRIBUTE and not flags & _SHARED:
                yield data

    def _first(self, header: int, start: bytes) -> Iterator[tuple[int, int, bytes]]:
        """Yield kind, flags and data of the messages of a header of version 1."""
        version, _, count, _, size = struct.unpack("<BBHII", start)
        if version != 1:
            raise ValueError("an object's header is damaged")
        blocks = [(header + 16, size)]
        for block in blocks:
            data = self._read(*block)
            place = 0
            while place + 8 <= len(data) and count > 0:
                kind, length, flags = struct.unpack_from("<HHB", data, place)
                body = data[place + 8 : place + 8 + length]
                place += 8 + length
                count -= 1
                _continue(blocks, kind, body)
                yield kind, flags, body

    def _second(self, header: int) -> Iterator[tuple[int, int, bytes]]:
        """Yield kind, flags and data of the messages of a header of version 2."""
        flags = self._read(header, 6)[5]
        place = header + 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
        width = 1 << (flags & 3)
        size = int.from_bytes(self._read(place, width), "little")
        prefix = 6 if flags & 4 else 4
        blocks = [(place + width, size)]
        for number, (address, length) in enumerate(blocks):
            # Blocks after the first have a signature before and a checksum after their messages.
            data = self._read(address, length) if number == 0 else self._read(address, length)[4:-4]
            at = 0
            while at + prefix <= len(data):
                kind, extent, own = struct.unpack_from("<BHB", data, at)
                body = data[at + prefix : at + prefix + extent]
                at += prefix + extent
                _continue(blocks, kind, body)
                yield kind, own, body

    # Heaps.

    def _text(self, length: int, address: int, index: int) -> str:
        if not length or address in (0, _UNDEFINED):
            return ""
        if address not in self._heaps:
            self._heaps[address] = self._heap(address)
        data = self._heaps[address].get(index)
        if data is None or length > len(data):
            raise ValueError("the text of an attribute is not where it says")
        return data[:length].rstrip(b"\0").decode("utf-8", "replace")

    def _heap(self, address: int) -> dict[int, bytes]:
        signature, version, size = struct.unpack("<4sB3xQ", self._read(address, 16))
        if signature != b"GCOL" or version != 1 or size > _MAX_HEAP:
            raise ValueError("a heap of text is damaged")
        self._heap_bytes += size
        if self._heap_bytes > self._size:
            raise ValueError("heaps of text lie over each other")
        data = self._read(address, size)
        objects = {}
        place = 16
        while place + 16 <= size:
            index, length = struct.unpack_from("<H6xQ", data, place)
            if index == 0:
                break
            objects[index] = data[place + 16 : place + 16 + length]
            place += 16 + _padded(length)
        return objects


def _continue(blocks: list[tuple[int, int]], kind: int, body: bytes) -> None:
    if kind == _CONTINUATION and len(body) >= 16:
        if len(blocks) >= _MAX_BLOCKS:
            raise ValueError("an object's header goes on for ever")
        blocks.append(struct.unpack_from("<QQ", body))


def _attribute(data: bytes) -> tuple[str, list[tuple[int, int, int]]] | None:
    """Return name and heap places of an attribute of text, `None` for one of another type."""
    if len(data) < 8:
        raise ValueError("an attribute is damaged")
    version, flags, *sizes = struct.unpack_from("<BBHHH", data)
    if version not in (1, 2, 3) or (version > 1 and flags):
        return None
    parts = []
    place = 9 if version == 3 else 8
    for size in sizes:
        parts.append(data[place : place + size])
        place += _padded(size) if version == 1 else size
    name, kind, space = parts
    if len(kind) < 2 or kind[0] & 15 != _VARIABLE_LENGTH or kind[1] & 15 != _STRING:
        return None
    count = _count(space)
    values = data[place : place + count * _REFERENCE.size]
    if len(values) < count * _REFERENCE.size:
        raise ValueError("an attribute is damaged")
    return name.rstrip(b"\0").decode("utf-8", "replace"), list(_REFERENCE.iter_unpack(values))


def _count(space: bytes) -> int:
    """Return how many values a dataspace has."""
    if len(space) < 4:
        raise ValueError("an attribute is damaged")
    version, rank, _, kind = space[:4]
    if version == 2 and kind == 2:
        return 0
    start = 8 if version == 1 else 4
    if len(space) < start + 8 * rank:
        raise ValueError("an attribute is damaged")
    return math.prod(struct.unpack_from(f"<{rank}Q", space, start))


def _padded(size: int) -> int:
    return (size + 7) // 8 * 8
