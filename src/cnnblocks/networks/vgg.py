"""VGG: deep networks of nothing but 3x3 convolutions and pooling."""

from typing import Any

from keras import layers

from cnnblocks.blocks import VGGBlock
from cnnblocks.networks.frame import Frame, scaled
from cnnblocks.networks.registry import Paper, network

_PAPER = Paper(
    "Very Deep Convolutional Networks for Large-Scale Image Recognition",
    "Karen Simonyan, Andrew Zisserman",
    2014,
    "https://arxiv.org/abs/1409.1556",
)
_FILTERS = (64, 128, 256, 512, 512)


@network(
    "vgg11",
    family="VGG",
    paper=_PAPER,
    native_input_shape=(224, 224, 1),
    trained_on="ImageNet",
    parameters=128_806_154,
    idea="""Depth from one repeated block: two stacked 3x3 convolutions see as much as one of 5x5,
    with 18 weights for 25 and an activation more between them. A block is some of those and a
    pooling that halves the image; the channels double as the image shrinks. This is the shallowest
    of the family, for grey images; nine tenths of its weights are in the head.""",
)
def VGG11(
    x: Any,
    frame: Frame,
    *,
    use_batch_norm: bool = False,
    block_dropout: float = 0.0,
    dropout: float = 0.5,
    units: int = 4096,
    width: float = 1.0,
    batch_norm_momentum: float = 0.99,
) -> Any:
    """VGG-11: eight convolutions in five blocks, and three Dense layers.

    Args:
        use_batch_norm: Whether each convolution is followed by batch normalization.
        block_dropout: Share of values dropped at the end of each block.
        dropout: Share of values dropped after each hidden Dense layer.
        units: Units of each hidden Dense layer.
        width: Factor on the filters of the convolutions.
        batch_norm_momentum: How much of its past a moving statistic keeps in each step; 0.9 suits
            a training of a few hundred steps.
    """
    norm = {"use_batch_norm": use_batch_norm, "batch_norm_momentum": batch_norm_momentum}
    x = _features(x, frame, (1, 1, 2, 2, 2), "valid", norm, block_dropout, width)
    return _head(x, frame, dropout, units)


@network(
    "vgg11_small",
    family="VGG",
    paper=_PAPER,
    native_input_shape=(224, 224, 1),
    trained_on="Fashion-MNIST",
    parameters=43_093_322,
    idea="""VGG-11 with a quarter of the channels in every block, which makes it ten times cheaper
    to compute and enough for Fashion-MNIST. The head is as wide as before, so two thirds of the
    original's weights are gone and nearly all that remain are in Dense layers.""",
)
def VGG11Small(
    x: Any,
    frame: Frame,
    *,
    use_batch_norm: bool = False,
    block_dropout: float = 0.0,
    dropout: float = 0.5,
    units: int = 4096,
    width: float = 0.25,
    batch_norm_momentum: float = 0.99,
) -> Any:
    """VGG-11 with a quarter of the channels.

    Args:
        use_batch_norm: Whether each convolution is followed by batch normalization.
        block_dropout: Share of values dropped at the end of each block.
        dropout: Share of values dropped after each hidden Dense layer.
        units: Units of each hidden Dense layer.
        width: Factor on the filters of VGG-11's convolutions.
        batch_norm_momentum: How much of its past a moving statistic keeps in each step; 0.9 suits
            a training of a few hundred steps.
    """
    norm = {"use_batch_norm": use_batch_norm, "batch_norm_momentum": batch_norm_momentum}
    x = _features(x, frame, (1, 1, 2, 2, 2), "valid", norm, block_dropout, width)
    return _head(x, frame, dropout, units)


@network(
    "vgg13",
    family="VGG",
    paper=_PAPER,
    native_input_shape=(32, 32, 3),
    trained_on="ImageNet",
    parameters=9_947_210,
    idea="""VGG with ten convolutions, two in every block. Like `vgg16` here it is fitted for small
    images: batch normalization after each convolution, dropout after each block, and a head of 512
    units in place of 4,096.""",
)
def VGG13(
    x: Any,
    frame: Frame,
    *,
    use_batch_norm: bool = True,
    block_dropout: float = 0.2,
    dropout: float = 0.2,
    units: int = 512,
    width: float = 1.0,
    batch_norm_momentum: float = 0.99,
) -> Any:
    """VGG-13: ten convolutions in five blocks, and three Dense layers.

    Args:
        use_batch_norm: Whether each convolution is followed by batch normalization.
        block_dropout: Share of values dropped at the end of each block.
        dropout: Share of values dropped after each hidden Dense layer.
        units: Units of each hidden Dense layer.
        width: Factor on the filters of the convolutions.
        batch_norm_momentum: How much of its past a moving statistic keeps in each step; 0.9 suits
            a training of a few hundred steps.
    """
    norm = {"use_batch_norm": use_batch_norm, "batch_norm_momentum": batch_norm_momentum}
    x = _features(x, frame, (2, 2, 2, 2, 2), "same", norm, block_dropout, width)
    return _head(x, frame, dropout, units)


