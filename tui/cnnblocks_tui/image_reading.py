"""Images as arrays; what takes time is called in a thread."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")


def load_array(path: str) -> np.ndarray:
    """Take an array that the engine wrote, never one with objects in it; its file is removed.

    Raises:
        OSError: The file is gone, or cannot be read.
        ValueError: It holds no array.
    """
    array: np.ndarray = np.load(path, allow_pickle=False)
    Path(path).unlink(missing_ok=True)
    return array


def load_stages(answer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The stages of an answer of the engine with their `values`; all its files are removed.

    Raises:
        OSError: A file is gone, or cannot be read.
        ValueError: One holds no array.
    """
    if answer.get("image"):
        Path(answer["image"]).unlink(missing_ok=True)
    stages = answer.get("stages", [])
    return [{**stage, "values": load_array(stage["array"])} for stage in stages]


def colored(images: np.ndarray) -> np.ndarray:
    """Images as `(…, height, width, 3)` uint8, grey ones with three equal channels."""
    return np.repeat(images, 3, axis=-1) if images.shape[-1] == 1 else images[..., :3]


def resized(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """An image brought to a size, by averaging or repeating pixels."""
    from PIL import Image

    picture = Image.fromarray(colored(image).astype(np.uint8))
    method = Image.Resampling.BOX if width < picture.width else Image.Resampling.NEAREST
    return np.asarray(picture.resize((max(1, width), max(1, height)), method))


def contact_sheet(
    images: np.ndarray, labels: Sequence[int], names: Sequence[str], width: int, height: int = 0
) -> tuple[np.ndarray, Callable[[int, int], str]]:
    """Images side by side, a row a class, small enough for the width.

    Args:
        images: `(number, height, width, channels)` uint8.
        labels: Their classes.
        names: The classes' names.
        width: Pixels across.
        height: Pixels down for a single row of one image a class; 0 for a row a class.

    Returns:
        The sheet, and a function that says whose image is at a place of it.
    """
    order = np.argsort(np.asarray(labels), kind="stable")
    rows = [[i for i in order if labels[i] == label] for label in sorted(set(labels))]
    if height:
        rows = [[row[0] for row in rows if row]]
    across = max(len(row) for row in rows)
    side = max(4, min(images.shape[1], (width - across) // max(1, across)))
    side = min(side, height) if height else side
    if height:
        rows = [rows[0][: max(1, width // (side + 1))]]
    sheet = np.zeros((len(rows) * (side + 1), across * (side + 1), 3), dtype=np.uint8)
    for row, members in enumerate(rows):
        for column, index in enumerate(members):
            top, left = row * (side + 1), column * (side + 1)
            sheet[top : top + side, left : left + side] = resized(images[index], side, side)

    def read(y: int, x: int) -> str:
        row, column = y // (side + 1), x // (side + 1)
        if row < len(rows) and column < len(rows[row]):
            label = labels[rows[row][column]]
            return str(names[label] if label < len(names) else label)
        return ""

    return sheet[: -1 or None, : len(max(rows, key=len)) * (side + 1) - 1], read


def fitted(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """An image as large as it can be within a box of square pixels."""
    scale = min(width / image.shape[1], height / image.shape[0])
    return resized(image, round(image.shape[0] * scale), round(image.shape[1] * scale))


def load_image(path: Path, most: int = 512) -> np.ndarray:
    """Read an image file as `(height, width, 3)` uint8, no side longer than `most`.

    Raises:
        OSError: It is no image, or cannot be read.
    """
    from PIL import Image

    with Image.open(path) as picture:
        picture.draft("RGB", (most, most))
        picture.thumbnail((most, most))
        return np.asarray(picture.convert("RGB"))


def image_files(path: Path, cancelled: Event, most: int = 200) -> list[Path]:
    """The image itself, or the images in a folder and below, the first `most` of them.

    Args:
        path: A file or a folder.
        cancelled: Set by whoever no longer wants the answer.
        most: No more are looked for once these are found.
    """
    if path.is_file():
        return [path]
    return list(islice(_images_below(path, cancelled), most))


def _images_below(path: Path, cancelled: Event) -> Iterator[Path]:
    for folder, below, files in os.walk(path):
        if cancelled.is_set():
            return
        below.sort()
        yield from (Path(folder, name) for name in sorted(files) if _is_image(name))


def _is_image(name: str) -> bool:
    return name.lower().endswith(IMAGE_SUFFIXES)
