"""Images as arrays: read from files or held in memory, always `uint8`, always 1 or 3 channels."""

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from cnnblocks.data.errors import DataError

EXTENSIONS = frozenset(
    (".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm",
     ".tif", ".tiff", ".webp")
)  # fmt: skip
WORKERS = min(16, os.cpu_count() or 1)
_SIXTEEN_BIT = ("I", "I;16", "I;16B", "I;16L", "I;16N")
_GREY = ("1", "L", "LA", "La", *_SIXTEEN_BIT)
_SAMPLE = 64
_ORIENTATION = 0x0112
_TURNED = (5, 6, 7, 8)  # orientations that swap height and width

Shape = tuple[int | None, int | None, int]


def read_image(path: str | Path) -> np.ndarray:
    """Read an image file as it is.

    The orientation noted by a camera is applied, palettes are resolved, transparency is laid on
    white, 16-bit grey becomes 8-bit, and of an animation the first frame is taken.

    Args:
        path: The file.

    Returns:
        `uint8` array of shape `(height, width, 1)` for grey images, else `(height, width, 3)`.

    Raises:
        DataError: The file is missing, unreadable, not an image, corrupt, or has more pixels than
            Pillow's limit against decompression bombs.

    Example:

        >>> read_image("photo.jpg").shape  # doctest: +SKIP
        (480, 640, 3)
    """
    return as_array(open_picture(path))


def open_picture(path: str | Path, at_least: tuple[int, int] | None = None) -> Image.Image:
    """Read an image file into a Pillow image of mode L or RGB; otherwise as `read_image`.

    Args:
        path: The file.
        at_least: `(height, width)` that is needed. A JPEG four times as large or more is then
            decoded at a half, a quarter or an eighth of its size, never below twice this one.

    Raises:
        DataError: As for `read_image`.
    """
    with _opened(path) as image:
        if at_least and min(image.height / at_least[0], image.width / at_least[1]) >= 4:
            image.draft(None, (2 * at_least[1], 2 * at_least[0]))
        return as_picture(image)


def image_shape(path: str | Path) -> tuple[int, int, int]:
    """Return the shape that `read_image` would give, from the file's header alone.

    Raises:
        DataError: As for `read_image`.
    """
    with _opened(path) as image:
        width, height = image.size
        if image.getexif().get(_ORIENTATION, 1) in _TURNED:
            width, height = height, width
        return height, width, 1 if image.mode in _GREY else 3


@contextmanager
def _opened(path: str | Path) -> Iterator[Image.Image]:
    try:
        with Image.open(path) as image:
            _refuse_bomb(image, path)
            yield image
    except DataError:
        raise
    except FileNotFoundError as error:
        raise DataError(f"There is no image file {path}.") from error
    except PermissionError as error:
        raise DataError(f"No permission to read {path}.") from error
    except UnidentifiedImageError as error:
        raise DataError(f"{path} is not an image that Pillow can read.") from error
    except Image.DecompressionBombError as error:
        raise DataError(f"{path} is refused: {error}") from error
    except Exception as error:  # Pillow's decoders raise a dozen kinds for broken files
        raise DataError(f"The image {path} is corrupt: {error}") from error


def as_picture(image: Image.Image) -> Image.Image:
    """Turn a Pillow image of any mode into one of mode L or RGB, upright.

    Raises:
        DataError: The pixels are floating point, which has no agreed range.

    Example:

        >>> as_picture(Image.new("RGBA", (8, 4))).mode
        'RGB'
    """
    image.load()
    if image.getexif().get(_ORIENTATION, 1) != 1:
        image = ImageOps.exif_transpose(image)
    if image.mode == "F":
        raise DataError(
            f"{_name(image)} has floating-point pixels, which have no agreed range. "
            "Save it as 8-bit."
        )
    if image.mode in _SIXTEEN_BIT:
        high = np.clip(np.asarray(image, np.int64), 0, 65535) >> 8
        return Image.fromarray(high.astype(np.uint8))
    target = "L" if image.mode in _GREY else "RGB"
    if image.has_transparency_data:
        image = _on_white(image)
    return image if image.mode == target else image.convert(target)


def as_array(picture: Image.Image) -> np.ndarray:
    """Turn a Pillow image of mode L or RGB into `uint8` of shape `(height, width, 1 or 3)`."""
    pixels = np.asarray(picture)
    return pixels[..., None] if pixels.ndim == 2 else pixels


def _name(image: Image.Image) -> str:
    return str(getattr(image, "filename", "") or "The image")


def _on_white(image: Image.Image) -> Image.Image:
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)


