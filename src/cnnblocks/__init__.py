"""The classic convolutional networks as reusable, serializable Keras layers.

The package imports nothing heavy until a name is used: ``cnnblocks.weights`` and
``cnnblocks.runs`` never need Keras.

Example:

    >>> import cnnblocks
    >>> model = cnnblocks.create("resnet18", input_shape=(32, 32, 3), num_classes=10)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from cnnblocks._registration import register_with_keras
from cnnblocks._version import __version__

_HOMES = {
    "ConvBNRelu": "cnnblocks.blocks",
    "InceptionBlock": "cnnblocks.blocks",
    "NiNBlock": "cnnblocks.blocks",
    "ResnetBlock": "cnnblocks.blocks",
    "VGGBlock": "cnnblocks.blocks",
    "create": "cnnblocks.networks",
    "fold_batch_norm": "cnnblocks.networks",
    "list_networks": "cnnblocks.networks",
    "stage_features": "cnnblocks.networks",
    "summarize": "cnnblocks.analysis",
    "load_weights": "cnnblocks.weights",
    "train": "cnnblocks.training",
    "Run": "cnnblocks.training",
}
_SUBPACKAGES = ("analysis", "blocks", "data", "networks", "runs", "training", "weights")

__all__ = [
    "ConvBNRelu",
    "InceptionBlock",
    "NiNBlock",
    "ResnetBlock",
    "Run",
    "VGGBlock",
    "__version__",
    "analysis",
    "blocks",
    "create",
    "data",
    "fold_batch_norm",
    "list_networks",
    "load_weights",
    "networks",
    "runs",
    "stage_features",
    "summarize",
    "train",
    "training",
    "weights",
]

if TYPE_CHECKING:
    from cnnblocks import analysis, blocks, data, networks, runs, training, weights
    from cnnblocks.analysis import summarize
    from cnnblocks.blocks import ConvBNRelu, InceptionBlock, NiNBlock, ResnetBlock, VGGBlock
    from cnnblocks.networks import create, fold_batch_norm, list_networks, stage_features
    from cnnblocks.training import Run, train
    from cnnblocks.weights import load_weights


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name in _SUBPACKAGES:
        return import_module(f"cnnblocks.{name}")
    raise AttributeError(f"module 'cnnblocks' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)


register_with_keras()
