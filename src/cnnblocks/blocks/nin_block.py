"""A convolution and two 1x1 convolutions: the block of Network in Network."""

from typing import Any

import keras

from cnnblocks.blocks._arguments import one_of, positive_integer, positive_pair
from cnnblocks.blocks._block import Block, Shape, build_chain


@keras.saving.register_keras_serializable(package="cnnblocks")
class NiNBlock(Block):
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
        self.padding = one_of(padding, ("same", "valid"), "padding")
        self.conv = self._conv2d(
            self.kernel_size, strides=self.strides, padding=self.padding, name="conv"
        )
        self.mlp1 = self._conv2d(1, name="mlp1")
        self.mlp2 = self._conv2d(1, name="mlp2")

    def build(self, input_shape: Shape) -> None:
        build_chain([self.conv, self.mlp1, self.mlp2], self._checked(input_shape))

    def call(self, inputs: Any) -> Any:
        self._checked(inputs.shape)
        return self.mlp2(self.mlp1(self.conv(inputs)))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return self.conv.compute_output_shape(self._checked(input_shape))

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

    def _conv2d(self, kernel_size: Any, *, name: str, **arguments: Any) -> keras.layers.Conv2D:
        return keras.layers.Conv2D(
            self.filters,
            kernel_size,
            activation=self.activation,
            **arguments,
            **self.kernel_arguments(),
            **self.child_arguments(name),
        )

    def _checked(self, input_shape: Shape) -> Shape:
        if self.padding == "same":
            return self.image_shape(input_shape)
        return self.image_shape(input_shape, self.kernel_size, " with padding='valid'")
