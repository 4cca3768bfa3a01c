"""Checks of the arguments that the blocks share."""

from collections.abc import Sequence
from numbers import Real
from operator import index
from typing import Any

import keras


def positive_integer(value: Any, name: str) -> int:
    """Return `value` as an `int`, or raise if it is not a positive integer."""
    if not _is_positive_integer(value):
        raise ValueError(f"`{name}` must be a positive integer. Received: {name}={value!r}")
    return index(value)


def positive_pair(value: Any, name: str) -> tuple[int, int]:
    """Return `value` as two `int`s (height, width); one integer stands for both."""
    pair = (value, value) if _is_positive_integer(value) else value
    if not isinstance(pair, Sequence) or len(pair) != 2 or not all(map(_is_positive_integer, pair)):
        raise ValueError(
            f"`{name}` must be a positive integer or a pair of positive integers "
            f"(height, width). Received: {name}={value!r}"
        )
    return index(pair[0]), index(pair[1])


def positive_number(value: Any, name: str) -> float:
    """Return `value` as a `float`, or raise if it is not a number above 0."""
    if not _is_number(value) or not value > 0:
        raise ValueError(f"`{name}` must be a number above 0. Received: {name}={value!r}")
    return float(value)


def fraction(value: Any, name: str) -> float:
    """Return `value` as a `float`, or raise if it is not a number in [0, 1)."""
    if not _is_number(value) or not 0 <= value < 1:
        raise ValueError(
            f"`{name}` must be a number of at least 0 and below 1. Received: {name}={value!r}"
        )
    return float(value)


def boolean(value: Any, name: str) -> bool:
    """Return `value`, or raise if it is neither `True` nor `False`."""
    if not isinstance(value, bool):
        raise ValueError(f"`{name}` must be True or False. Received: {name}={value!r}")
    return value


def optional_boolean(value: Any, name: str) -> bool | None:
    """Return `value`, or raise if it is none of `True`, `False` and `None`."""
    if value is not None and not isinstance(value, bool):
        raise ValueError(f"`{name}` must be True, False or None. Received: {name}={value!r}")
    return value


def padding_name(value: Any, name: str) -> str:
    """Return `value`, or raise if it is neither "valid" nor "same"."""
    if value not in ("valid", "same"):
        raise ValueError(f"`{name}` must be 'valid' or 'same'. Received: {name}={value!r}")
    return value


def resolved_data_format(value: Any) -> str:
    """Return `value`, or Keras' global data format for `None`."""
    if value is None:
        return keras.config.image_data_format()
    if value not in ("channels_last", "channels_first"):
        raise ValueError(
            "`data_format` must be 'channels_last', 'channels_first' or None. "
            f"Received: data_format={value!r}"
        )
    return value


def stateless_activation(value: Any, dtype: Any) -> Any:
    """Return the callable that `value` stands for; a layer takes over `dtype`.

    A layer with weights is refused: several convolutions of a block share one activation.
    """
    activation = keras.activations.get(value)
    if not isinstance(activation, keras.layers.Layer):
        return activation
    if not activation.built or activation.weights:
        raise ValueError(
            "`activation` must be a name, a function or a layer without weights. "
            f"Received: activation={value!r}"
        )
    return type(activation).from_config({**activation.get_config(), "dtype": dtype})


def _is_positive_integer(value: Any) -> bool:
    return hasattr(value, "__index__") and not isinstance(value, bool) and index(value) > 0


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
