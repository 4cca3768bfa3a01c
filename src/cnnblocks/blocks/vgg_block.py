"""Convolutions of one width, then pooling: the block of VGG."""

from typing import Any

import keras

from cnnblocks.blocks._arguments import fraction, padding_name, positive_integer
from cnnblocks.blocks._base import Shape, build_chain, call_chain, chain_output_shape
from cnnblocks.blocks._optional_norm import OptionalNormBlock


@keras.saving.register_keras_serializable(package="cnnblocks")
class VGGBlock(OptionalNormBlock):
    """Several 3x3 convolutions of one width, then max pooling that halves the image.

    Two stacked 3x3 convolutions see as much of the image as one of 5x5, three as much as one of
    7x7, with fewer weights and more activations in between. Each convolution is followed by its
    activation, or by batch normalization and the activation; the pooling may be followed by
    dropout.

    Example:

    >>> images = np.random.rand(4, 32, 32, 3)
    >>> block = cnnblocks.VGGBlock(2, 64, use_batch_norm=True, dropout=0.2)
    >>> keras.ops.shape(block(images))
    (4, 16, 16, 64)

    Args:
        num_convs: Integer, the number of convolutions.
        filters: Integer, the number of output channels of each.
        use_batch_norm: Whether to normalize between a convolution and its activation. Defaults to
            `False`.
        dropout: Number in [0, 1), the share of the pooled values to drop in training. Defaults to
            `0.0`.
        pool_padding: `"valid"` or `"same"`. What happens to the last row and column of an image of
            odd size: `"valid"` leaves them out, `"same"` pools them by themselves. Defaults to
            `"valid"`.
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
        training: Whether to drop values and to normalize with the statistics of the batch.

    Input shape:
        `(batch, height, width, channels)`, or `(batch, channels, height, width)` with
        `data_format="channels_first"`. At least 2x2 with `pool_padding="valid"`.

    Output shape:
        `(batch, new_height, new_width, filters)`, or
        `(batch, filters, new_height, new_width)`. A size `n` becomes `floor(n / 2)` with
        `pool_padding="valid"` and `ceil(n / 2)` with `"same"`.

    Raises:
        ValueError: An argument is invalid, or the images are too small to pool.

    Reference:

    - [Simonyan and Zisserman, 2014](https://arxiv.org/abs/1409.1556)
    """

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
        self.num_convs = positive_integer(num_convs, "num_convs")
        self.filters = positive_integer(filters, "filters")
        self.dropout = fraction(dropout, "dropout")
        self.pool_padding = padding_name(pool_padding, "pool_padding")
        self.convs = [
            self._convolution(self.filters, 3, name=f"conv{number}")
            for number in range(1, self.num_convs + 1)
        ]
        self.pool = keras.layers.MaxPooling2D(
            2,
            padding=self.pool_padding,
            data_format=self.data_format,
            **self._sublayer_arguments("pool"),
        )
        self.dropout_layer: keras.layers.Layer | None = None
        if self.dropout:
            self.dropout_layer = keras.layers.Dropout(
                self.dropout, **self._sublayer_arguments("dropout")
            )

    def build(self, input_shape: Shape) -> None:
        build_chain(self._chain(), self._checked_shape(input_shape))

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        self._checked_shape(inputs.shape)
        return call_chain(self._chain(), inputs, training)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return chain_output_shape(self._chain(), self._checked_shape(input_shape))

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.update(
            {
                "num_convs": self.num_convs,
                "filters": self.filters,
                "dropout": self.dropout,
                "pool_padding": self.pool_padding,
            }
        )
        return config

    def _chain(self) -> list[keras.layers.Layer]:
        chain = [*self.convs, self.pool]
        return [*chain, self.dropout_layer] if self.dropout_layer else chain

    def _checked_shape(self, input_shape: Shape) -> Shape:
        shape = self._image_shape(input_shape)
        if self.pool_padding == "valid":
            self._require_size(shape, (2, 2), "pool_padding='valid'")
        return shape
