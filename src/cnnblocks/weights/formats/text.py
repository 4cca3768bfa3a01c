"""Text dumps, as courses write them: for every variable its name, its shape, its values.

    conv2d/kernel:0
    (5, 5, 1, 6)
    [[[[ 1.23456789e-02 -4.56789012e-03 ...

Values are printed by NumPy in full or one row a line, in nested brackets.
"""

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from cnnblocks.weights.errors import WeightFileError, reading
from cnnblocks.weights.naming import (
    axes_of,
    drop_model_name,
    group_layers,
    known_kind,
    role_of,
    trainable_of,
)
from cnnblocks.weights.table import Tensor, WeightTable
from cnnblocks.weights.values import Reader, reader_of

_SHAPE = re.compile(rb"\(((?:\d{1,12}(?:, ?\d{1,12})*,?)?)\)\r?")
_MAX_NAME = 4096
_PIECE = 1 << 22
_NO_BRACKETS = bytes.maketrans(b"[],", b"   ")


@dataclass(frozen=True)
class _Entry:
    name: str
    shape: tuple[int, ...]
    start: int
    stop: int


def matches(head: bytes) -> bool:
    """Return whether the first bytes of a file are a name and a shape on lines of their own."""
    lines = head.lstrip().split(b"\n")
    return len(lines) > 2 and _SHAPE.fullmatch(lines[1]) is not None and b"[" not in lines[0]


def read(path: Path) -> WeightTable:
    """Read the table: names and shapes are found by scanning, values when they are asked for.

    Raises:
        WeightFileError: a shape has no name, or more values than there is text for.
    """
    stream = path.open("rb")
    try:
        entries = list(_entries(path, stream))
    except BaseException:
        stream.close()
        raise
    reader = reader_of(stream)
    names = drop_model_name([entry.name for entry in entries])
    tensors = [_tensor(path, reader, entry, name) for entry, name in zip(entries, names)]
    return WeightTable(path, "text", tensors, group_layers(tensors), {}, close=stream.close)


def _tensor(path: Path, reader: Reader, entry: _Entry, name: str) -> Tensor:
    layer = name.rpartition("/")[0]
    kind = known_kind(layer)
    role = role_of(name)
    if role == "kernel" and kind and kind.startswith("depthwise"):
        role = "depthwise_kernel"
    return Tensor(
        path=entry.name,
        name=entry.name,
        layer=layer,
        role=role,
        shape=entry.shape,
        axes=axes_of(kind, role, entry.shape),
        dtype="float32",
        trainable=trainable_of(role, None),
        values=_TextValues(path, reader, entry),
    )


def _entries(path: Path, stream: IO[bytes]) -> Iterator[_Entry]:
    """Find every name and shape: no line of values begins with a parenthesis."""
    size = stream.seek(0, 2)
    heads = [_head(path, stream, place) for place in _shape_lines(stream)]
    stops = [begin for _, _, begin, _ in heads[1:]] + [size]
    for (name, shape, _, start), stop in zip(heads, stops):
        # The shortest number with what parts it from the next takes two characters.
        if 2 * math.prod(shape) > stop - start + 2:
            raise WeightFileError(
                path, f"'{name}' has the shape {shape}, and too few values; was it cut short?"
            )
        yield _Entry(name, shape, start, stop)


def _shape_lines(stream: IO[bytes]) -> Iterator[int]:
    """Yield the offset of every line that begins with a parenthesis."""
    stream.seek(0)
    offset = 0
    tail = b""
    while piece := stream.read(_PIECE):
        text = tail + piece
        begin = offset - len(tail)
        at = text.find(b"\n(")
        while at >= 0:
            yield begin + at + 1
            at = text.find(b"\n(", at + 1)
        offset += len(piece)
        tail = text[-1:]
        stream.seek(offset)


def _head(path: Path, stream: IO[bytes], place: int) -> tuple[str, tuple[int, ...], int, int]:
    """Return name, shape, where the name begins and where the values do."""
    back = max(0, place - _MAX_NAME)
    stream.seek(back)
    before = stream.read(place - back)[:-1]
    line = before.rpartition(b"\n")[2]
    match = _SHAPE.fullmatch(stream.readline(_MAX_NAME).rstrip(b"\n"))
    name = line.strip().decode("utf-8", "replace")
    if match is None or not name or not name.isprintable() or "[" in name:
        raise WeightFileError(path, f"not a text dump: no name and shape at byte {place:,}.")
    shape = tuple(int(part) for part in match[1].replace(b",", b" ").split())
    return name, shape, place - 1 - len(line), stream.tell()


