"""Convolution, batch normalization, activation."""

from typing import Any

import keras

from cnnblocks import kernels
from cnnblocks.blocks._arguments import boolean, padding_name, positive_integer, positive_pair
from cnnblocks.blocks._base import BatchNormBlock, Shape, build_chain
from cnnblocks.blocks._batch_normalization import BatchNormalization
from cnnblocks.blocks._conv2d import Conv2D

_POINTWISE = (keras.activations.relu, keras.activations.linear)


@keras.saving.register_keras_serializable(package="cnnblocks")
class ConvBNRelu(BatchNormBlock):
    """Convolution, then batch normalization, then an activation.

    The unit that most networks since 2015 are made of. The convolution has no bias unless asked
    for: the normalization that follows takes the mean away and adds its own offset, so a bias
    changes nothing. Early models carry one nevertheless, and their weight files need it.

    The normalization is `keras.layers.BatchNormalization`. On TensorFlow and PyTorch it trains
    with their fused kernel, which Keras leaves aside: up to three times as fast on a CPU, with the
    same results up to rounding. So are convolutions by 1x1, and those of images of at most 4x4
    pixels and at least 256 channels, matrix products there. A bias takes no part in training: the
    mean that is kept has it added, and its gradient is zero instead of a rounding error.

    With `freeze_statistics=True` the normalization always uses its moving mean and variance, in
    training too, and never updates them; its scale and offset still learn. That is how pretrained
    statistics are kept while fine-tuning on small batches. In a block that starts from scratch the
    mean stays 0 and the variance 1, which some published models did unknowingly.

    Example:

    >>> images = np.random.rand(4, 32, 32, 3)
    >>> block = cnnblocks.ConvBNRelu(16, kernel_size=5, strides=2)
    >>> keras.ops.shape(block(images))
    (4, 16, 16, 16)

    Args:
        filters: Integer, the number of output channels.
        kernel_size: Integer or pair of integers, height and width of the kernel. Defaults to `3`.
        strides: Integer or pair of integers, the strides of the convolution. Defaults to `1`.
        padding: `"same"` or `"valid"`. Defaults to `"same"`.
        use_bias: Whether the convolution adds a bias. Defaults to `False`.
        freeze_statistics: Whether to normalize with the moving statistics always and to leave them
            as they are. Defaults to `False`.
        activation: Name, function or Keras object (a layer without weights, such as
            `keras.layers.LeakyReLU(0.1)`); `None` for none. Defaults to `"relu"`.
        kernel_initializer: Initializer of the convolution's kernel. Defaults to
            `"glorot_uniform"`.
        kernel_regularizer: Regularizer of the convolution's kernel. Defaults to `None`.
        batch_norm_momentum: Number in [0, 1), how much of its past a moving statistic keeps in
            each step. Defaults to `0.99`.
        batch_norm_epsilon: Small number added to the variance. Defaults to `1e-3`.
        data_format: `"channels_last"` or `"channels_first"`. Defaults to
            `keras.config.image_data_format()`, and is saved with the layer.
        **kwargs: Arguments of every Keras layer, such as `name`, `dtype` and `trainable`.

    Call arguments:
        inputs: A batch of images.
        training: Whether to normalize with the statistics of the batch, and to update the moving
            ones. Without effect under `freeze_statistics` and in a frozen layer.

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

    - [Ioffe and Szegedy, 2015](https://arxiv.org/abs/1502.03167)
    """

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
        self.kernel_size = positive_pair(kernel_size, "kernel_size")
        self.strides = positive_pair(strides, "strides")
        self.padding = padding_name(padding, "padding")
        self.use_bias = boolean(use_bias, "use_bias")
        self.conv = Conv2D(
            self.filters,
            self.kernel_size,
            strides=self.strides,
            padding=self.padding,
            use_bias=self.use_bias,
            **self._conv_arguments("conv"),
        )
        self.batch_norm = BatchNormalization(
            axis=self._channel_axis,
            momentum=self.batch_norm_momentum,
            epsilon=self.batch_norm_epsilon,
            **self._sublayer_arguments("batch_norm"),
        )

    def build(self, input_shape: Shape) -> None:
        build_chain([self.conv, self.batch_norm], self._checked_shape(input_shape))

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        self._checked_shape(inputs.shape)
        if self._leaves_bias_to_norm(training) and not isinstance(inputs, keras.KerasTensor):
            x = self.conv.convolution_op(inputs, self.conv.kernel)
            return self._normalized(x, training, self.conv.bias)
        return self._normalized(self.conv(inputs), training)

    def of_sampled(self, images: Any, training: bool | None = None) -> Any:
        """Call this block, of 1x1, on what `kernels.subsampled` left of its images."""
        if self._leaves_bias_to_norm(training):
            x = kernels.multiplied(images, self.conv.kernel)
            return self._normalized(x, training, self.conv.bias)
        return self._normalized(self.conv.of_sampled(images), training)

    def _leaves_bias_to_norm(self, training: bool | None) -> bool:
        """Whether the convolution's bias only moves a mean that is then taken away."""
        return bool(self.use_bias and training and not self.freeze_statistics)

    def _normalized(self, images: Any, training: bool | None, bias: Any = None) -> Any:
        """Normalize images, and a bias that is still to be added to them, and activate them."""
        training = False if self.freeze_statistics else training
        arguments = {} if bias is None else {"shift": keras.ops.convert_to_tensor(bias)}
        row = self._row(images) if training else None
        x = self.batch_norm(images if row is None else row, training=training, **arguments)
        x = self.activation(x)
        return x if row is None else keras.ops.reshape(x, (-1, *images.shape[1:]))

    def _row(self, images: Any) -> Any | None:
        """The pixels in one row, if that is faster and changes nothing; see `kernels`."""
        if self.activation not in _POINTWISE or self.data_format == "channels_first":
            return None
        known = not isinstance(images, keras.KerasTensor) and None not in images.shape[1:]
        return kernels.pixels_in_a_row(images) if known else None

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
                "use_bias": self.use_bias,
            }
        )
        return config

    def _checked_shape(self, input_shape: Shape) -> Shape:
        shape = self._image_shape(input_shape)
        if self.padding == "valid":
            self._require_size(shape, self.kernel_size, "padding='valid'")
        return shape
