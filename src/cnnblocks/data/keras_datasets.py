"""The data sets that Keras downloads and keeps."""

import os
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from cnnblocks.data.errors import DataError
from cnnblocks.data.source import Source, part_of_arrays

_GOOGLE = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
_TORONTO = "https://www.cs.toronto.edu/~kriz/"
_DIGITS = tuple("0123456789")
_FASHION = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
_CIFAR10 = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
_CIFAR100 = (
    "apple", "aquarium_fish", "baby", "bear", "beaver", "bed", "bee", "beetle", "bicycle",
    "bottle", "bowl", "boy", "bridge", "bus", "butterfly", "camel", "can", "castle",
    "caterpillar", "cattle", "chair", "chimpanzee", "clock", "cloud", "cockroach", "couch",
    "crab", "crocodile", "cup", "dinosaur", "dolphin", "elephant", "flatfish", "forest", "fox",
    "girl", "hamster", "house", "kangaroo", "keyboard", "lamp", "lawn_mower", "leopard", "lion",
    "lizard", "lobster", "man", "maple_tree", "motorcycle", "mountain", "mouse", "mushroom",
    "oak_tree", "orange", "orchid", "otter", "palm_tree", "pear", "pickup_truck", "pine_tree",
    "plain", "plate", "poppy", "porcupine", "possum", "rabbit", "raccoon", "ray", "road",
    "rocket", "rose", "sea", "seal", "shark", "shrew", "skunk", "skyscraper", "snail", "snake",
    "spider", "squirrel", "streetcar", "sunflower", "sweet_pepper", "table", "tank",
    "telephone", "television", "tiger", "tractor", "train", "trout", "tulip", "turtle",
    "wardrobe", "whale", "willow_tree", "wolf", "woman", "worm",
)  # fmt: skip


@dataclass(frozen=True)
class Download:
    """A data set of Keras'.

    Args:
        description: What it shows, for lists.
        class_names: The classes' names, in the order of the labels.
        files: Where each file comes from, by its path under Keras' directory.
    """

    description: str
    class_names: tuple[str, ...]
    files: dict[str, str]


DOWNLOADS = {
    "mnist": Download(
        "70,000 handwritten digits, 28x28 grey",
        _DIGITS,
        {"datasets/mnist.npz": _GOOGLE + "mnist.npz"},
    ),
    "fashion_mnist": Download(
        "70,000 pieces of clothing, 28x28 grey",
        _FASHION,
        {
            f"datasets/fashion-mnist/{name}": _GOOGLE + name
            for name in (
                "train-labels-idx1-ubyte.gz",
                "train-images-idx3-ubyte.gz",
                "t10k-labels-idx1-ubyte.gz",
                "t10k-images-idx3-ubyte.gz",
            )
        },
    ),
    "cifar10": Download(
        "60,000 photographs of 10 kinds of things, 32x32 colour",
        _CIFAR10,
        {
            "datasets/cifar-10-batches-py-target_archive": _TORONTO + "cifar-10-python.tar.gz",
        },
    ),
    "cifar100": Download(
        "60,000 photographs of 100 kinds of things, 32x32 colour",
        _CIFAR100,
        {
            "datasets/cifar-100-python-target_archive": _TORONTO + "cifar-100-python.tar.gz",
        },
    ),
}


def read(name: str) -> Source:
    """Return one of Keras' data sets, downloading it into Keras' directory the first time.

    Args:
        name: A key of `DOWNLOADS`.

    Raises:
        DataError: It is not there and cannot be downloaded; the message names the missing file,
            where it comes from and where to put it.
    """
    import keras

    download = DOWNLOADS[name]
    try:
        with redirect_stdout(sys.stderr):  # Keras' progress bar writes to stdout
            train, test = getattr(keras.datasets, name).load_data()
    except Exception as error:  # Keras raises a bare Exception when a download fails
        raise DataError(_advice(name, download, error)) from error
    return Source(
        name=name,
        location=name,
        class_names=download.class_names,
        train=part_of_arrays(train[0], train[1], f"{name} (train)"),
        test=part_of_arrays(test[0], test[1], f"{name} (test)"),
    )


def directory() -> Path:
    """Return where Keras keeps its files."""
    return Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")


def present(name: str) -> bool:
    """Return whether every file of a data set has been downloaded already."""
    return all((directory() / file).exists() for file in DOWNLOADS[name].files)


def _advice(name: str, download: Download, error: Exception) -> str:
    missing = {f: url for f, url in download.files.items() if not (directory() / f).exists()}
    if not missing:
        return (
            f"{name} cannot be read: {error}. Its files in {directory() / 'datasets'} may be "
            "damaged; delete them to have them downloaded again."
        )
    steps = "; ".join(f"download {url} and save it as {directory() / f}"
                      for f, url in missing.items())  # fmt: skip
    here = f" For the {name} in this folder, write ./{name}." if Path(name).exists() else ""
    return (
        f"{name} is not on this machine and cannot be downloaded ({error}).{here} By hand: {steps}."
    )
