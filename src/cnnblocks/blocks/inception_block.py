"""Four parallel branches joined on channels: the block of GoogLeNet."""

from typing import Any

import keras
import numpy as np

from cnnblocks import kernels
from cnnblocks.blocks._arguments import positive_integer, positive_pair
from cnnblocks.blocks._base import Shape, build_chain, call_chain
from cnnblocks.blocks._optional_norm import OptionalNormBlock

BranchFilters = tuple[int, tuple[int, int], tuple[int, int], int]


@keras.saving.register_keras_serializable(package="cnnblocks")
class InceptionBlock(OptionalNormBlock):
    """Four branches that look at the image at different scales, joined on channels.

    1. a 1x1 convolution;
    2. a 1x1 convolution that reduces the channels, then one of 3x3;
    3. a 1x1 convolution that reduces the channels, then one of 5x5;
    4. 3x3 max pooling, then a 1x1 convolution.

    Every convolution is followed by its activation, or by batch normalization and the activation.
    Padding is "same" throughout. The strides belong to the 1x1 convolution of each branch: the
    first one, in the pooling branch the one after the pooling.

    Example:

    >>> images = np.random.rand(4, 28, 28, 192)
    >>> block = cnnblocks.InceptionBlock((64, (96, 128), (16, 32), 32))
    >>> keras.ops.shape(block(images))
    (4, 28, 28, 256)
    >>> block = cnnblocks.InceptionBlock(16, strides=2, use_batch_norm=True)
    >>> keras.ops.shape(block(images))
    (4, 14, 14, 64)

    Args:
        filters: Channels of the convolutions: one integer for all of them, or
            `(c1, (c2a, c2b), (c3a, c3b), c4)` with one number for each, in the order of the
            branches.
        strides: Integer or pair of integers, the strides of every branch. Defaults to `1`.
        use_batch_norm: Whether to normalize between a convolution and its activation. Defaults to
            `False`.
        use_bias: Whether the convolutions add a bias. Defaults to `None`: they do when nothing
            normalizes them. (Batch normalization makes a bias redundant, but weight files of
            models that had both need it.)
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
        training: Whether to normalize with the statistics of the batch.

    Input shape:
        `(batch, height, width, channels)`, or `(batch, channels, height, width)` with
        `data_format="channels_first"`. Any size.

    Output shape:
        `(batch, new_height, new_width, c1 + c2b + c3b + c4)`, or
        `(batch, c1 + c2b + c3b + c4, new_height, new_width)`. A size `n` becomes
        `ceil(n / stride)`.

    Raises:
        ValueError: An argument is invalid.

    Reference:

    - [Szegedy et al., 2014](https://arxiv.org/abs/1409.4842)
    """

    def __init__(
        self,
        filters: int | BranchFilters,
        strides: int | tuple[int, int] = 1,
        use_batch_norm: bool = False,
        use_bias: bool | None = None,
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
            use_batch_norm=use_batch_norm,
            use_bias=use_bias,
            freeze_statistics=freeze_statistics,
            activation=activation,
            kernel_initializer=kernel_initializer,
            kernel_regularizer=kernel_regularizer,
            batch_norm_momentum=batch_norm_momentum,
            batch_norm_epsilon=batch_norm_epsilon,
            data_format=data_format,
            **kwargs,
        )
        self.filters = _branch_filters(filters)
        self.strides = positive_pair(strides, "strides")
        c1, (c2a, c2b), (c3a, c3b), c4 = self.filters
        self.conv_1x1 = self._convolution(c1, 1, strides=self.strides, name="conv_1x1")
        self.reduce_3x3 = self._convolution(c2a, 1, strides=self.strides, name="reduce_3x3")
        self.conv_3x3 = self._convolution(c2b, 3, name="conv_3x3")
        self.reduce_5x5 = self._convolution(c3a, 1, strides=self.strides, name="reduce_5x5")
        self.conv_5x5 = self._convolution(c3b, 5, name="conv_5x5")
        self.pool = keras.layers.MaxPooling2D(
            3,
            strides=1,
            padding="same",
            data_format=self.data_format,
            **self._sublayer_arguments("pool"),
        )
        self.pool_projection = self._convolution(
            c4, 1, strides=self.strides, name="pool_projection"
        )

    def build(self, input_shape: Shape) -> None:
        shape = self._image_shape(input_shape)
        for branch in self._branches():
            build_chain(branch, shape)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        outputs = self._sampled_outputs(inputs, training)
        if outputs is None:
            outputs = [call_chain(branch, inputs, training) for branch in self._branches()]
        return keras.ops.concatenate(outputs, axis=self._channel_axis)

    def _sampled_outputs(self, inputs: Any, training: bool | None) -> list[Any] | None:
        """What the branches give, from the pixels that strides leave, chosen once for all.

        `None` where there are no strides, or where this would be no faster.
        """
        if isinstance(inputs, keras.KerasTensor) or self.data_format == "channels_first":
            return None
        if self.strides == (1, 1) or (images := kernels.subsampled(inputs, self.strides)) is None:
            return None
        ops = keras.ops
        beside = ops.pad(inputs, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=-np.inf)
        pooled = ops.max_pool(beside, 3, self.strides, "valid", self.data_format)
        return [
            self.conv_1x1.of_sampled(images, training),
            self.conv_3x3(self.reduce_3x3.of_sampled(images, training), training=training),
            self.conv_5x5(self.reduce_5x5.of_sampled(images, training), training=training),
            self.pool_projection.of_sampled(pooled, training),
        ]

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        shape = list(self.conv_1x1.compute_output_shape(self._image_shape(input_shape)))
        c1, (_, c2b), (_, c3b), c4 = self.filters
        shape[self._channel_axis] = c1 + c2b + c3b + c4
        return tuple(shape)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.update({"filters": self.filters, "strides": self.strides})
        return config

    def _branches(self) -> list[list[keras.layers.Layer]]:
        return [
            [self.conv_1x1],
            [self.reduce_3x3, self.conv_3x3],
            [self.reduce_5x5, self.conv_5x5],
            [self.pool, self.pool_projection],
        ]


def _branch_filters(filters: Any) -> BranchFilters:
    if hasattr(filters, "__index__"):
        number = positive_integer(filters, "filters")
        return number, (number, number), (number, number), number
    try:
        c1, (c2a, c2b), (c3a, c3b), c4 = filters
    except (TypeError, ValueError):
        raise ValueError(
            "`filters` must be a positive integer for all branches, or of the form "
            f"(c1, (c2a, c2b), (c3a, c3b), c4). Received: filters={filters!r}"
        ) from None
    for number in (c1, c2a, c2b, c3a, c3b, c4):
        positive_integer(number, "filters")
    return int(c1), (int(c2a), int(c2b)), (int(c3a), int(c3b)), int(c4)
