"""Weight files: open any, understand it, compare two, load it safely.

Opening, statistics and comparison need h5py and NumPy only; `load_weights` alone touches Keras,
once it is called.

Example:

    >>> from cnnblocks import weights
    >>> with weights.open("model.weights.h5") as table:
    ...     print(table.totals.parameters)
"""

from cnnblocks.weights.errors import WeightFileError
from cnnblocks.weights.opening import open
from cnnblocks.weights.slicing import SliceError
from cnnblocks.weights.table import ROLES, Layer, Tensor, Totals, WeightTable

__all__ = [
    "ROLES",
    "Layer",
    "SliceError",
    "Tensor",
    "Totals",
    "WeightFileError",
    "WeightTable",
    "open",
]
