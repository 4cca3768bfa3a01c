"""What the layers of a network share: the caller's choices."""

from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

from cnnblocks.networks.errors import NetworkError

POOLING = {"avg": layers.GlobalAveragePooling2D, "max": layers.GlobalMaxPooling2D}


@dataclass(frozen=True)
class Frame:
    """The caller's choices that every layer of a network follows.

    A network's function gets one, passes `**frame.spatial` to layers that see images and
    `dtype=frame.dtype` to those that do not, and builds its head only `if frame.include_top`.

    Attributes:
        num_classes: Number of classes.
        include_top: Whether the network ends in its classifier.
        classifier_activation: Activation of the classifier, `None` for logits.
        data_format: `"channels_last"` or `"channels_first"`.
        dtype: The `keras.DTypePolicy` of the layers.
    """

    num_classes: int
    include_top: bool
    classifier_activation: Any
    data_format: str
    dtype: keras.DTypePolicy

    @property
    def spatial(self) -> dict[str, Any]:
        """Arguments for a layer that knows height, width and channels."""
        return {"data_format": self.data_format, "dtype": self.dtype}

    @property
    def head_dtype(self) -> str:
        """The dtype of the classifier: that of its variables.

        Under `mixed_bfloat16` and `mixed_float16` that is float32, since probabilities rounded to
        half precision give a poor loss.
        """
        return self.dtype.variable_dtype

    def flatten(self, x: Any) -> Any:
        """All features in one row; their number must be known."""
        if None in x.shape[1:]:
            raise NetworkError(
                "The network flattens its features, so height and width of `input_shape` must be "
                f"numbers. Received features of shape {x.shape}. Give the size, or leave the head "
                "out with include_top=False."
            )
        return layers.Flatten(name="flatten", **self.spatial)(x)

    def global_pool(self, x: Any, pooling: str = "avg") -> Any:
        """The average, or maximum, of every channel over height and width."""
        return POOLING[pooling](name="global_pool", **self.spatial)(x)

    def classifier(self, x: Any, **arguments: Any) -> Any:
        """The last Dense layer; `arguments` go to `keras.layers.Dense`."""
        return layers.Dense(
            self.num_classes,
            activation=self.classifier_activation,
            dtype=self.head_dtype,
            name="classifier",
            **arguments,
        )(x)

    def activated(self, x: Any) -> Any:
        """`x` with the classifier's activation, for a head that does not end in `classifier`."""
        if self.classifier_activation is None:
            return x
        return layers.Activation(
            self.classifier_activation, name="classifier_activation", dtype=self.head_dtype
        )(x)


def scaled(filters: int, width: float) -> int:
    """`filters` times `width`, rounded, and at least one."""
    if isinstance(width, bool) or not isinstance(width, int | float) or width <= 0:
        raise NetworkError(f"width must be a positive number. Received: {width!r}")
    return max(1, round(filters * width))
