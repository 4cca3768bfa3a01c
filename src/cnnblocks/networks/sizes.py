"""The smallest image that a network takes, and models of shapes without values."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import keras

from cnnblocks.networks.errors import NetworkError

_LARGEST_SIZE = 4096


def without_values(build: Callable[..., keras.Model], **arguments: Any) -> keras.Model:
    """Call `build` where Keras variables stay uninitialized and take no memory.

    Keras keeps a list, one for each thread, of variables to initialize later. In a thread of its
    own that list goes with the thread, instead of being filled in by the next training step.
    """

    def stateless() -> keras.Model:
        with keras.StatelessScope(initialize_variables=False):
            return build(**arguments)

    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(stateless).result()


def min_size(build: Callable[..., keras.Model], channels: int, network_args: dict[str, Any]) -> int:
    """Return the smallest height and width of an image that the network takes.

    Doubles a size until it works, then halves the interval; only shapes are computed.
    """
    features = without_values(
        build,
        input_shape=(None, None, channels),
        include_top=False,
        data_format="channels_last",
        dtype="float32",
        **network_args,
    )
    fails, works = 0, 1
    while not _takes(features, works, channels):
        fails, works = works, 2 * works
        if works > _LARGEST_SIZE:
            raise NetworkError(f"No square image up to {fails} pixels wide fits the network.")
    while works - fails > 1:
        middle = (works + fails) // 2
        if _takes(features, middle, channels):
            works = middle
        else:
            fails = middle
    return works


def _takes(features: keras.Model, size: int, channels: int) -> bool:
    try:
        shape = features.compute_output_shape((None, size, size, channels))
    except ValueError:
        return False
    return 0 not in shape


def size_reason(
    build: Callable[..., keras.Model],
    network_args: dict[str, Any],
    input_shape: tuple[int | None, ...],
    data_format: str | None,
) -> str | None:
    """Say which image is the smallest that fits, if the one of `input_shape` is too small."""
    if (data_format or keras.config.image_data_format()) == "channels_first":
        channels, *size = input_shape
    else:
        *size, channels = input_shape
    known = [side for side in size if side is not None]
    if channels is None or not known:
        return None
    smallest = min_size(build, channels, network_args)
    if min(known) >= smallest:
        return None
    return (
        f"The smallest images it takes are {smallest}x{smallest} (height x width). "
        f"Received: input_shape={tuple(input_shape)}"
    )
