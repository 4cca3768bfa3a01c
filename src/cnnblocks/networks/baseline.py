"""The smallest network here: one convolution and a small head."""

from typing import Any

from keras import layers

from cnnblocks.blocks import ConvBNRelu
from cnnblocks.networks.frame import Frame, scaled
from cnnblocks.networks.registry import Paper, network


@network(
    "baseline",
    family="Baseline",
    paper=Paper(
        "Batch Normalization: Accelerating Deep Network Training by Reducing Internal Covariate "
        "Shift",
        "Sergey Ioffe, Christian Szegedy",
        2015,
        "https://arxiv.org/abs/1502.03167",
    ),
    native_input_shape=(32, 32, 3),
    trained_on="CIFAR-10",
    parameters=198_506,
    idea="""No paper describes this network; it is the block that the others repeat, once:
    convolution, batch normalization, activation, pooling, dropout. The paper named is that of
    batch normalization, which rescales every channel by the statistics of its batch, so that
    higher learning rates work. Anything deeper should beat it.""",
)
def Baseline(
    x: Any,
    frame: Frame,
    *,
    dropout: float = 0.2,
    units: int = 128,
    width: float = 1.0,
    freeze_statistics: bool = False,
    batch_norm_momentum: float = 0.99,
) -> Any:
    """One convolution with batch normalization, pooling and dropout, then two Dense layers.

    Args:
        dropout: Share of values that the two dropout layers drop.
        units: Units of the hidden Dense layer.
        width: Factor on the filters of the convolution.
        freeze_statistics: Whether batch normalization always uses its moving statistics.
        batch_norm_momentum: How much of its past a moving statistic keeps in each step; 0.9 suits
            a training of a few hundred steps.
    """
    x = ConvBNRelu(
        scaled(6, width),
        5,
        use_bias=True,
        freeze_statistics=freeze_statistics,
        batch_norm_momentum=batch_norm_momentum,
        name="stage1_conv",
        **frame.spatial,
    )(x)
    x = layers.MaxPooling2D(2, padding="same", name="stage1_pool", **frame.spatial)(x)
    x = layers.Dropout(dropout, name="stage1_dropout", dtype=frame.dtype)(x)
    if frame.include_top:
        x = frame.flatten(x)
        x = layers.Dense(units, activation="relu", name="dense", dtype=frame.dtype)(x)
        x = layers.Dropout(dropout, name="dense_dropout", dtype=frame.dtype)(x)
        x = frame.classifier(x)
    return x
