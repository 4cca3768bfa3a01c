"""What goes wrong when a model is taken apart."""

from cnnblocks.errors import CnnblocksError


class AnalysisError(CnnblocksError, ValueError):
    """The model, or what was asked about it, cannot be analysed."""
