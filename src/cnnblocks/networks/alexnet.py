"""AlexNet, and a small form of it for small images."""

from typing import Any

from keras import layers

from cnnblocks.blocks import ConvBNRelu
from cnnblocks.networks.frame import Frame, scaled
from cnnblocks.networks.registry import Paper, network

_PAPER = Paper(
    "ImageNet Classification with Deep Convolutional Neural Networks",
    "Alex Krizhevsky, Ilya Sutskever, Geoffrey E. Hinton",
    2012,
    "https://papers.nips.cc/paper/4824",
)


@network(
    "alexnet",
    family="AlexNet",
    paper=_PAPER,
    native_input_shape=(224, 224, 1),
    trained_on="ImageNet",
    parameters=46_764_746,
    idea="""The network that won ImageNet in 2012 by ten points and began the age of deep learning:
    LeNet's plan, deeper and a thousand times larger, with ReLU in place of the sigmoid, dropout
    against overfitting, and two graphics cards to train on. This form is the textbook's, on one
    device and for grey images.""",
)
def AlexNet(
    x: Any, frame: Frame, *, dropout: float = 0.5, units: int = 4096, width: float = 1.0
) -> Any:
    """AlexNet on one device: five convolutions and three Dense layers.

    Args:
        dropout: Share of values dropped after each hidden Dense layer.
        units: Units of each hidden Dense layer.
        width: Factor on the filters of the convolutions.
    """
    relu = {"activation": "relu", **frame.spatial}
    x = layers.Conv2D(scaled(96, width), 11, strides=4, name="stage1_conv", **relu)(x)
    x = layers.MaxPooling2D(3, strides=2, name="stage1_pool", **frame.spatial)(x)
    x = layers.Conv2D(scaled(256, width), 5, padding="same", name="stage2_conv", **relu)(x)
    x = layers.MaxPooling2D(3, strides=2, name="stage2_pool", **frame.spatial)(x)
    return _third_stage_and_head(x, frame, dropout, units, width)


@network(
    "alexnet8",
    family="AlexNet",
    paper=_PAPER,
    native_input_shape=(32, 32, 3),
    trained_on="CIFAR-10",
    parameters=9_639_178,
    idea="""AlexNet's eight layers at the size of CIFAR-10: 3x3 kernels in place of 11x11 and 5x5,
    batch normalization in place of local response normalization, and a head of half the width.
    Most of its weights are still in the first Dense layer.""",
)
def AlexNet8(
    x: Any,
    frame: Frame,
    *,
    dropout: float = 0.5,
    units: int = 2048,
    width: float = 1.0,
    freeze_statistics: bool = False,
    batch_norm_momentum: float = 0.99,
) -> Any:
    """AlexNet with small kernels and batch normalization, for small images.

    Args:
        dropout: Share of values dropped after each hidden Dense layer.
        units: Units of each hidden Dense layer.
        width: Factor on the filters of the convolutions.
        freeze_statistics: Whether batch normalization always uses its moving statistics.
        batch_norm_momentum: How much of its past a moving statistic keeps in each step; 0.9 suits
            a training of a few hundred steps.
    """
    for stage, filters in enumerate((96, 256), start=1):
        x = ConvBNRelu(
            scaled(filters, width),
            padding="valid",
            use_bias=True,
            freeze_statistics=freeze_statistics,
            batch_norm_momentum=batch_norm_momentum,
            name=f"stage{stage}_conv",
            **frame.spatial,
        )(x)
        x = layers.MaxPooling2D(3, strides=2, name=f"stage{stage}_pool", **frame.spatial)(x)
    return _third_stage_and_head(x, frame, dropout, units, width)


def _third_stage_and_head(x: Any, frame: Frame, dropout: float, units: int, width: float) -> Any:
    for number, filters in enumerate((384, 384, 256), start=1):
        x = layers.Conv2D(
            scaled(filters, width),
            3,
            padding="same",
            activation="relu",
            name=f"stage3_conv{number}",
            **frame.spatial,
        )(x)
    x = layers.MaxPooling2D(3, strides=2, name="stage3_pool", **frame.spatial)(x)
    if frame.include_top:
        x = frame.flatten(x)
        for number in (1, 2):
            x = layers.Dense(units, activation="relu", name=f"dense{number}", dtype=frame.dtype)(x)
            x = layers.Dropout(dropout, name=f"dense{number}_dropout", dtype=frame.dtype)(x)
        x = frame.classifier(x)
    return x
