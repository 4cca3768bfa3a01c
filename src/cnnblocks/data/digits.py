"""scikit-learn's 1,797 real handwritten digits, which need no download."""

import numpy as np

from cnnblocks.data.source import Source, part_of_arrays


def read() -> Source:
    """Return the digits: 8x8 pixels, grey, brought from scikit-learn's 0..16 to 0..255.

    Example:

        >>> len(read().train.labels)
        1797
    """
    from sklearn.datasets import load_digits

    bunch = load_digits()
    pixels = np.rint(bunch.images * (255 / 16)).astype(np.uint8)
    return Source(
        name="digits",
        location="digits",
        class_names=tuple("0123456789"),
        train=part_of_arrays(pixels, bunch.target, "digits"),
    )
