"""Weight files: open any, understand it, compare two, load it safely.

Opening, statistics and comparison need h5py and NumPy only; `load_weights` alone touches Keras,
once it is called.

Example:

    >>> from cnnblocks import weights
    >>> with weights.open("model.weights.h5") as table:
    ...     print(table.totals.parameters)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from cnnblocks.weights.diff import (
    Movement,
    TableDifference,
    TensorDifference,
    compare,
    diff,
    movement,
)
from cnnblocks.weights.errors import WeightFileError
from cnnblocks.weights.extract import ExtractError, extract
from cnnblocks.weights.opening import open
from cnnblocks.weights.pairing import Pairing, Pairs, pair
from cnnblocks.weights.passes import Cancelled
from cnnblocks.weights.slicing import SliceError
from cnnblocks.weights.statistics import TensorStatistics, histogram, statistics
from cnnblocks.weights.table import ROLES, Layer, Tensor, Totals, WeightTable

__all__ = [
    "ROLES",
    "AmbiguousWeightsError",
    "Cancelled",
    "Candidate",
    "ExtractError",
    "Identification",
    "Layer",
    "LoadReport",
    "Movement",
    "Pairing",
    "Pairs",
    "SliceError",
    "Structure",
    "TableDifference",
    "Tensor",
    "TensorDifference",
    "TensorStatistics",
    "Totals",
    "WeightFileError",
    "WeightTable",
    "WeightsMismatchError",
    "compare",
    "diff",
    "extract",
    "histogram",
    "identify",
    "load_weights",
    "model_structure",
    "movement",
    "open",
    "pair",
    "plan",
    "statistics",
    "table_structure",
]

# What a look into a file does not need comes when it is asked for; `load` touches Keras besides.
_HOMES = {
    "AmbiguousWeightsError": "planning",
    "Candidate": "identification",
    "Identification": "identification",
    "LoadReport": "report",
    "Structure": "structure",
    "WeightsMismatchError": "planning",
    "identify": "identification",
    "load_weights": "load",
    "model_structure": "load",
    "plan": "planning",
    "table_structure": "structure",
}

if TYPE_CHECKING:
    from cnnblocks.weights.identification import Candidate, Identification, identify
    from cnnblocks.weights.load import load_weights, model_structure
    from cnnblocks.weights.planning import AmbiguousWeightsError, WeightsMismatchError, plan
    from cnnblocks.weights.report import LoadReport
    from cnnblocks.weights.structure import Structure, table_structure


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"cnnblocks.weights.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'cnnblocks.weights' has no attribute {name!r}")
