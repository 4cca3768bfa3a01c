"""A convolution and two of 1x1 after it: the block of Network in Network."""

from typing import Any

import keras

from cnnblocks.blocks._arguments import padding_name, positive_integer, positive_pair
from cnnblocks.blocks._base import Block, Shape, build_chain, call_chain
from cnnblocks.blocks._conv2d import Conv2D


@keras.saving.register_keras_serializable(package="cnnblocks")
class NiNBlock(Block):
    """A convolution followed by two 1x1 convolutions, each with its activation.

    The 1x1 convolutions are a small fully connected network that runs at every pixel over its
    channels: the "network in network". The last one, too, is followed by the activation.

    Example:

    >>> images = np.random.rand(4, 32, 32, 3)
    >>> block = cnnblocks.NiNBlock(96, kernel_size=11, strides=4, padding="valid")
    >>> keras.ops.shape(block(images))
    (4, 6, 6, 96)

    Args:
        filters: Integer, the number of output channels of each convolution.
        kernel_size: Integer or pair of integers, height and width of the first kernel.
        strides: Integer or pair of integers, the strides of the first convolution. Defaults to
            `1`.
        padding: `"same"` or `"valid"`, the padding of the first convolution. Defaults to `"same"`.
        activation: Name, function or Keras object (a layer without weights, such as
            `keras.layers.LeakyReLU(0.1)`); `None` for none. Defaults to `"relu"`.
        kernel_initializer: Initializer of the kernels. Defaults to `"glorot_uniform"`.
        kernel_regularizer: Regularizer of the kernels. Defaults to `None`.
        data_format: `"channels_last"` or `"channels_first"`. Defaults to
            `keras.config.image_data_format()`, and is saved with the layer.
        **kwargs: Arguments of every Keras layer, such as `name`, `dtype` and `trainable`.

    Call arguments:
        inputs: A batch of images.

    Input shape:
        `(batch, height, width, channels)`, or `(batch, channels, height, width)` with
        `data_format="channels_first"`. With `padding="valid"` at least as large as the kernel.

    Output shape:
        `(batch, new_height, new_width, filters)`, or
        `(batch, filters, new_height, new_width)`. A size `n` becomes `ceil(n / stride)` with
        `padding="same"` and `ceil((n - kernel + 1) / stride)` with `"valid"`.

    Raises:
        ValueError: An argument is invalid, or the images are smaller than the kernel.

    Reference:

    - [Lin et al., 2013](https://arxiv.org/abs/1312.4400)
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int | tuple[int, int],
        strides: int | tuple[int, int] = 1,
        padding: str = "same",
        activation: Any = "relu",
        kernel_initializer: Any = "glorot_uniform",
        kernel_regularizer: Any = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            activation=activation,
            kernel_initializer=kernel_initializer,
            kernel_regularizer=kernel_regularizer,
            data_format=data_format,
            **kwargs,
        )
        self.filters = positive_integer(filters, "filters")
        self.kernel_size = positive_pair(kernel_size, "kernel_size")
        self.strides = positive_pair(strides, "strides")
        self.padding = padding_name(padding, "padding")
        self.conv = Conv2D(
            self.filters,
            self.kernel_size,
            strides=self.strides,
            padding=self.padding,
            activation=self.activation,
            **self._conv_arguments("conv"),
        )
        self.mlp1 = self._conv_1x1("mlp1")
        self.mlp2 = self._conv_1x1("mlp2")

    def build(self, input_shape: Shape) -> None:
        build_chain([self.conv, self.mlp1, self.mlp2], self._checked_shape(input_shape))

    def call(self, inputs: Any) -> Any:
        self._checked_shape(inputs.shape)
        return call_chain([self.conv, self.mlp1, self.mlp2], inputs)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return self.conv.compute_output_shape(self._checked_shape(input_shape))

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.update(
            {
                "filters": self.filters,
                "kernel_size": self.kernel_size,
                "strides": self.strides,
                "padding": self.padding,
            }
        )
        return config

    def _conv_1x1(self, name: str) -> keras.layers.Layer:
        return Conv2D(self.filters, 1, activation=self.activation, **self._conv_arguments(name))

    def _checked_shape(self, input_shape: Shape) -> Shape:
        shape = self._image_shape(input_shape)
        if self.padding == "valid":
            self._require_size(shape, self.kernel_size, "padding='valid'")
        return shape
