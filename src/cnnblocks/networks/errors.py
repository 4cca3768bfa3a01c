"""What goes wrong when a network is asked for."""

import re

from cnnblocks.errors import CnnblocksError


class NetworkError(CnnblocksError, ValueError):
    """The network is unknown, or its arguments do not fit it."""


def keras_reason(error: Exception) -> str:
    """The sentence that matters in an error of Keras.

    Keras puts it in bold, between where it was raised and the arguments that were passed.
    """
    bold = re.search(r"\x1b\[1m(.*?)\x1b\[0m", str(error), re.DOTALL)
    return " ".join((bold.group(1) if bold else str(error)).split())
