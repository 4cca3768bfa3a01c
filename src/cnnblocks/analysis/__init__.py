"""Taking models apart and comparing runs: layer tables, curves, comparisons.

The functions come from their modules on first use, so that importing this package is quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

_HOMES = {
    "AnalysisError": "cnnblocks.analysis.errors",
    "ComparedRun": "cnnblocks.analysis.comparison",
    "Comparison": "cnnblocks.analysis.comparison",
    "LayerTable": "cnnblocks.analysis.layer_table",
    "Requirements": "cnnblocks.analysis.requirements",
    "Row": "cnnblocks.analysis.layer_table",
    "compare": "cnnblocks.analysis.comparison",
    "differences": "cnnblocks.analysis.comparison",
    "explain": "cnnblocks.analysis.explanation",
    "plot_curves": "cnnblocks.analysis.curves",
    "estimate_requirements": "cnnblocks.analysis.requirements",
    "summarize": "cnnblocks.analysis.summary",
    "summarize_file": "cnnblocks.analysis.saved_model",
}

__all__ = [
    "AnalysisError",
    "ComparedRun",
    "Comparison",
    "LayerTable",
    "Requirements",
    "Row",
    "compare",
    "differences",
    "explain",
    "plot_curves",
    "estimate_requirements",
    "summarize",
    "summarize_file",
]

if TYPE_CHECKING:
    from cnnblocks.analysis.comparison import ComparedRun, Comparison, compare, differences
    from cnnblocks.analysis.curves import plot_curves
    from cnnblocks.analysis.errors import AnalysisError
    from cnnblocks.analysis.explanation import explain
    from cnnblocks.analysis.layer_table import LayerTable, Row
    from cnnblocks.analysis.requirements import Requirements, estimate_requirements
    from cnnblocks.analysis.saved_model import summarize_file
    from cnnblocks.analysis.summary import summarize


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'cnnblocks.analysis' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
