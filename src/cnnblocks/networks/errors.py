"""What goes wrong when a network is asked for."""

from cnnblocks.errors import CnnblocksError


class NetworkError(CnnblocksError, ValueError):
    """The network is unknown, or its arguments do not fit it."""
