"""Convolutions to whose output their input is added: the block of ResNet."""

from typing import Any

import keras

from cnnblocks.blocks._arguments import (
    boolean,
    fraction,
    optional_boolean,
    positive_integer,
    positive_pair,
)
from cnnblocks.blocks._base import (
    BatchNormBlock,
    Shape,
    build_chain,
    call_chain,
    chain_output_shape,
)
from cnnblocks.blocks.conv_bn_relu import ConvBNRelu

EXPANSION = 4


@keras.saving.register_keras_serializable(package="cnnblocks")
class ResnetBlock(BatchNormBlock):
    """Two or three convolutions to whose output the block's input is added.

    The basic block is two 3x3 convolutions, the first with the strides. The bottleneck block is a
    1x1 convolution, one of 3x3 with the strides, and a 1x1 convolution to four times the filters
    (the strides on the 3x3 are what is known as ResNet v1.5; the paper has them on the first 1x1).
    Every convolution is without bias and followed by batch normalization. The activation comes
    after each but the last, and once more after the addition.

    Where the block changes the shape, the input cannot be added as it is: a 1x1 convolution with
    the strides, normalized too, projects it.

    `drop_path` is stochastic depth: in training, the convolutions' output is left out for that
    share of the images, chosen at random, so that for them the block passes its (projected) input
    on; for the others it is scaled up so that the mean stays the same.

    Example:

    >>> images = np.random.rand(4, 32, 32, 64)
    >>> keras.ops.shape(cnnblocks.ResnetBlock(64)(images))
    (4, 32, 32, 64)
    >>> keras.ops.shape(cnnblocks.ResnetBlock(128, strides=2)(images))
    (4, 16, 16, 128)
    >>> keras.ops.shape(cnnblocks.ResnetBlock(64, bottleneck=True)(images))
    (4, 32, 32, 256)

    Args:
        filters: Integer, the number of channels of the convolutions. The output has as many, or
            four times as many with `bottleneck=True`.
        strides: Integer or pair of integers, the strides of the block. Defaults to `1`.
        projection: Whether to project the input before it is added. Defaults to `None`: if the
            strides are not 1 or the number of channels changes.
        bottleneck: Whether the block is of the bottleneck kind. Defaults to `False`.
        drop_path: Number in [0, 1), the share of the images for which the convolutions are left
            out in training. Defaults to `0.0`.
        freeze_statistics: Whether batch normalization uses its moving statistics always and leaves
            them as they are; see `ConvBNRelu`. Defaults to `False`.
        activation: Name, function or Keras object (a layer without weights, such as
            `keras.layers.LeakyReLU(0.1)`); `None` for none. Defaults to `"relu"`.
        kernel_initializer: Initializer of the kernels. Defaults to `"glorot_uniform"`.
        kernel_regularizer: Regularizer of the kernels. Defaults to `None`.
        batch_norm_momentum: Number in [0, 1), how much of its past a moving statistic keeps in
            each step. Defaults to `0.99`.
        batch_norm_epsilon: Small number added to the variance. Defaults to `1e-3`.
        data_format: `"channels_last"` or `"channels_first"`. Defaults to
            `keras.config.image_data_format()`, and is saved with the layer.
        **kwargs: Arguments of every Keras layer, such as `name`, `dtype` and `trainable`.

    Call arguments:
        inputs: A batch of images.
        training: Whether to drop paths and to normalize with the statistics of the batch.

    Input shape:
        `(batch, height, width, channels)`, or `(batch, channels, height, width)` with
        `data_format="channels_first"`. Any size.

    Output shape:
        `(batch, new_height, new_width, new_channels)`, or
        `(batch, new_channels, new_height, new_width)`. A size `n` becomes `ceil(n / stride)`;
        `new_channels` is `filters`, or `4 * filters` with `bottleneck=True`.

    Raises:
        ValueError: An argument is invalid, or the block changes the shape under
            `projection=False`.

    Reference:

    - [He et al., 2015](https://arxiv.org/abs/1512.03385)
    - [Goyal et al., 2017](https://arxiv.org/abs/1706.02677) (strides on the 3x3 convolution)
    - [Huang et al., 2016](https://arxiv.org/abs/1603.09382) (stochastic depth)
    """

    def __init__(
        self,
        filters: int,
        strides: int | tuple[int, int] = 1,
        projection: bool | None = None,
        bottleneck: bool = False,
        drop_path: float = 0.0,
        freeze_statistics: bool = False,
        activation: Any = "relu",
        kernel_initializer: Any = "glorot_uniform",
        kernel_regularizer: Any = None,
        batch_norm_momentum: float = 0.99,
        batch_norm_epsilon: float = 1e-3,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            freeze_statistics=freeze_statistics,
            activation=activation,
            kernel_initializer=kernel_initializer,
            kernel_regularizer=kernel_regularizer,
            batch_norm_momentum=batch_norm_momentum,
            batch_norm_epsilon=batch_norm_epsilon,
            data_format=data_format,
            **kwargs,
        )
        self.filters = positive_integer(filters, "filters")
        self.strides = positive_pair(strides, "strides")
        self.projection = optional_boolean(projection, "projection")
        self.bottleneck = boolean(bottleneck, "bottleneck")
        self.drop_path = fraction(drop_path, "drop_path")
        self.conv3: keras.layers.Layer | None = None
        if self.bottleneck:
            self.conv1 = self._conv(self.filters, 1, name="conv1")
            self.conv2 = self._conv(self.filters, 3, strides=self.strides, name="conv2")
            self.conv3 = self._conv(self.channels, 1, activation=None, name="conv3")
        else:
            self.conv1 = self._conv(self.filters, 3, strides=self.strides, name="conv1")
            self.conv2 = self._conv(self.filters, 3, activation=None, name="conv2")
        self.drop_path_layer: keras.layers.Layer | None = None
        if self.drop_path:
            self.drop_path_layer = keras.layers.Dropout(
                self.drop_path, noise_shape=(None, 1, 1, 1), **self._sublayer_arguments("drop_path")
            )
        self.shortcut: keras.layers.Layer | None = None

    @property
    def channels(self) -> int:
        """The number of output channels."""
        return EXPANSION * self.filters if self.bottleneck else self.filters

    def build(self, input_shape: Shape) -> None:
        shape = self._checked_shape(input_shape)
        build_chain(self._chain(), shape)
        if self.projection or self._changes_shape(shape):
            self.shortcut = self._conv(
                self.channels, 1, strides=self.strides, activation=None, name="shortcut"
            )
            self.shortcut.build(shape)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        x = call_chain(self._chain(), inputs, training)
        shortcut = self.shortcut(inputs, training=training) if self.shortcut else inputs
        return self.activation(keras.ops.add(x, shortcut))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return chain_output_shape(self._chain(), self._checked_shape(input_shape))

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.update(
            {
                "filters": self.filters,
                "strides": self.strides,
                "projection": self.projection,
                "bottleneck": self.bottleneck,
                "drop_path": self.drop_path,
            }
        )
        return config

    def _conv(
        self, filters: int, kernel_size: int, *, name: str, **arguments: Any
    ) -> keras.layers.Layer:
        arguments = {"activation": self.activation, **arguments}
        return ConvBNRelu(
            filters,
            kernel_size,
            **arguments,
            **self._conv_arguments(name),
            **self._batch_norm_arguments(),
        )

    def _chain(self) -> list[keras.layers.Layer]:
        chain = [self.conv1, self.conv2, self.conv3, self.drop_path_layer]
        return [layer for layer in chain if layer]

    def _changes_shape(self, shape: Shape) -> bool:
        return self.strides != (1, 1) or shape[self._channel_axis] != self.channels

    def _checked_shape(self, input_shape: Shape) -> Shape:
        shape = self._image_shape(input_shape)
        if self.projection is False and self._changes_shape(shape):
            raise ValueError(
                "projection=False adds the input as it is, so the strides must be 1 and the input "
                f"must have {self.channels} channels. Received: strides={self.strides}, "
                f"input_shape={shape}. Leave `projection` out to project where needed."
            )
        return shape