class _TextValues:
    """The values of one variable, parsed piece by piece."""

    def __init__(self, path: Path, reader: Reader, entry: _Entry) -> None:
        self._path = path
        self._read = reader
        self._entry = entry

    def slabs(self, buffer: np.ndarray) -> Iterator[np.ndarray]:
        count = 0
        for values in self._pieces(max(64, buffer.nbytes)):
            count += values.size
            yield values
        if count != math.prod(self._entry.shape):
            raise self._fail(f"{count:,} values for the shape {self._entry.shape}")

    def read(self, selection: tuple[Any, ...]) -> np.ndarray:
        values = np.empty(math.prod(self._entry.shape), np.float32)
        count = 0
        for slab in self._pieces(_PIECE):
            if count + slab.size > values.size:
                raise self._fail(f"more values than the shape {self._entry.shape} has")
            values[count : count + slab.size] = slab
            count += slab.size
        if count < values.size:
            raise self._fail(f"{count:,} values for the shape {self._entry.shape}")
        return values.reshape(self._entry.shape)[selection]

    def _pieces(self, size: int) -> Iterator[np.ndarray]:
        position = self._entry.start
        rest = b""
        while position < self._entry.stop:
            piece = np.empty(min(size, self._entry.stop - position), np.uint8)
            with reading(self._path):
                self._read(position, piece)
            position += len(piece)
            text = (rest + piece.tobytes()).translate(_NO_BRACKETS)
            # The last word may go on in the next piece.
            cut = max(text.rfind(b" "), text.rfind(b"\n")) + 1
            if position >= self._entry.stop:
                cut = len(text)
            if len(text) - cut > _MAX_NAME:
                raise self._fail("no numbers")
            yield self._numbers(text[:cut])
            rest = text[cut:]

    def _numbers(self, text: bytes) -> np.ndarray:
        words = text.split()
        try:
            return np.fromiter(map(float, words), np.float32, len(words))
        except ValueError:
            if b"..." in words:
                raise self._fail(
                    "'...' among its values; print them in full with "
                    "np.set_printoptions(threshold=np.inf)"
                ) from None
            raise self._fail("something that is no number among its values") from None

    def _fail(self, what: str) -> WeightFileError:
        return WeightFileError(self._path, f"'{self._entry.name}' has {what}.")


def write(path: str | Path, items: Iterable[tuple[str, np.ndarray]]) -> None:
    """Write variables as a text dump, with 8 decimals, which is exact for float32.

    Args:
        path: the file to write, replaced if it is there.
        items: names, such as `lenet5/conv2d/kernel:0`, and values.

    Example:

        >>> text.write("weights.txt", [(f"{v.path}:0", v.numpy()) for v in model.weights])
    """
    with Path(path).open("w", encoding="utf-8") as stream:
        for name, values in items:
            array = np.asarray(values)
            shape = ", ".join(str(size) for size in array.shape)
            stream.write(f"{name}\n({shape}{',' if array.ndim == 1 else ''})\n")
            stream.writelines(_rows(array))


def _rows(array: np.ndarray) -> Iterator[str]:
    """Yield one line for every row of the last axis, with the brackets that open and close."""
    if array.ndim == 0:
        yield f"{float(array):.8e}\n"
        return
    if array.size == 0:
        yield "[" * array.ndim + "]" * array.ndim + "\n"
        return
    template = " ".join(["%.8e"] * array.shape[-1])
    rows = array.reshape(-1, array.shape[-1])
    # Every how many rows each of the outer axes begins again.
    periods = [math.prod(array.shape[axis:-1]) for axis in range(array.ndim)]
    for number, row in enumerate(rows):
        opening = sum(number % period == 0 for period in periods)
        closing = sum((number + 1) % period == 0 for period in periods)
        indent = " " * (array.ndim - opening)
        yield f"{indent}{'[' * opening}{template % tuple(row.tolist())}{']' * closing}\n"
