"""Where images come from, and the way from there to batches.

Importing this needs neither Keras nor scikit-learn.

Example:

    >>> from cnnblocks import data
    >>> dataset = data.load("digits")
    >>> preprocessing = data.Preprocessing((32, 32, 1))
    >>> batches = data.Batches(dataset.train, 64, preprocessing=preprocessing, shuffle=True)
    >>> images, labels = batches[0]
    >>> images.shape, labels.shape
    ((64, 32, 32, 1), (64,))
"""

from cnnblocks.data.augmentation import Augmentation
from cnnblocks.data.batches import Batches
from cnnblocks.data.dataset import Dataset, Split
from cnnblocks.data.errors import DataError
from cnnblocks.data.images import read_image
from cnnblocks.data.loading import KnownSource, known_sources, load
from cnnblocks.data.preprocessing import Preprocessing

__all__ = [
    "Augmentation",
    "Batches",
    "DataError",
    "Dataset",
    "KnownSource",
    "Preprocessing",
    "Split",
    "known_sources",
    "load",
    "read_image",
]
