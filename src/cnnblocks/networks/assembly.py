"""From a network's function to a model."""

from collections.abc import Callable
from operator import index
from typing import Any

import keras

from cnnblocks.networks.errors import NetworkError
from cnnblocks.networks.frame import POOLING, Frame

Body = Callable[..., Any]


def assemble(
    body: Body,
    network_args: dict[str, Any],
    *,
    input_shape: Any,
    num_classes: int,
    include_top: bool,
    pooling: str | None,
    classifier_activation: Any,
    data_format: str | None,
    dtype: Any,
    name: str,
) -> keras.Model:
    """Build the model whose layers `body` lays between the images and the output."""
    _check_pooling(include_top, pooling)
    frame = Frame(
        _checked_classes(num_classes),
        include_top,
        classifier_activation,
        _resolved_data_format(data_format),
        keras.dtype_policies.get(dtype or keras.config.dtype_policy()),
    )
    images = keras.Input(_checked_shape(input_shape, frame.data_format), name="images")
    outputs = body(images, frame, **network_args)
    if pooling:
        outputs = frame.global_pool(outputs, pooling)
    return keras.Model(images, outputs, name=name)


def _checked_classes(given: Any) -> int:
    if not _is_size(given):
        raise NetworkError(f"num_classes must be a positive integer. Received: {given!r}")
    return index(given)


def _is_size(given: Any) -> bool:
    """Whether something is a positive integer, be it Python's or NumPy's."""
    try:
        return not isinstance(given, bool) and index(given) > 0
    except TypeError:
        return False


def _check_pooling(include_top: bool, pooling: str | None) -> None:
    if pooling is not None and pooling not in POOLING:
        raise NetworkError(f"pooling must be 'avg', 'max' or None. Received: {pooling!r}")
    if pooling is not None and include_top:
        raise NetworkError(
            f"pooling={pooling!r} pools the features of a network without its head. "
            "Add include_top=False, or leave pooling out."
        )


def _resolved_data_format(data_format: str | None) -> str:
    if data_format is None:
        return keras.config.image_data_format()
    if data_format not in ("channels_last", "channels_first"):
        raise NetworkError(
            "data_format must be 'channels_last', 'channels_first' or None. "
            f"Received: {data_format!r}"
        )
    return data_format


def _checked_shape(given: Any, data_format: str) -> tuple[int | None, ...]:
    channels_first = data_format == "channels_first"
    order = "(channels, height, width)" if channels_first else "(height, width, channels)"
    shape = tuple(given) if isinstance(given, list | tuple) else ()
    sizes_fit = all(size is None or _is_size(size) for size in shape)
    if len(shape) != 3 or not sizes_fit or shape[0 if channels_first else 2] is None:
        raise NetworkError(
            f"input_shape must be {order}, positive integers, where height and width may be None. "
            f"Received: input_shape={given!r}"
        )
    return tuple(size if size is None else index(size) for size in shape)