def _refuse_bomb(image: Image.Image, path: str | Path) -> None:
    limit = Image.MAX_IMAGE_PIXELS
    if limit and image.width * image.height > limit:
        raise DataError(
            f"{path} has {image.width} x {image.height} pixels, more than Pillow's limit of "
            f"{limit:,} against decompression bombs. Make the image smaller."
        )


class ArrayImages:
    """Images of one size, in memory.

    Args:
        array: `uint8`, shape `(images, height, width, 1 or 3)`.

    Example:

        >>> len(ArrayImages(np.zeros((5, 8, 8, 1), np.uint8)))
        5
    """

    in_memory = True

    def __init__(self, array: np.ndarray):
        self.array = array
        self.shape: Shape = array.shape[1:]

    def __len__(self) -> int:
        return len(self.array)

    def read(self, indices: np.ndarray, at_least: tuple[int, int] | None = None) -> np.ndarray:
        """Return the images at `indices`, shape `(len(indices), height, width, channels)`."""
        return self.array[indices]

    def digest(self, indices: np.ndarray) -> bytes:
        """Return a digest of these images' pixels."""
        digest = hashlib.blake2b(str(self.shape).encode(), digest_size=16)
        for start in range(0, len(indices), 1024):
            digest.update(self.array[indices[start : start + 1024]].tobytes())
        return digest.digest()


class FileImages:
    """Images in files, decoded when they are read.

    A few files are looked at first, to learn the size and whether there is colour.

    Args:
        root: The folder.
        names: The files' paths in it, with forward slashes.

    Raises:
        DataError: One of the files looked at cannot be read.
    """

    in_memory = False

    def __init__(self, root: Path, names: Sequence[str]):
        self.root = root
        self.names = list(names)
        self.shape = self._probe()

    def __len__(self) -> int:
        return len(self.names)

    def path(self, index: int) -> Path:
        """Return the path of image `index`."""
        return self.root / self.names[index]

    def read(
        self, indices: np.ndarray, at_least: tuple[int, int] | None = None
    ) -> list[Image.Image]:
        """Return the images at `indices`, each of its own size, as Pillow images."""
        return [open_picture(self.path(i), at_least) for i in indices]

    def digest(self, indices: np.ndarray) -> bytes:
        """Return a digest of these files' names and sizes, and of the contents of a few."""
        digest = hashlib.blake2b(digest_size=16)
        for i in indices:
            digest.update(_bytes(f"{self.names[i]}\0{_status(self.path(i)).st_size}\n"))
        for i in _spread(indices):
            try:
                digest.update(self.path(i).read_bytes())
            except OSError as error:
                raise DataError(f"{self.path(i)} cannot be read: {error.strerror}") from error
        return digest.digest()

    def version(self, indices: np.ndarray, how: str) -> str:
        """Return a digest of these files' paths, sizes and times of change, and of `how`."""
        digest = hashlib.blake2b(_bytes(f"{how}\n{self.root}\n"), digest_size=16)
        for i in indices:
            status = _status(self.path(i))
            digest.update(_bytes(f"{self.names[i]}\0{status.st_size} {status.st_mtime_ns}\n"))
        return digest.hexdigest()

    def _probe(self) -> Shape:
        shapes = {image_shape(self.path(i)) for i in _spread(np.arange(len(self)))}
        heights, widths, channels = (set(sizes) for sizes in zip(*shapes))
        return _only(heights), _only(widths), max(channels)


def _bytes(text: str) -> bytes:
    """Text that may hold a file's name, which need not be UTF-8."""
    return text.encode("utf-8", "surrogateescape")


Images = ArrayImages | FileImages


def _status(path: Path) -> os.stat_result:
    try:
        return path.stat()
    except OSError as error:
        raise DataError(f"The image {path} is not there any more: {error.strerror}.") from error


def _only(sizes: set[int]) -> int | None:
    return next(iter(sizes)) if len(sizes) == 1 else None


def _spread(indices: np.ndarray) -> np.ndarray:
    positions = np.linspace(0, len(indices) - 1, min(_SAMPLE, len(indices))).astype(np.int64)
    return indices[positions]


def unreadable(paths: Iterable[Path]) -> Iterator[tuple[Path, str]]:
    """Decode every file and yield those that fail, with the reason, in order.

    Example:

        >>> list(unreadable([]))
        []
    """
    paths = list(paths)
    with ThreadPoolExecutor(WORKERS) as pool:
        for path, reason in zip(paths, pool.map(_reason, paths)):
            if reason:
                yield path, reason


def _reason(path: Path) -> str:
    try:
        open_picture(path)
    except DataError as error:
        return str(error)
    return ""
