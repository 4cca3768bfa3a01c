"""What the blocks do alike: their common arguments, sublayers, building and saving."""

from collections.abc import Iterable
from typing import Any

import keras

from cnnblocks.blocks._arguments import (
    boolean,
    fraction,
    positive_number,
    resolved_data_format,
    stateless_activation,
)

Shape = tuple[int | None, ...]


class Block(keras.layers.Layer):
    """Base of all blocks: a layer from images to images."""

    def __init__(
        self,
        *,
        activation: Any,
        kernel_initializer: Any,
        kernel_regularizer: Any,
        data_format: str | None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.activation = stateless_activation(activation, self.dtype_policy)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.data_format = resolved_data_format(data_format)
        self.input_spec = keras.layers.InputSpec(ndim=4)
        self._channel_axis = -1 if self.data_format == "channels_last" else 1

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.update(
            {
                "activation": keras.activations.serialize(self.activation),
                "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
                "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
                "data_format": self.data_format,
            }
        )
        return config

    def _sublayer_arguments(self, name: str) -> dict[str, Any]:
        """Return what every sublayer is given, so that dtype and freezing reach it."""
        return {"name": name, "dtype": self.dtype_policy, "trainable": self.trainable}

    def _conv_arguments(self, name: str) -> dict[str, Any]:
        """Return what every convolution is given, with a kernel initializer of its own.

        An unseeded initializer draws its seed once, when it is made: two kernels of equal shape
        that shared it would start with the same numbers.
        """
        initializer = self.kernel_initializer
        if isinstance(initializer, keras.initializers.Initializer):
            initializer = initializer.clone()
        return {
            "kernel_initializer": initializer,
            "kernel_regularizer": self.kernel_regularizer,
            "data_format": self.data_format,
            **self._sublayer_arguments(name),
        }

    def _image_shape(self, shape: Iterable[int | None]) -> Shape:
        """Return `shape` as a tuple, or raise if it is none of a batch of images."""
        shape = tuple(shape)
        if len(shape) != 4:
            raise ValueError(
                f"{type(self).__name__} expects a batch of images, a shape of 4 dimensions. "
                f"Received: input_shape={shape}"
            )
        if shape[self._channel_axis] is None:
            raise ValueError(
                f"{type(self).__name__} must know the number of channels, axis "
                f"{self._channel_axis} with data_format={self.data_format!r}. "
                f"Received: input_shape={shape}"
            )
        return shape

    def _require_size(self, shape: Shape, least: tuple[int, int], why: str) -> None:
        """Raise if the images of `shape` are known to be smaller than `least`."""
        size = shape[1:3] if self.data_format == "channels_last" else shape[2:4]
        if any(given is not None and given < needed for given, needed in zip(size, least)):
            raise ValueError(
                f"{type(self).__name__} needs images of at least {least[0]}x{least[1]} pixels "
                f"with {why}. Received: input_shape={shape}"
            )


class BatchNormBlock(Block):
    """Base of the blocks that normalize, or can."""

    def __init__(
        self,
        *,
        freeze_statistics: bool,
        batch_norm_momentum: float,
        batch_norm_epsilon: float,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.freeze_statistics = boolean(freeze_statistics, "freeze_statistics")
        self.batch_norm_momentum = fraction(batch_norm_momentum, "batch_norm_momentum")
        self.batch_norm_epsilon = positive_number(batch_norm_epsilon, "batch_norm_epsilon")

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.update(self._batch_norm_arguments())
        return config

    def _batch_norm_arguments(self) -> dict[str, Any]:
        """Return what every normalizing sublayer block is given."""
        return {
            "freeze_statistics": self.freeze_statistics,
            "batch_norm_momentum": self.batch_norm_momentum,
            "batch_norm_epsilon": self.batch_norm_epsilon,
        }


def build_chain(layers: Iterable[keras.layers.Layer], shape: Shape) -> None:
    """Build `layers`, each on the output of the one before it."""
    for layer in layers:
        layer.build(shape)
        shape = layer.compute_output_shape(shape)


def chain_output_shape(layers: Iterable[keras.layers.Layer], shape: Shape) -> Shape:
    """Return what `shape` becomes by going through `layers`."""
    for layer in layers:
        shape = layer.compute_output_shape(shape)
    return shape


def call_chain(layers: Iterable[keras.layers.Layer], x: Any, training: bool | None = None) -> Any:
    """Return the output of the last of `layers`, called one after the other on `x`."""
    for layer in layers:
        x = layer(x, training=training)
    return x
