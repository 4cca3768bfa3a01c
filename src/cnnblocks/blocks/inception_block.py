"""Four parallel branches joined on channels: the block of GoogLeNet."""

from typing import Any

import keras

from cnnblocks.blocks._arguments import boolean, positive_integer, positive_pair
from cnnblocks.blocks._block import BatchNormBlock, Shape, build_chain
from cnnblocks.blocks._convolution import convolution

BranchFilters = tuple[int, tuple[int, int], tuple[int, int], int]


@keras.saving.register_keras_serializable(package="cnnblocks")
class InceptionBlock(BatchNormBlock):
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
            activation=activation,
            kernel_initializer=kernel_initializer,
            kernel_regularizer=kernel_regularizer,
            data_format=data_format,
            freeze_statistics=freeze_statistics,
            batch_norm_momentum=batch_norm_momentum,
            batch_norm_epsilon=batch_norm_epsilon,
            **kwargs,
        )
        self.filters = _branch_filters(filters)
        self.strides = positive_pair(strides, "strides")
        self.use_batch_norm = boolean(use_batch_norm, "use_batch_norm")
        self.use_bias = boolean(not use_batch_norm if use_bias is None else use_bias, "use_bias")
        conv_1x1, (reduce_3x3, conv_3x3), (reduce_5x5, conv_5x5), projection = self.filters
        stride = self.strides
        self.conv_1x1 = convolution(self, conv_1x1, 1, stride, name="conv_1x1")
        self.reduce_3x3 = convolution(self, reduce_3x3, 1, stride, name="reduce_3x3")
        self.conv_3x3 = convolution(self, conv_3x3, 3, name="conv_3x3")
        self.reduce_5x5 = convolution(self, reduce_5x5, 1, stride, name="reduce_5x5")
        self.conv_5x5 = convolution(self, conv_5x5, 5, name="conv_5x5")
        self.pool = keras.layers.MaxPooling2D(
            3,
            strides=1,
            padding="same",
            data_format=self.data_format,
            **self.child_arguments("pool"),
        )
        self.pool_projection = convolution(self, projection, 1, stride, name="pool_projection")

    def build(self, input_shape: Shape) -> None:
        shape = self.image_shape(input_shape)
        for branch in self._branches():
            build_chain(branch, shape)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        outputs = []
        for branch in self._branches():
            x = inputs
            for layer in branch:
                x = layer(x, training=training)
            outputs.append(x)
        return keras.ops.concatenate(outputs, axis=self.channel_axis)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        shape = self.conv_1x1.compute_output_shape(self.image_shape(input_shape))
        conv_1x1, (_, conv_3x3), (_, conv_5x5), projection = self.filters
        return self.with_channels(shape, conv_1x1 + conv_3x3 + conv_5x5 + projection)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.update(
            {
                "filters": self.filters,
                "strides": self.strides,
                "use_batch_norm": self.use_batch_norm,
                "use_bias": self.use_bias,
            }
        )
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
        width = positive_integer(filters, "filters")
        return width, (width, width), (width, width), width
    try:
        conv_1x1, (reduce_3x3, conv_3x3), (reduce_5x5, conv_5x5), projection = filters
    except (TypeError, ValueError):
        raise ValueError(
            "`filters` must be a positive integer, the same for every branch, or of the form "
            f"(c1, (c2a, c2b), (c3a, c3b), c4). Received: filters={filters!r}"
        ) from None
    numbers = [conv_1x1, reduce_3x3, conv_3x3, reduce_5x5, conv_5x5, projection]
    c1, c2a, c2b, c3a, c3b, c4 = (positive_integer(number, "filters") for number in numbers)
    return c1, (c2a, c2b), (c3a, c3b), c4
