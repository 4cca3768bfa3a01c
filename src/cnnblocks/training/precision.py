"""In which precision a network computes."""

from cnnblocks.training.errors import TrainingError

PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16", "auto")


class PrecisionError(TrainingError, ValueError):
    """The precision asked for is unknown."""


def check(precision: str) -> str:
    """Return `precision` if it is one of `PRECISIONS`, or raise `PrecisionError`."""
    if precision not in PRECISIONS:
        raise PrecisionError(
            f"The precision must be one of {', '.join(PRECISIONS)}. Received: {precision!r}"
        )
    return precision


def resolve(precision: str, devices: list[str]) -> str:
    """The Keras dtype policy for what the user asked for.

    Args:
        precision: One of `PRECISIONS`. `"auto"` is `mixed_bfloat16` where every device is a GPU
            that computes in bfloat16, else `float32`.
        devices: Keras' names of the devices, such as `"gpu:0"`.

    Raises:
        PrecisionError: The precision is unknown.

    Example:

        >>> resolve("auto", ["cpu:0"])
        'float32'
    """
    if check(precision) != "auto":
        return precision
    on_gpu = bool(devices) and all(name.startswith("gpu") for name in devices)
    return "mixed_bfloat16" if on_gpu and _has_bfloat16() else "float32"


def _has_bfloat16() -> bool:
    """Whether the GPUs have matrix units for bfloat16 (NVIDIA's compute capability 8 and later)."""
    import keras

    if keras.config.backend() == "torch":
        import torch

        return torch.cuda.get_device_capability()[0] >= 8
    if keras.config.backend() == "jax":
        import jax

        capability = getattr(jax.devices()[0], "compute_capability", "0")
        return float(capability) >= 8
    import tensorflow as tf

    details = tf.config.experimental.get_device_details(tf.config.get_visible_devices("GPU")[0])
    return details.get("compute_capability", (0, 0))[0] >= 8
