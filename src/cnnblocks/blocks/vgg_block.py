"""Convolutions of one width, then pooling: the block of VGG."""

from typing import Any

import keras

from cnnblocks.blocks._arguments import boolean, one_of, positive_integer, rate
from cnnblocks.blocks._block import BatchNormBlock, Shape, build_chain, chain_output_shape
from cnnblocks.blocks._convolution import convolution


@keras.saving.register_keras_serializable(package="cnnblocks")
class VGGBlock(BatchNormBlock):
    def __init__(
        self,
        num_convs: int,
        filters: int,
        use_batch_norm: bool = False,
        dropout: float = 0.0,
        pool_padding: str = "valid",
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
        self.num_convs = positive_integer(num_convs, "num_convs")
        self.filters = positive_integer(filters, "filters")
        self.use_batch_norm = boolean(use_batch_norm, "use_batch_norm")
        self.dropout = rate(dropout, "dropout")
        self.pool_padding = one_of(pool_padding, ("same", "valid"), "pool_padding")
        self.use_bias = boolean(not use_batch_norm if use_bias is None else use_bias, "use_bias")
        self.convs = [
            convolution(self, self.filters, 3, name=f"conv{number}")
            for number in range(1, self.num_convs + 1)
        ]
        self.pool = keras.layers.MaxPooling2D(
            2,
            padding=self.pool_padding,
            data_format=self.data_format,
            **self.child_arguments("pool"),
        )
        self.dropout_layer = None
        if self.dropout:
            self.dropout_layer = keras.layers.Dropout(
                self.dropout, **self.child_arguments("dropout")
            )

    def build(self, input_shape: Shape) -> None:
        build_chain(self._chain(), self._checked(input_shape))

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        self._checked(inputs.shape)
        x = inputs
        for layer in self._chain():
            x = layer(x, training=training)
        return x

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return chain_output_shape(self._chain(), self._checked(input_shape))

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.update(
            {
                "num_convs": self.num_convs,
                "filters": self.filters,
                "use_batch_norm": self.use_batch_norm,
                "dropout": self.dropout,
                "pool_padding": self.pool_padding,
                "use_bias": self.use_bias,
            }
        )
        return config

    def _chain(self) -> list[keras.layers.Layer]:
        layers = [*self.convs, self.pool]
        return [*layers, self.dropout_layer] if self.dropout_layer else layers

    def _checked(self, input_shape: Shape) -> Shape:
        if self.pool_padding == "same":
            return self.image_shape(input_shape)
        return self.image_shape(input_shape, (2, 2), " with pool_padding='valid'")
