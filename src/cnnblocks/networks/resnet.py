"""ResNet: networks whose blocks add to their input."""

from typing import Any

from keras import layers

from cnnblocks.blocks import ConvBNRelu, ResnetBlock
from cnnblocks.networks.errors import NetworkError
from cnnblocks.networks.frame import Frame, scaled
from cnnblocks.networks.registry import Paper, network

_PAPER = Paper(
    "Deep Residual Learning for Image Recognition",
    "Kaiming He, Xiangyu Zhang, Shaoqing Ren, Jian Sun",
    2015,
    "https://arxiv.org/abs/1512.03385",
)


@network(
    "resnet9",
    family="ResNet",
    paper=Paper(
        "How to Train Your ResNet",
        "David Page",
        2018,
        "https://myrtle.ai/learn/how-to-train-your-resnet/",
    ),
    native_input_shape=(32, 32, 3),
    trained_on="CIFAR-10",
    parameters=6_577_600,
    idea="""A ResNet cut down for speed, from the contests over who trains CIFAR-10 to 94 % fastest:
    four wide convolutions, each but the first followed by pooling, residual blocks after two of
    them, a global maximum, and logits scaled down so that a high learning rate is stable. It
    reaches in a minute on one card what ResNet-18 needs many for.""",
)
def ResNet9(
    x: Any,
    frame: Frame,
    *,
    width: float = 1.0,
    logit_scale: float = 0.125,
    batch_norm_momentum: float = 0.99,
) -> Any:
    """ResNet-9: four convolutions, three with pooling, and two residual blocks.

    Args:
        width: Factor on the filters of all convolutions.
        logit_scale: Factor on the logits.
        batch_norm_momentum: How much of its past a moving statistic keeps in each step; 0.9 suits
            a training of a few hundred steps.
    """
    arguments = {"batch_norm_momentum": batch_norm_momentum, **frame.spatial}
    x = ConvBNRelu(scaled(64, width), name="stem", **arguments)(x)
    for stage, filters in enumerate((128, 256, 512), start=1):
        channels = scaled(filters, width)
        x = ConvBNRelu(channels, name=f"stage{stage}_conv", **arguments)(x)
        x = layers.MaxPooling2D(2, name=f"stage{stage}_pool", **frame.spatial)(x)
        if stage != 2:
            x = ResnetBlock(channels, name=f"stage{stage}_block", **arguments)(x)
    if not frame.include_top:
        return x
    x = frame.global_pool(x, "max")
    x = layers.Dense(frame.num_classes, use_bias=False, name="classifier", dtype=frame.head_dtype)(
        x
    )
    x = layers.Rescaling(logit_scale, name="logit_scale", dtype=frame.head_dtype)(x)
    return frame.activated(x)


@network(
    "resnet18",
    family="ResNet",
    paper=_PAPER,
    native_input_shape=(32, 32, 3),
    trained_on="ImageNet",
    parameters=11_183_562,
    idea="""Deeper networks trained worse, even on their training data. A residual block adds its
    convolutions' output to its input, so doing nothing is easy to learn and gradients pass
    unhindered: networks of a hundred layers became trainable and won ImageNet in 2015. ResNet-18 is
    the smallest of the paper's; this form keeps the full resolution at the start, for small
    images.""",
)
def ResNet18(
    x: Any,
    frame: Frame,
    *,
    stem: str = "cifar",
    blocks: tuple[int, ...] = (2, 2, 2, 2),
    width: float = 1.0,
    drop_path: float = 0.0,
    freeze_statistics: bool = False,
    batch_norm_momentum: float = 0.99,
    classifier_regularizer: Any = "l2",
) -> Any:
    """ResNet-18: a convolution and eight residual blocks of two.

    Args:
        stem: `"cifar"` for a 3x3 convolution at full resolution, `"imagenet"` for 7x7 at stride 2
            and pooling.
        blocks: Number of blocks in each stage.
        width: Factor on the filters of all convolutions.
        drop_path: Rate at which the last block is skipped in training; it rises linearly from the
            first block, which is never skipped.
        freeze_statistics: Whether batch normalization always uses its moving statistics.
        batch_norm_momentum: How much of its past a moving statistic keeps in each step; 0.9 suits
            a training of a few hundred steps.
        classifier_regularizer: Regularizer of the classifier's kernel; `"l2"` is that of Keras,
            0.01.
    """
    norm = {"freeze_statistics": freeze_statistics, "batch_norm_momentum": batch_norm_momentum}
    x = _features(x, frame, stem, blocks, width, drop_path, norm)
    return _head(x, frame, classifier_regularizer)


