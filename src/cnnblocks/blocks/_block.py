"""What every block does alike: its common arguments, children, building and saving."""

from typing import Any

import keras

from cnnblocks.blocks._arguments import boolean, resolved_data_format, stateless_activation

Shape = tuple[int | None, ...]


class Block(keras.layers.Layer):
    """Base of the layers in this package: images in, images out."""

    def __init__(
        self,
        activation: Any,
        kernel_initializer: Any,
        kernel_regularizer: Any,
        data_format: str | None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.activation = stateless_activation(activation)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.data_format = resolved_data_format(data_format)
        self.channel_axis = -1 if self.data_format == "channels_last" else 1
        self.input_spec = keras.layers.InputSpec(ndim=4)

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

    def child_arguments(self, name: str) -> dict[str, Any]:
        """Arguments that every sublayer gets, so that dtype and freezing reach it."""
        return {"name": name, "dtype": self.dtype_policy, "trainable": self.trainable}

    def kernel_arguments(self) -> dict[str, Any]:
        """Arguments of a convolution's kernel, with an initializer of its own.

        An unseeded initializer draws its seed when it is made, so one that two kernels of equal
        shape share would fill both with the same numbers.
        """
        initializer = self.kernel_initializer
        if isinstance(initializer, keras.initializers.Initializer):
            initializer = initializer.clone()
        return {
            "kernel_initializer": initializer,
            "kernel_regularizer": self.kernel_regularizer,
            "data_format": self.data_format,
        }

    def image_shape(
        self, input_shape: Any, min_size: tuple[int, int] = (1, 1), reason: str = ""
    ) -> Shape:
        """Return `input_shape` as a tuple, or raise if the block cannot take such images."""
        shape = tuple(input_shape)
        if len(shape) != 4:
            raise ValueError(
                f"{type(self).__name__} takes a batch of images, a shape of 4 dimensions. "
                f"Received: input_shape={shape}"
            )
        if shape[self.channel_axis] is None:
            raise ValueError(
                f"{type(self).__name__} must know the number of channels (axis "
                f"{self.channel_axis}, data_format='{self.data_format}'). "
                f"Received: input_shape={shape}"
            )
        size = shape[1:3] if self.data_format == "channels_last" else shape[2:4]
        if any(given is not None and given < least for given, least in zip(size, min_size)):
            raise ValueError(
                f"{type(self).__name__} needs images of at least {min_size[0]}x{min_size[1]}"
                f"{reason}. Received: input_shape={shape}"
            )
        return shape

    def with_channels(self, shape: Shape, channels: int) -> Shape:
        """Return `shape` with another number of channels."""
        changed = list(shape)
        changed[self.channel_axis] = channels
        return tuple(changed)


class BatchNormBlock(Block):
    """Base of the blocks that may normalize their batches."""

    def __init__(
        self,
        freeze_statistics: bool,
        batch_norm_momentum: float,
        batch_norm_epsilon: float,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.freeze_statistics = boolean(freeze_statistics, "freeze_statistics")
        self.batch_norm_momentum = float(batch_norm_momentum)
        self.batch_norm_epsilon = float(batch_norm_epsilon)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.update(
            {
                "freeze_statistics": self.freeze_statistics,
                "batch_norm_momentum": self.batch_norm_momentum,
                "batch_norm_epsilon": self.batch_norm_epsilon,
            }
        )
        return config

    def batch_norm_arguments(self) -> dict[str, Any]:
        """Arguments that a `ConvBNRelu` inside this block gets."""
        return {
            "freeze_statistics": self.freeze_statistics,
            "batch_norm_momentum": self.batch_norm_momentum,
            "batch_norm_epsilon": self.batch_norm_epsilon,
        }


def build_chain(layers: list[keras.layers.Layer], shape: Shape) -> Shape:
    """Build `layers`, each on the output of the one before, and return the last one's shape."""
    for layer in layers:
        layer.build(shape)
        shape = layer.compute_output_shape(shape)
    return shape


def chain_output_shape(layers: list[keras.layers.Layer], shape: Shape) -> Shape:
    """Return the shape that `shape` has after `layers`."""
    for layer in layers:
        shape = layer.compute_output_shape(shape)
    return shape
