"""The blocks of the classic convolutional networks, each one serializable Keras layer.

Importing this package registers the layers with Keras, so that `keras.models.load_model` finds
them.
"""

from cnnblocks.blocks.conv_bn_relu import ConvBNRelu
from cnnblocks.blocks.inception_block import InceptionBlock
from cnnblocks.blocks.nin_block import NiNBlock
from cnnblocks.blocks.resnet_block import ResnetBlock
from cnnblocks.blocks.vgg_block import VGGBlock

__all__ = ["ConvBNRelu", "InceptionBlock", "NiNBlock", "ResnetBlock", "VGGBlock"]
