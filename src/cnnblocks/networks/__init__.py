"""The classic networks: a registry, and one function for each, as in `keras.applications`."""

from cnnblocks.networks.alexnet import AlexNet, AlexNet8
from cnnblocks.networks.baseline import Baseline
from cnnblocks.networks.errors import NetworkError
from cnnblocks.networks.fold import fold_batch_norm
from cnnblocks.networks.frame import Frame
from cnnblocks.networks.inception import GoogLeNet, Inception10
from cnnblocks.networks.lenet import LeNet, LeNet5
from cnnblocks.networks.nin import NiN
from cnnblocks.networks.registry import (
    NetworkSpec,
    Paper,
    create,
    get,
    list_networks,
    network,
    outline,
)
from cnnblocks.networks.resnet import ResNet9, ResNet18, ResNet34, ResNet50
from cnnblocks.networks.stages import stage_features, stages
from cnnblocks.networks.vgg import VGG11, VGG13, VGG16, VGG19, VGG11Small

__all__ = [
    "AlexNet",
    "AlexNet8",
    "Baseline",
    "Frame",
    "GoogLeNet",
    "Inception10",
    "LeNet",
    "LeNet5",
    "NetworkError",
    "NetworkSpec",
    "NiN",
    "Paper",
    "ResNet18",
    "ResNet34",
    "ResNet50",
    "ResNet9",
    "VGG11",
    "VGG11Small",
    "VGG13",
    "VGG16",
    "VGG19",
    "create",
    "fold_batch_norm",
    "get",
    "list_networks",
    "network",
    "outline",
    "stage_features",
    "stages",
]
