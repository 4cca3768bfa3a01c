"""GoogLeNet, and a small Inception network with batch normalization."""

from typing import Any

from keras import layers

from cnnblocks.blocks import ConvBNRelu, InceptionBlock
from cnnblocks.networks.frame import Frame, scaled
from cnnblocks.networks.registry import Paper, network

_PAPER = Paper(
    "Going Deeper with Convolutions",
    "Christian Szegedy, Wei Liu, Yangqing Jia, Pierre Sermanet, Scott Reed, Dragomir Anguelov, "
    "Dumitru Erhan, Vincent Vanhoucke, Andrew Rabinovich",
    2014,
    "https://arxiv.org/abs/1409.4842",
)
# 1x1 | 1x1, 3x3 | 1x1, 5x5 | pooling, 1x1
_BRANCHES = {
    3: [
        (64, (96, 128), (16, 32), 32),
        (128, (128, 192), (32, 96), 64),
    ],
    4: [
        (192, (96, 208), (16, 48), 64),
        (160, (112, 224), (24, 64), 64),
        (128, (128, 256), (24, 64), 64),
        (112, (144, 288), (32, 64), 64),
        (256, (160, 320), (32, 128), 128),
    ],
    5: [
        (256, (160, 320), (32, 128), 128),
        (384, (192, 384), (48, 128), 128),
    ],
}


@network(
    "googlenet",
    family="Inception",
    paper=_PAPER,
    native_input_shape=(96, 96, 1),
    trained_on="ImageNet",
    parameters=5_977_530,
    idea="""Which kernel size is best? Take several at once: an Inception block runs 1x1, 3x3 and
    5x5 convolutions and a pooling side by side and joins their channels, with 1x1 convolutions
    first to keep that cheap. Nine such blocks won ImageNet in 2014 with a twelfth of AlexNet's
    weights. This form has no auxiliary classifiers and takes grey images.""",
)
def GoogLeNet(x: Any, frame: Frame, *, width: float = 1.0) -> Any:
    """GoogLeNet, also known as Inception v1, without its auxiliary classifiers.

    Args:
        width: Factor on the filters of all convolutions.
    """
    relu = {"padding": "same", "activation": "relu", **frame.spatial}
    x = layers.Conv2D(scaled(64, width), 7, strides=2, name="stage1_conv", **relu)(x)
    x = _halve(x, frame, stage=1)
    x = layers.Conv2D(scaled(64, width), 1, name="stage2_conv1", **relu)(x)
    x = layers.Conv2D(scaled(192, width), 3, name="stage2_conv2", **relu)(x)
    x = _halve(x, frame, stage=2)
    for stage, blocks in _BRANCHES.items():
        for number, branches in enumerate(blocks, start=1):
            name = f"stage{stage}_block{number}"
            x = InceptionBlock(_scaled_branches(branches, width), name=name, **frame.spatial)(x)
        if stage < max(_BRANCHES):
            x = _halve(x, frame, stage)
    if frame.include_top:
        x = frame.classifier(frame.global_pool(x))
    return x


@network(
    "inception10",
    family="Inception",
    paper=_PAPER,
    native_input_shape=(32, 32, 3),
    trained_on="CIFAR-10",
    parameters=121_418,
    idea="""GoogLeNet's block made uniform: every branch has the same number of channels, with
    batch normalization after each convolution, in groups that halve the image and double the
    channels. Ten layers deep with two groups of two blocks, and small: half a megabyte of
    weights.""",
)
def Inception10(
    x: Any,
    frame: Frame,
    *,
    groups: int = 2,
    width: float = 1.0,
    freeze_statistics: bool = False,
    batch_norm_momentum: float = 0.99,
) -> Any:
    """A small Inception network: a convolution, then groups of two uniform Inception blocks.

    Args:
        groups: Number of groups; each halves the image and has twice the channels of the last.
        width: Factor on the filters of all convolutions; the first has 16 times this.
        freeze_statistics: Whether batch normalization always uses its moving statistics, so that
            its scale and offset alone learn.
        batch_norm_momentum: How much of its past a moving statistic keeps in each step; 0.9 suits
            a training of a few hundred steps.
    """
    arguments = {
        "use_bias": True,
        "freeze_statistics": freeze_statistics,
        "batch_norm_momentum": batch_norm_momentum,
        **frame.spatial,
    }
    filters = scaled(16, width)
    x = ConvBNRelu(filters, name="stem", **arguments)(x)
    for stage in range(1, groups + 1):
        for number, strides in ((1, 2), (2, 1)):
            x = InceptionBlock(
                filters * 2 ** (stage - 1),
                strides=strides,
                use_batch_norm=True,
                name=f"stage{stage}_block{number}",
                **arguments,
            )(x)
    if frame.include_top:
        x = frame.classifier(frame.global_pool(x))
    return x


def _halve(x: Any, frame: Frame, stage: int) -> Any:
    return layers.MaxPooling2D(
        3, strides=2, padding="same", name=f"stage{stage}_pool", **frame.spatial
    )(x)


def _scaled_branches(filters: Any, width: float) -> Any:
    if isinstance(filters, int):
        return scaled(filters, width)
    return tuple(_scaled_branches(part, width) for part in filters)
