"""Convolution, batch normalization, activation."""

from typing import Any

import keras

from cnnblocks.blocks._arguments import boolean, one_of, positive_integer, positive_pair
from cnnblocks.blocks._block import BatchNormBlock, Shape, build_chain


@keras.saving.register_keras_serializable(package="cnnblocks")
class ConvBNRelu(BatchNormBlock):
    def __init__(
        self,
        filters: int,
        kernel_size: int | tuple[int, int] = 3,
        strides: int | tuple[int, int] = 1,
        padding: str = "same",
        use_bias: bool = False,
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
        self.kernel_size = positive_pair(kernel_size, "kernel_size")
        self.strides = positive_pair(strides, "strides")
        self.padding = one_of(padding, ("same", "valid"), "padding")
        self.use_bias = boolean(use_bias, "use_bias")
        self.conv = keras.layers.Conv2D(
            self.filters,
            self.kernel_size,
            strides=self.strides,
            padding=self.padding,
            use_bias=self.use_bias,
            **self.kernel_arguments(),
            **self.child_arguments("conv"),
        )
        self.batch_norm = keras.layers.BatchNormalization(
            axis=self.channel_axis,
            momentum=self.batch_norm_momentum,
            epsilon=self.batch_norm_epsilon,
            **self.child_arguments("batch_norm"),
        )

    def build(self, input_shape: Shape) -> None:
        build_chain([self.conv, self.batch_norm], self._checked(input_shape))

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        self._checked(inputs.shape)
        x = self.conv(inputs)
        x = self.batch_norm(x, training=False if self.freeze_statistics else training)
        return self.activation(x)

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
                "use_bias": self.use_bias,
            }
        )
        return config

    def _checked(self, input_shape: Shape) -> Shape:
        if self.padding == "same":
            return self.image_shape(input_shape)
        return self.image_shape(input_shape, self.kernel_size, " with padding='valid'")
