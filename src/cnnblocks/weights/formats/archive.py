"""`.keras` archives: a zip of `config.json`, `metadata.json` and the weights as Keras 3 HDF5.

Nothing is unpacked by name and nothing in the configuration is executed. Keras stores the weights
unpacked, so they are read where they lie; an archive that was packed again is unpacked into a
nameless temporary file.
"""

import io
import shutil
import struct
import tempfile
import zipfile
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import numpy as np

from cnnblocks.weights.errors import WeightFileError
from cnnblocks.weights.formats import keras3
from cnnblocks.weights.hdf5 import Hdf5File
from cnnblocks.weights.model_config import parse_json
from cnnblocks.weights.table import WeightTable
from cnnblocks.weights.values import reader_of

_WEIGHTS = "model.weights.h5"
_MAX_MEMBERS = 100_000
_MAX_JSON_BYTES = 64 << 20
_JSON_FLOOR = 1 << 20
_BOMB_FLOOR = 64 << 20
_MAX_EXPANSION = 100
_LOCAL_HEADER = struct.Struct("<4s22xHH")
_PIECE = 1 << 20
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def read(path: Path) -> WeightTable:
    """Read the table of a `.keras` archive.

    Raises:
        WeightFileError: the archive is broken, has no weights, or is refused as dangerous.
    """
    with ExitStack() as opened:
        archive = opened.enter_context(zipfile.ZipFile(path))
        members = _members(path, archive)
        model = _json(path, archive, members, "config.json")
        stated = _json(path, archive, members, "metadata.json") or {}
        weights, base, size = _weights(path, archive, members)
        opened.callback(weights.close)
        window = Window(weights, base, size)
        file = Hdf5File(path, stream=window, reader=reader_of(weights, base), size=size)
        opened.callback(file.close)
        tensors, structure = keras3.collect([file], model)
        closing = opened.pop_all()
    metadata = {
        "keras_version": _text(stated.get("keras_version")),
        "date_saved": _text(stated.get("date_saved")),
        "training_config": (model or {}).get("compile_config"),
    }
    return WeightTable(
        path, "keras3-archive", tensors, structure, metadata, model, close=closing.close
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value.isprintable() else None


def _members(path: Path, archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    infos = archive.infolist()
    if len(infos) > _MAX_MEMBERS:
        raise WeightFileError(path, f"refused: an archive of {len(infos):,} files.")
    members = {info.filename: info for info in infos}
    if any(info.compress_type not in _METHODS for info in infos):
        raise WeightFileError(path, "refused: packed in a way that Keras does not use.")
    if len(members) < len(infos):
        raise WeightFileError(path, "refused: two files of the archive have the same name.")
    for name in members:
        parts = name.split("/")
        if not name.isprintable() or name.startswith("/") or ".." in parts or "\\" in name:
            raise WeightFileError(path, f"refused: the archive holds a file named {name!r}.")
    return members


def _json(
    path: Path, archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], name: str
) -> dict[str, Any] | None:
    if name not in members:
        return None
    packed = min(members[name].compress_size, path.stat().st_size)
    limit = min(_MAX_JSON_BYTES, max(_JSON_FLOOR, _MAX_EXPANSION * packed))
    with archive.open(members[name]) as stream:
        text = stream.read(limit + 1)
    if len(text) > limit:
        raise WeightFileError(path, f"refused: its {name} is far too large.")
    try:
        return parse_json(text)
    except ValueError as error:
        raise WeightFileError(path, f"its {name} is broken: {error}.") from None


def _weights(
    path: Path, archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo]
) -> tuple[IO[bytes], int, int]:
    """Return a file with the weights in it, where they begin and how long they are."""
    info = members.get(_WEIGHTS)
    if info is None:
        raise WeightFileError(path, f"a zip archive without '{_WEIGHTS}'; is it a .keras file?")
    if info.flag_bits & 1:
        raise WeightFileError(path, "the archive is encrypted; unpack it first.")
    if info.compress_type == zipfile.ZIP_STORED:
        return _stored(path, info)
    return _unpacked(path, archive, info)


def _stored(path: Path, info: zipfile.ZipInfo) -> tuple[IO[bytes], int, int]:
    stream = path.open("rb")
    stream.seek(info.header_offset)
    header = stream.read(_LOCAL_HEADER.size)
    if len(header) < _LOCAL_HEADER.size or header[:4] != b"PK\x03\x04":
        stream.close()
        raise WeightFileError(path, f"a damaged archive: '{_WEIGHTS}' is not where it says.")
    _, name_length, extra_length = _LOCAL_HEADER.unpack(header)
    base = info.header_offset + _LOCAL_HEADER.size + name_length + extra_length
    if base + info.file_size > path.stat().st_size:
        stream.close()
        raise WeightFileError(path, f"'{_WEIGHTS}' goes beyond the end; was it cut short?")
    return stream, base, info.file_size


def _unpacked(
    path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo
) -> tuple[IO[bytes], int, int]:
    if info.file_size > max(_BOMB_FLOOR, _MAX_EXPANSION * info.compress_size):
        raise WeightFileError(
            path,
            f"refused: {info.compress_size:,} packed bytes would grow to {info.file_size:,}.",
        )
    with ExitStack() as opened:
        target = opened.enter_context(tempfile.TemporaryFile())
        # The member's reader stops at the declared size, so a lying header cannot fill the disk.
        with archive.open(info) as source:
            shutil.copyfileobj(source, target, _PIECE)
        target.flush()
        opened.pop_all()
    return target, 0, info.file_size


class Window(io.RawIOBase):
    """A part of a binary file as a file of its own, for HDF5 to read.

    Args:
        stream: the file.
        base: where the part begins.
        size: how many bytes it has.
    """

    def __init__(self, stream: IO[bytes], base: int, size: int) -> None:
        self._read = reader_of(stream, base)
        self._size = size
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, start + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        wanted = max(0, min(len(view), self._size - self._position))
        self._read(self._position, np.frombuffer(view[:wanted], np.uint8))
        self._position += wanted
        return wanted
