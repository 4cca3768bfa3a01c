"""Setting images apart."""

import numpy as np


def stratified(labels: np.ndarray, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Set the same share of every class apart, at random but always the same.

    A class of two images or more keeps at least one on either side; a single image stays.

    Args:
        labels: The class of each image.
        share: How much to set apart, between 0 and 1.
        seed: Which ones.

    Returns:
        Positions kept and positions set apart, both ascending.

    Example:

        >>> kept, apart = stratified(np.repeat([0, 1], 10), 0.2, seed=0)
        >>> len(kept), np.bincount(np.repeat([0, 1], 10)[apart]).tolist()
        (16, [2, 2])
    """
    order = _permutation(len(labels), seed)
    apart = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        members = order[labels[order] == label]
        apart[members[: _quota(len(members), share)]] = True
    return np.flatnonzero(~apart), np.flatnonzero(apart)


def spread(labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Choose exactly `count` images at random, from every class in proportion.

    Of every class there are two, if it has them and `count` allows, so that one can be held out.

    Returns:
        Their positions, ascending.

    Example:

        >>> labels = np.repeat([0, 1], [30, 10])
        >>> np.bincount(labels[spread(labels, 8, seed=0)]).tolist()
        [6, 2]
    """
    order = _permutation(len(labels), seed)
    rank = np.empty(len(labels))
    for label in np.unique(labels):
        members = order[labels[order] == label]
        rank[members] = (np.arange(len(members)) + 0.5) / len(members)
        # Before all others come the first of every class, then the second.
        rank[members[:2]] = (-2.0, -1.0)[: len(members)]
    return np.sort(np.argsort(rank, kind="stable")[:count])


def tail(count: int, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Set the last images apart, as Keras' `validation_split` does.

    Example:

        >>> [positions.tolist() for positions in tail(5, 0.4)]
        [[0, 1, 2], [3, 4]]
    """
    first = int(count * (1 - share))
    return np.arange(first), np.arange(first, count)


def _permutation(count: int, seed: int) -> np.ndarray:
    # NumPy promises this generator's numbers for ever, unlike the newer one's: a test image must
    # not become a training image with an update.
    return np.random.RandomState(seed % 2**32).permutation(count)


def _quota(count: int, share: float) -> int:
    if count < 2 or share == 0:
        return 0
    return min(count - 1, max(1, round(count * share)))
