"""Finding out by content what kind of weight file a path is."""

from pathlib import Path

from cnnblocks.paths import expanded
from cnnblocks.weights.errors import WeightFileError, reading
from cnnblocks.weights.formats import archive, checkpoint, keras3, legacy, text, tree
from cnnblocks.weights.hdf5 import Hdf5File
from cnnblocks.weights.table import WeightTable

_HDF5 = b"\x89HDF\r\n\x1a\n"
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_PICKLES = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


def open(path: str | Path) -> WeightTable:
    """Open a weight file of any format, without reading its values.

    The format is found by content, not by suffix: Keras 1, 2 and tf.keras HDF5 weights and whole
    models, Keras 3 `.weights.h5` files, sharded sets by their `.weights.json`, `.keras` archives,
    TensorFlow checkpoints (by prefix, index, data file or directory), text dumps, and any other
    HDF5 file.

    Args:
        path: the file; of a TensorFlow checkpoint also its prefix or directory.

    Returns:
        A `WeightTable`, to be closed, best by `with`.

    Raises:
        WeightFileError: the file is missing, broken, of no known format, or refused as dangerous.

    Example:

        >>> with weights.open("model.h5") as table:
        ...     print(table.format, table.totals.parameters)
    """
    path = expanded(path)
    with reading(path):
        return _open(path)


def _open(path: Path) -> WeightTable:
    prefix = checkpoint.find_prefix(path)
    if prefix is not None:
        return checkpoint.read(path, prefix)
    head = _head(path)
    if head[: len(_HDF5)] == _HDF5 or _has_user_block(path):
        return _open_hdf5(path)
    if head.startswith(_ZIP):
        return archive.read(path)
    if head.startswith(_PICKLES):
        raise WeightFileError(path, "refused: a pickle, which would run code when loaded.")
    if head.lstrip()[:1] == b"{":
        return keras3.read_shards(path)
    if text.matches(head):
        return text.read(path)
    raise WeightFileError(
        path,
        "not a weight file that is known here (HDF5, .keras, TensorFlow checkpoint, text dump).",
    )


def _head(path: Path) -> bytes:
    if path.is_dir():
        raise WeightFileError(path, "a directory without a TensorFlow checkpoint in it.")
    if path.exists() and not path.is_file():
        raise WeightFileError(path, "not a regular file.")
    with path.open("rb") as stream:
        head = stream.read(4096)
    if not head:
        raise WeightFileError(path, "the file is empty.")
    return head


def _has_user_block(path: Path) -> bool:
    """HDF5 allows bytes of the user's before its own, of 512 bytes or a power of two of that."""
    size = path.stat().st_size
    offset = 512
    with path.open("rb") as stream:
        while offset < min(size, 1 << 20):
            stream.seek(offset)
            if stream.read(len(_HDF5)) == _HDF5:
                return True
            offset *= 2
    return False


def _open_hdf5(path: Path) -> WeightTable:
    file = Hdf5File(path)
    try:
        if legacy.matches(file):
            table = legacy.read(path, file)
        elif keras3.matches(file):
            table = keras3.read(path, file)
        else:
            table = tree.read(path, file)
        if file.skipped:
            table.metadata["skipped"] = file.skipped
    except BaseException:
        file.close()
        raise
    return table