@network(
    "vgg16",
    family="VGG",
    paper=_PAPER,
    native_input_shape=(32, 32, 3),
    trained_on="ImageNet",
    parameters=15_262_026,
    idea="""The best known VGG, second in the ImageNet challenge of 2014 and the backbone of a
    generation of detectors and of neural style transfer. This form is fitted for small images:
    batch normalization after each convolution, dropout after each block, and a head of 512 units.
    With `use_batch_norm=False`, no dropout in the blocks and `units=4096` it is the paper's.""",
)
def VGG16(
    x: Any,
    frame: Frame,
    *,
    use_batch_norm: bool = True,
    block_dropout: float = 0.2,
    dropout: float = 0.2,
    units: int = 512,
    width: float = 1.0,
    batch_norm_momentum: float = 0.99,
) -> Any:
    """VGG-16: thirteen convolutions in five blocks, and three Dense layers.

    The paper's network is `VGG16((224, 224, 3), 1000, use_batch_norm=False, block_dropout=0.0,
    dropout=0.5, units=4096)`, with 138,357,544 parameters.

    Args:
        use_batch_norm: Whether each convolution is followed by batch normalization.
        block_dropout: Share of values dropped at the end of each block.
        dropout: Share of values dropped after each hidden Dense layer.
        units: Units of each hidden Dense layer.
        width: Factor on the filters of the convolutions.
        batch_norm_momentum: How much of its past a moving statistic keeps in each step; 0.9 suits
            a training of a few hundred steps.
    """
    norm = {"use_batch_norm": use_batch_norm, "batch_norm_momentum": batch_norm_momentum}
    x = _features(x, frame, (2, 2, 3, 3, 3), "same", norm, block_dropout, width)
    return _head(x, frame, dropout, units)


@network(
    "vgg19",
    family="VGG",
    paper=_PAPER,
    native_input_shape=(32, 32, 3),
    trained_on="ImageNet",
    parameters=20_576_842,
    idea="""The deepest VGG: sixteen convolutions, four in each of the last three blocks. On
    ImageNet it gained next to nothing over `vgg16`, the first sign that plain stacking ends there;
    the skips of ResNet came a year later. Fitted for small images as `vgg16` is.""",
)
def VGG19(
    x: Any,
    frame: Frame,
    *,
    use_batch_norm: bool = True,
    block_dropout: float = 0.2,
    dropout: float = 0.2,
    units: int = 512,
    width: float = 1.0,
    batch_norm_momentum: float = 0.99,
) -> Any:
    """VGG-19: sixteen convolutions in five blocks, and three Dense layers.

    Args:
        use_batch_norm: Whether each convolution is followed by batch normalization.
        block_dropout: Share of values dropped at the end of each block.
        dropout: Share of values dropped after each hidden Dense layer.
        units: Units of each hidden Dense layer.
        width: Factor on the filters of the convolutions.
        batch_norm_momentum: How much of its past a moving statistic keeps in each step; 0.9 suits
            a training of a few hundred steps.
    """
    norm = {"use_batch_norm": use_batch_norm, "batch_norm_momentum": batch_norm_momentum}
    x = _features(x, frame, (2, 2, 4, 4, 4), "same", norm, block_dropout, width)
    return _head(x, frame, dropout, units)


def _features(
    x: Any,
    frame: Frame,
    num_convs: tuple[int, ...],
    pool_padding: str,
    norm: dict[str, Any],
    block_dropout: float,
    width: float,
) -> Any:
    for stage, (convs, filters) in enumerate(zip(num_convs, _FILTERS), start=1):
        x = VGGBlock(
            convs,
            scaled(filters, width),
            dropout=block_dropout,
            pool_padding=pool_padding,
            use_bias=True,
            name=f"stage{stage}",
            **norm,
            **frame.spatial,
        )(x)
    return x


def _head(x: Any, frame: Frame, dropout: float, units: int) -> Any:
    if not frame.include_top:
        return x
    x = frame.flatten(x)
    for number in (1, 2):
        x = layers.Dense(units, activation="relu", name=f"dense{number}", dtype=frame.dtype)(x)
        x = layers.Dropout(dropout, name=f"dense{number}_dropout", dtype=frame.dtype)(x)
    return frame.classifier(x)
