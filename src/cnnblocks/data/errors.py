"""What can be wrong with somebody's data."""

from cnnblocks.errors import CnnblocksError


class DataError(CnnblocksError, ValueError):
    """Images, labels or a way of preparing them that cannot be used as they are."""
