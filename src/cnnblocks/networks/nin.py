"""Network in Network, which needs no Dense layer."""

from typing import Any

from keras import layers

from cnnblocks.blocks import NiNBlock
from cnnblocks.networks.frame import Frame, scaled
from cnnblocks.networks.registry import Paper, network


@network(
    "nin",
    family="NiN",
    paper=Paper(
        "Network In Network",
        "Min Lin, Qiang Chen, Shuicheng Yan",
        2013,
        "https://arxiv.org/abs/1312.4400",
    ),
    native_input_shape=(224, 224, 1),
    trained_on="CIFAR-10",
    parameters=1_992_166,
    idea="""Two ideas that every later network took up: 1x1 convolutions, a small network applied
    at every pixel that mixes channels, and global average pooling in place of Dense layers. The
    last block has one channel a class, whose average over the image is the class's score. Without
    Dense layers it has a twentieth of AlexNet's weights.""",
)
def NiN(x: Any, frame: Frame, *, dropout: float = 0.5, width: float = 1.0) -> Any:
    """Network in Network: four blocks, the last with one channel a class, and their averages.

    The last block ends in a ReLU too, so the averages are never negative. With
    `classifier_activation=None` they are the output, to be taken as logits; otherwise the
    activation is applied to them.

    Args:
        dropout: Share of values dropped before the last block.
        width: Factor on the filters of all blocks but the last.
    """
    x = NiNBlock(
        scaled(96, width), 11, strides=4, padding="valid", name="stage1_block", **frame.spatial
    )(x)
    x = layers.MaxPooling2D(3, strides=2, name="stage1_pool", **frame.spatial)(x)
    x = NiNBlock(scaled(256, width), 5, name="stage2_block", **frame.spatial)(x)
    x = layers.MaxPooling2D(3, strides=2, name="stage2_pool", **frame.spatial)(x)
    x = NiNBlock(scaled(384, width), 3, name="stage3_block", **frame.spatial)(x)
    x = layers.MaxPooling2D(3, strides=2, name="stage3_pool", **frame.spatial)(x)
    if not frame.include_top:
        return x
    x = layers.Dropout(dropout, name="dropout", dtype=frame.dtype)(x)
    head: dict[str, Any] = {"data_format": frame.data_format, "dtype": frame.head_dtype}
    x = NiNBlock(frame.num_classes, 3, name="classifier", **head)(x)
    return frame.activated(layers.GlobalAveragePooling2D(name="global_pool", **head)(x))
