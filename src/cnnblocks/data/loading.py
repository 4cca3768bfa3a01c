"""From what a person writes after `--data` to a data set."""

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Literal, get_args
from zipfile import is_zipfile

from cnnblocks.data import digits, folder, idx, keras_datasets, npz
from cnnblocks.data.dataset import Dataset, Split
from cnnblocks.data.errors import DataError
from cnnblocks.data.source import Part, Source
from cnnblocks.data.splits import spread, stratified, tail
from cnnblocks.paths import expanded

Validation = Literal["holdout", "tail", "test", "none"]
OnCorrupt = Literal["error", "skip"]
_TEST_SEED = 0


def load(
    source: str | Path,
    *,
    validation: Validation = "holdout",
    validation_split: float = 0.1,
    test_split: float = 0.2,
    seed: int = 0,
    limit: int | None = None,
    on_corrupt: OnCorrupt = "error",
    memory: int | None = None,
) -> Dataset:
    """Open a data set.

    Args:
        source: `"digits"`, `"mnist"`, `"fashion_mnist"`, `"cifar10"`, `"cifar100"`; or the path of
            a folder of images, of a folder of IDX files, or of a `.npz` file. Which of these it
            is is found out from its content.
        validation: Where the images to choose by come from. `"holdout"`: the source's own
            validation images, else the share `validation_split` of every class, at random;
            `"tail"`: the last share of the training images as they are stored, as Keras'
            `validation_split` does, for sources stored in random order; `"test"`: the test
            images; `"none"`: no validation.
        validation_split: The share to hold out, from 0 (none) to below 1.
        test_split: The share of every class to set apart for the test where the source sets none
            apart. Always the same images, whatever `seed` is.
        seed: Which images are held out for validation.
        limit: Use so many training images at most, of every class in proportion, with those that
            are then held out for validation among them.
        on_corrupt: `"error"` to stop at an image that cannot be read, `"skip"` to look at every
            image now and leave those out.
        memory: How many bytes of images each split may keep in memory; `None` for half of what is
            free.

    Returns:
        The data set, with at least two classes and images of each to train on.

    Raises:
        DataError: The source is unknown or missing, or cannot be trained on; the message says why.

    Example:

        >>> dataset = load("digits")
        >>> len(dataset.train), len(dataset.validation), len(dataset.test)
        (1295, 143, 359)
    """
    _check_arguments(validation, validation_split, test_split, on_corrupt)
    found = _find(source, on_corrupt, memory)
    found.check()
    notes = list(found.notes)
    train, test = _with_test(found, test_split, memory, notes)
    if limit is not None and limit < len(train):
        train = _limited(train, limit, seed)
        notes.append(f"training: limited to {limit} images")
    chosen: Split | None = None
    if validation == "test":
        chosen = test
        notes.append("validation: the test images, so the test result is not independent")
    elif validation == "holdout" and found.validation is not None:
        chosen = _split(found, found.validation, memory)
    elif validation != "none" and validation_split:
        train, chosen = _hold_out(train, validation, validation_split, seed)
        notes.append(f"validation: {len(chosen)} images held out of the training images")
    return Dataset(
        name=found.name,
        source=found.location,
        class_names=found.class_names,
        train=train,
        validation=chosen,
        test=test,
        notes=tuple(notes),
        skipped=tuple(found.skipped),
    )


@dataclass(frozen=True)
class KnownSource:
    """A data set that is known by name.

    Args:
        name: What to give to `load`.
        description: A line about it.
        present: Whether it is on this machine already.
    """

    name: str
    description: str
    present: bool


def known_sources() -> list[KnownSource]:
    """Return the data sets that are known by name.

    Example:

        >>> [known.name for known in known_sources()]
        ['digits', 'mnist', 'fashion_mnist', 'cifar10', 'cifar100']
    """
    built_in = KnownSource("digits", "1,797 handwritten digits, 8x8 grey", present=True)
    return [
        built_in,
        *(
            KnownSource(name, download.description, keras_datasets.present(name))
            for name, download in keras_datasets.DOWNLOADS.items()
        ),
    ]


def _find(source: str | Path, on_corrupt: OnCorrupt, memory: int | None) -> Source:
    if source == "digits":
        return digits.read()
    if source in keras_datasets.DOWNLOADS:
        return keras_datasets.read(str(source))
    path = expanded(source).absolute()
    if path.is_dir():
        return idx.read(path, memory) if idx.find(path) else folder.read(path, on_corrupt)
    if not path.exists():
        raise DataError(_unknown(str(source)))
    if is_zipfile(path):
        return npz.read(path, memory)
    raise DataError(
        f"{path} is neither a folder nor a .npz file. Expected a folder of images with one folder "
        "for each class, a folder of IDX files, or a .npz file with x_train and y_train."
    )


def _unknown(source: str) -> str:
    names = [known.name for known in known_sources()]
    close = get_close_matches(source.lower().replace("-", "_"), names, n=1)
    guess = f" Did you mean {close[0]}?" if close else ""
    return f"There is no file or folder {source}, and no data set of that name.{guess} " + (
        f"Known by name: {', '.join(names)}."
    )


def _split(found: Source, part: Part, memory: int | None) -> Split:
    return Split(part.images, part.labels, found.class_names, memory=memory)


def _with_test(
    found: Source, share: float, memory: int | None, notes: list[str]
) -> tuple[Split, Split]:
    train = _split(found, found.train, memory)
    if found.test is not None:
        return train, _split(found, found.test, memory)
    kept, apart = stratified(train.labels, share, _TEST_SEED)
    if not len(apart):
        raise DataError(f"{found.location} has too few images to set any apart for the test.")
    notes.append(f"test: {len(apart)} images held out of {found.location}")
    return train.subset(kept), train.subset(apart)


def _hold_out(train: Split, how: str, share: float, seed: int) -> tuple[Split, Split]:
    if how == "tail":
        kept, apart = tail(len(train), share)
    else:
        kept, apart = stratified(train.labels, share, seed)
    if not len(apart):
        raise DataError(
            f"{len(train)} training images are too few to hold out {share:.0%} for validation. "
            "Add images, or train without validation images."
        )
    rest = train.subset(kept)
    lost = [name for name, count in zip(rest.class_names, rest.class_counts) if not count]
    if lost:
        raise DataError(
            f"Without the last {share:.0%} of the images none of class {', '.join(lost[:5])} is "
            'left to train on: they are stored class by class. Use validation="holdout".'
        )
    return rest, train.subset(apart)


def _limited(train: Split, limit: int, seed: int) -> Split:
    if limit < len(train.class_names):
        raise DataError(
            f"limit must be at least the number of classes, {len(train.class_names)}. "
            f"Received: limit={limit}"
        )
    return train.subset(spread(train.labels, limit, seed))


def _check_arguments(
    validation: str, validation_split: float, test_split: float, on_corrupt: str
) -> None:
    for name, value, choices in (
        ("validation", validation, get_args(Validation)),
        ("on_corrupt", on_corrupt, get_args(OnCorrupt)),
    ):
        if value not in choices:
            raise DataError(
                f"{name} must be one of {', '.join(choices)}. Received: {name}={value!r}"
            )
    if not 0 <= validation_split < 1:
        raise DataError(
            "validation_split must be 0 or more and below 1. "
            f"Received: validation_split={validation_split}"
        )
    if not 0 < test_split < 1:
        raise DataError(f"test_split must be between 0 and 1. Received: test_split={test_split}")
