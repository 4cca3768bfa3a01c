"""Folders of images, one folder a class."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from cnnblocks.data.errors import DataError
from cnnblocks.data.images import EXTENSIONS, FileImages, unreadable
from cnnblocks.data.source import Part, Source

_SPLITS = {
    "train": ("train", "training"),
    "validation": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}


def read(folder: Path, on_corrupt: str = "error") -> Source:
    """Return the images of a folder.

    Either `train/<class>/`, with `test/<class>/` and `val/<class>/` (or `validation`) if there
    are such, or `<class>/` directly. Classes are the folders' names in Keras' order (sorted as
    text); images may lie deeper inside. What is hidden or has no image's extension is passed over.

    Args:
        folder: The folder.
        on_corrupt: `"skip"` to decode every image now and leave out those that cannot be read.

    Raises:
        DataError: There are no images, images outside classes, an empty class, or a class that
            the training images lack.
    """
    roots = _roots(folder)
    listings = {name: _listing(root) for name, root in roots.items()}
    class_names = tuple(listings["train"])
    skipped: list[str] = []
    parts = {}
    for name, listing in listings.items():
        _check_classes(roots[name], listing, class_names)
        if on_corrupt == "skip":
            listing = _readable(roots[name], listing, skipped)
        parts[name] = _part(roots[name], listing, class_names)
    return Source(
        name=folder.name,
        location=str(folder),
        class_names=class_names,
        notes=list(_lacking(listings, class_names)),
        skipped=skipped,
        train=parts["train"],
        test=parts.get("test"),
        validation=parts.get("validation"),
    )


def _roots(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in _folders(folder):
        for split, names in _SPLITS.items():
            if path.name.lower() in names:
                if split in found:
                    raise DataError(f"{folder} has both {found[split].name} and {path.name}.")
                found[split] = path
    if "train" in found:
        return found
    if "test" in found:
        raise DataError(
            f"{folder} has {found['test'].name} but no train folder beside it. "
            "Expected train/<class>/ and test/<class>/, or <class>/ alone."
        )
    return {"train": folder}


def _listing(root: Path) -> dict[str, list[str]]:
    """Return the images of every class, as paths under `root` with forward slashes."""
    classes = {path.name: sorted(_images(root, path)) for path in _folders(root)}
    if not any(classes.values()):
        raise DataError(_nothing_found(root))
    empty = [name for name, images in classes.items() if not images]
    if empty:
        raise DataError(
            f"{root}: no images in class {', '.join(empty[:5])}. Add some or remove the folder. "
            f"Extensions read: {' '.join(sorted(EXTENSIONS))}"
        )
    return classes


def _nothing_found(root: Path) -> str:
    if any(path.suffix.lower() in EXTENSIONS for path in root.iterdir()):
        return (
            f"The images lie directly in {root}, so nothing says what they show. "
            "Expected one folder for each class: <class>/image.jpg"
        )
    return (
        f"{root} has no images. Expected train/<class>/ and test/<class>/, <class>/ alone, or "
        "IDX files."
    )


def _folders(root: Path) -> list[Path]:
    try:
        paths = sorted(path for path in root.iterdir() if path.is_dir())
    except OSError as error:
        raise DataError(f"{root} cannot be listed: {error.strerror}") from error
    return [path for path in paths if not _hidden(path.name)]


def _images(root: Path, folder: Path) -> Iterator[str]:
    for directory, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not _hidden(name)]
        inside = Path(directory).relative_to(root).as_posix()
        for name in files:
            if not _hidden(name) and name[name.rfind(".") :].lower() in EXTENSIONS:
                yield f"{inside}/{name}"


def _hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _check_classes(root: Path, listing: dict[str, list[str]], class_names: tuple[str, ...]) -> None:
    unknown = sorted(set(listing) - set(class_names))
    if unknown:
        raise DataError(
            f"{root} has classes that the training images lack: {', '.join(unknown[:5])}. "
            f"Training has: {', '.join(class_names[:10])}"
        )


def _lacking(
    listings: dict[str, dict[str, list[str]]], class_names: tuple[str, ...]
) -> Iterator[str]:
    for split, listing in listings.items():
        missing = [name for name in class_names if name not in listing]
        if missing:
            yield f"no {split} images of {', '.join(missing[:5])}"


def _readable(
    root: Path, listing: dict[str, list[str]], skipped: list[str]
) -> dict[str, list[str]]:
    everything = (root / name for names in listing.values() for name in names)
    bad = {path.relative_to(root).as_posix() for path, _ in unreadable(everything)}
    skipped.extend(str(root / name) for name in sorted(bad))
    return {label: [n for n in names if n not in bad] for label, names in listing.items()}


def _part(root: Path, listing: dict[str, list[str]], class_names: tuple[str, ...]) -> Part:
    names = [name for label in class_names for name in listing.get(label, ())]
    if not names:
        raise DataError(f"{root}: not one image can be read.")
    labels = [np.full(len(listing.get(n, ())), i, np.int32) for i, n in enumerate(class_names)]
    return Part(FileImages(root, names), np.concatenate(labels))
