"""Checks of the arguments that the blocks share."""

from collections.abc import Sequence
from operator import index
from typing import Any

import keras


def positive_integer(value: Any, name: str) -> int:
    """Return `value` as an `int`, or raise if it is not a positive integer."""
    if not _is_positive_integer(value):
        raise ValueError(f"`{name}` must be a positive integer. Received: {name}={value!r}")
    return index(value)


def positive_pair(value: Any, name: str) -> tuple[int, int]:
    """Return `value` as two `int`s; one integer stands for both."""
    pair = (value, value) if _is_positive_integer(value) else value
    if not isinstance(pair, Sequence) or len(pair) != 2 or not all(map(_is_positive_integer, pair)):
        raise ValueError(
            f"`{name}` must be a positive integer or a pair of positive integers "
            f"(height, width). Received: {name}={value!r}"
        )
    return index(pair[0]), index(pair[1])


def boolean(value: Any, name: str) -> bool:
    """Return `value` if it is `True` or `False`, or raise."""
    if not isinstance(value, bool):
        raise ValueError(f"`{name}` must be True or False. Received: {name}={value!r}")
    return value


def one_of(value: Any, choices: Sequence[Any], name: str) -> Any:
    """Return `value` if it is among `choices`, or raise."""
    if value not in choices:
        expected = ", ".join(map(repr, choices))
        raise ValueError(f"`{name}` must be one of {expected}. Received: {name}={value!r}")
    return value


def rate(value: Any, name: str) -> float:
    """Return `value` as a `float`, or raise if it is outside [0, 1)."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1:
        raise ValueError(
            f"`{name}` must be a number of at least 0 and below 1. Received: {name}={value!r}"
        )
    return float(value)


def resolved_data_format(value: Any) -> str:
    """Return `value`, or Keras' global data format for `None`."""
    if value is None:
        return keras.config.image_data_format()
    return one_of(value, ("channels_last", "channels_first"), "data_format")


def stateless_activation(value: Any) -> Any:
    """Return the function or object for `value`; a layer with weights is refused."""
    activation = keras.activations.get(value)
    if isinstance(activation, keras.layers.Layer) and not activation.built:
        raise ValueError(
            "`activation` must be a name, a function or a layer without weights, since several "
            f"convolutions may share it. Received: activation={value!r}"
        )
    return activation


def _is_positive_integer(value: Any) -> bool:
    return hasattr(value, "__index__") and not isinstance(value, bool) and index(value) > 0
