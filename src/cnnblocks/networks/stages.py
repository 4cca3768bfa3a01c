"""The stages of a network, told from the names of its layers."""

import re

import keras

from cnnblocks.networks.calls import ends
from cnnblocks.networks.errors import NetworkError

_STAGE = re.compile(r"(stem|stage\d+)(_|$)")


def stages(model: keras.Model) -> dict[str, keras.layers.Layer]:
    """Return the last layer of every stage, in order.

    A stage is the layers whose names begin with `stem`, `stage1`, `stage2`, ... alone or before an
    underscore: what works at one resolution, with the pooling that ends it. The names are saved
    with a model, so its stages are found after reloading, too.

    Args:
        model: A functional or sequential model.

    Returns:
        A dict from the stage's name to its last layer; empty where no layer is named so.

    Example:

        >>> import cnnblocks
        >>> model = cnnblocks.create("lenet5")
        >>> {stage: layer.name for stage, layer in cnnblocks.networks.stages(model).items()}
        {'stage1': 'stage1_pool', 'stage2': 'stage2_pool'}
    """
    found = {}
    for layer in model.layers:
        if match := _STAGE.match(layer.name):
            found[match.group(1)] = layer
    return found


def stage_features(model: keras.Model) -> keras.Model:
    """Return a model of the same layers whose outputs are those of every stage.

    This is what detection, segmentation and transfer learning build upon. Layers are shared with
    `model`, weights included.

    Args:
        model: A functional or sequential model whose layers are named by stage, such as every
            network of this package, with or without its classifier.

    Returns:
        A `keras.Model` from the images to a dict of feature maps, one for each stage. What it gives
        is in the order of the stages, on PyTorch in that of their names.

    Raises:
        NetworkError: No layer is named by stage, or the model is neither functional nor sequential.

    Example:

        >>> import cnnblocks
        >>> model = cnnblocks.create("resnet18", include_top=False)
        >>> features = cnnblocks.stage_features(model)
        >>> features.output["stage2"].shape
        (None, 16, 16, 128)
    """
    last_layers = stages(model)
    if not last_layers:
        raise NetworkError(
            "The model has no stages: none of its layers' names begins with 'stem' or 'stage' and "
            f"a number. Received the layers: {', '.join(layer.name for layer in model.layers)}"
        )
    given = ends(model)
    if given is None:
        raise NetworkError(
            "stage_features takes a functional or sequential model that has been built. "
            f"Received: {model.name} ({type(model).__name__})"
        )
    outputs = {stage: layer.output for stage, layer in last_layers.items()}
    return keras.Model(given[0], outputs, name=f"{model.name}_stages")