@network(
    "resnet34",
    family="ResNet",
    paper=_PAPER,
    native_input_shape=(32, 32, 3),
    trained_on="ImageNet",
    parameters=21_299_146,
    idea="""ResNet-18's stages with three, four, six and three blocks. The paper's own witness: a
    plain network of 34 layers trains worse than one of 18, and with skips it trains better.""",
)
def ResNet34(
    x: Any,
    frame: Frame,
    *,
    stem: str = "cifar",
    blocks: tuple[int, ...] = (3, 4, 6, 3),
    width: float = 1.0,
    drop_path: float = 0.0,
    freeze_statistics: bool = False,
    batch_norm_momentum: float = 0.99,
    classifier_regularizer: Any = "l2",
) -> Any:
    """ResNet-34: a convolution and sixteen residual blocks of two.

    Args:
        stem: `"cifar"` for a 3x3 convolution at full resolution, `"imagenet"` for 7x7 at stride 2
            and pooling.
        blocks: Number of blocks in each stage.
        width: Factor on the filters of all convolutions.
        drop_path: Rate at which the last block is skipped in training; it rises linearly from the
            first block, which is never skipped.
        freeze_statistics: Whether batch normalization always uses its moving statistics.
        batch_norm_momentum: How much of its past a moving statistic keeps in each step; 0.9 suits
            a training of a few hundred steps.
        classifier_regularizer: Regularizer of the classifier's kernel; `"l2"` is that of Keras,
            0.01.
    """
    norm = {"freeze_statistics": freeze_statistics, "batch_norm_momentum": batch_norm_momentum}
    x = _features(x, frame, stem, blocks, width, drop_path, norm)
    return _head(x, frame, classifier_regularizer)


@network(
    "resnet50",
    family="ResNet",
    paper=_PAPER,
    native_input_shape=(32, 32, 3),
    trained_on="ImageNet",
    parameters=23_573_962,
    idea="""ResNet-34's plan with bottleneck blocks: a 1x1 convolution narrows the channels, a 3x3
    works on the few, and a 1x1 widens them fourfold. Deeper and stronger for about the same cost,
    it has been the standard backbone, and the standard benchmark, ever since.""",
)
def ResNet50(
    x: Any,
    frame: Frame,
    *,
    stem: str = "cifar",
    blocks: tuple[int, ...] = (3, 4, 6, 3),
    width: float = 1.0,
    drop_path: float = 0.0,
    freeze_statistics: bool = False,
    batch_norm_momentum: float = 0.99,
    classifier_regularizer: Any = "l2",
) -> Any:
    """ResNet-50: a convolution and sixteen bottleneck blocks of three.

    The stride of a block is on its 3x3 convolution, as in all that is published as ResNet v1.5;
    the paper has it on the first 1x1.

    Args:
        stem: `"cifar"` for a 3x3 convolution at full resolution, `"imagenet"` for 7x7 at stride 2
            and pooling.
        blocks: Number of blocks in each stage.
        width: Factor on the filters of all convolutions.
        drop_path: Rate at which the last block is skipped in training; it rises linearly from the
            first block, which is never skipped.
        freeze_statistics: Whether batch normalization always uses its moving statistics.
        batch_norm_momentum: How much of its past a moving statistic keeps in each step; 0.9 suits
            a training of a few hundred steps.
        classifier_regularizer: Regularizer of the classifier's kernel; `"l2"` is that of Keras,
            0.01.
    """
    norm = {"freeze_statistics": freeze_statistics, "batch_norm_momentum": batch_norm_momentum}
    x = _features(x, frame, stem, blocks, width, drop_path, norm, bottleneck=True)
    return _head(x, frame, classifier_regularizer)


def _features(
    x: Any,
    frame: Frame,
    stem: str,
    blocks: tuple[int, ...],
    width: float,
    drop_path: float,
    norm: dict[str, Any],
    bottleneck: bool = False,
) -> Any:
    arguments = {**norm, **frame.spatial}
    x = _stem(x, stem, scaled(64, width), frame, arguments)
    last = max(sum(blocks) - 1, 1)
    done = 0
    for stage, repeats in enumerate(blocks, start=1):
        for number in range(1, repeats + 1):
            x = ResnetBlock(
                scaled(64 * 2 ** (stage - 1), width),
                strides=2 if stage > 1 and number == 1 else 1,
                bottleneck=bottleneck,
                drop_path=drop_path * done / last,
                name=f"stage{stage}_block{number}",
                **arguments,
            )(x)
            done += 1
    return x


def _stem(x: Any, stem: str, filters: int, frame: Frame, arguments: dict[str, Any]) -> Any:
    if stem == "cifar":
        return ConvBNRelu(filters, name="stem_conv", **arguments)(x)
    if stem != "imagenet":
        raise NetworkError(f"stem must be 'cifar' or 'imagenet'. Received: {stem!r}")
    x = ConvBNRelu(filters, 7, strides=2, name="stem_conv", **arguments)(x)
    return layers.MaxPooling2D(3, strides=2, padding="same", name="stem_pool", **frame.spatial)(x)


def _head(x: Any, frame: Frame, classifier_regularizer: Any) -> Any:
    if not frame.include_top:
        return x
    return frame.classifier(frame.global_pool(x), kernel_regularizer=classifier_regularizer)
