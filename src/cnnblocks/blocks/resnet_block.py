"""Convolutions around which the input is added back: the block of ResNet."""

from typing import Any

import keras

from cnnblocks.blocks._arguments import boolean, one_of, positive_integer, positive_pair, rate
from cnnblocks.blocks._block import BatchNormBlock, Shape, build_chain, chain_output_shape
from cnnblocks.blocks.conv_bn_relu import ConvBNRelu

EXPANSION = 4


@keras.saving.register_keras_serializable(package="cnnblocks")
class ResnetBlock(BatchNormBlock):
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
            activation=activation,
            kernel_initializer=kernel_initializer,
            kernel_regularizer=kernel_regularizer,
            data_format=data_format,
            freeze_statistics=freeze_statistics,
            batch_norm_momentum=batch_norm_momentum,
            batch_norm_epsilon=batch_norm_epsilon,
            **kwargs,
        )
        self.filters = positive_integer(filters, "filters")
        self.strides = positive_pair(strides, "strides")
        self.projection = one_of(projection, (None, True, False), "projection")
        self.bottleneck = boolean(bottleneck, "bottleneck")
        self.drop_path = rate(drop_path, "drop_path")
        self.conv3: ConvBNRelu | None = None
        self.shortcut: ConvBNRelu | None = None
        if self.bottleneck:
            self.conv1 = self._conv(self.filters, 1, "conv1")
            self.conv2 = self._conv(self.filters, 3, "conv2", strides=self.strides)
            self.conv3 = self._conv(self.channels, 1, "conv3", activation=None)
        else:
            self.conv1 = self._conv(self.filters, 3, "conv1", strides=self.strides)
            self.conv2 = self._conv(self.filters, 3, "conv2", activation=None)
        self.drop_path_layer = None
        if self.drop_path:
            self.drop_path_layer = keras.layers.Dropout(
                self.drop_path, noise_shape=(None, 1, 1, 1), **self.child_arguments("drop_path")
            )

    def build(self, input_shape: Shape) -> None:
        shape = self._checked(input_shape)
        build_chain(self._convs(), shape)
        if self.projection or self._changes_shape(shape):
            self.shortcut = self._conv(
                self.channels, 1, "shortcut", strides=self.strides, activation=None
            )
            self.shortcut.build(shape)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        x = inputs
        for conv in self._convs():
            x = conv(x, training=training)
        if self.drop_path_layer:
            x = self.drop_path_layer(x, training=training)
        shortcut = self.shortcut(inputs, training=training) if self.shortcut else inputs
        return self.activation(keras.ops.add(x, shortcut))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return chain_output_shape(self._convs(), self._checked(input_shape))

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

    @property
    def channels(self) -> int:
        """Channels of the output."""
        return EXPANSION * self.filters if self.bottleneck else self.filters

    def _conv(self, filters: int, kernel_size: int, name: str, **arguments: Any) -> ConvBNRelu:
        return ConvBNRelu(
            filters,
            kernel_size,
            **{"activation": self.activation, **arguments},
            **self.kernel_arguments(),
            **self.batch_norm_arguments(),
            **self.child_arguments(name),
        )

    def _convs(self) -> list[ConvBNRelu]:
        convs = [self.conv1, self.conv2]
        return [*convs, self.conv3] if self.conv3 else convs

    def _changes_shape(self, shape: Shape) -> bool:
        return self.strides != (1, 1) or shape[self.channel_axis] != self.channels

    def _checked(self, input_shape: Shape) -> Shape:
        shape = self.image_shape(input_shape)
        if self.projection is False and self._changes_shape(shape):
            raise ValueError(
                "projection=False adds the input to the output unchanged, which needs strides=1 "
                "and as many channels in the input as in the output. "
                f"Received: strides={self.strides}, filters={self.filters}, "
                f"bottleneck={self.bottleneck}, input_shape={shape}. "
                "Leave projection out to project where needed."
            )
        return shape
