"""Keras 1, Keras 2 and tf.keras HDF5 files: weights alone, or whole models.

The root (or `model_weights`) lists its layers in `layer_names`, each layer's group lists its
variables in `weight_names`; long lists are split (`layer_names0`, `layer_names1`). A nested model
or a block is one group with all that is in it, so the real layer is in the variable's name.
"""

from pathlib import Path
from typing import Any

from cnnblocks.weights.hdf5 import Dataset, Hdf5File
from cnnblocks.weights.model_config import LayerConfig, layers_of, parse_json
from cnnblocks.weights.naming import (
    axes_of,
    group_layers,
    known_kind,
    role_of,
    snake_case,
    trainable_of,
)
from cnnblocks.weights.table import Tensor, WeightTable

_MODEL = "model_weights"
_OPTIMIZER = "optimizer_weights"
_TOP_LEVEL = "top_level_model_weights"


def matches(file: Hdf5File) -> bool:
    """Return whether an HDF5 file is laid out as Keras 1, Keras 2 or tf.keras write it."""
    return _root(file) is not None


def _root(file: Hdf5File) -> str | None:
    for path in ("", _MODEL):
        if path and path not in file.groups:
            continue
        if {"layer_names", "layer_names0"} & file.attributes(path).keys():
            return path
    return None


def read(path: Path, file: Hdf5File) -> WeightTable:
    """Read the table.

    Raises:
        WeightFileError: a list of names is broken, or names an array that is not there.
    """
    root = _root(file)
    assert root is not None
    attributes = file.attributes()
    model = _json(file, attributes, "model_config")
    configs = layers_of(model)
    whole = root == _MODEL or model is not None
    tensors, groups = _weights(file, root, configs)
    optimizer = _optimizer(file)
    listed = {tensor.path for tensor in (*tensors, *optimizer)}
    tensors += [
        _unlisted(dataset) for dataset in file.datasets.values() if dataset.path not in listed
    ]
    stated = {**attributes, **file.attributes(root)} if root else attributes
    metadata = {
        "keras_version": _text(stated.get("keras_version")),
        "backend": _text(stated.get("backend")),
        "training_config": _json(file, attributes, "training_config"),
    }
    classes = {name: config.class_name for name, config in configs.items()}
    return WeightTable(
        path,
        "legacy-model" if whole else "legacy-weights",
        tensors + optimizer,
        group_layers(tensors, groups, None, classes),
        metadata,
        model_config=model,
        close=file.close,
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value.isprintable() else None


def _json(file: Hdf5File, attributes: dict[str, Any], name: str) -> dict[str, Any] | None:
    value = attributes.get(name)
    if not isinstance(value, str):
        return None
    try:
        return parse_json(value)
    except ValueError as error:
        raise file.fail(f"its {name} is broken: {error}.") from None


def _names(file: Hdf5File, path: str, attribute: str) -> list[str]:
    """Return a list of names that may be split over numbered attributes."""
    attributes = file.attributes(path)
    found = attributes.get(attribute)
    if found is None:
        found = []
        while (part := attributes.get(f"{attribute}{len(found)}")) is not None:
            found.append(part)
        found = [name for part in found for name in _as_list(part)]
    names = _as_list(found)
    if not all(isinstance(name, str) and name.isprintable() for name in names):
        raise file.fail(f"refused: '{attribute}' of '{path or '/'}' is not a list of plain names.")
    return names


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _weights(
    file: Hdf5File, root: str, configs: dict[str, LayerConfig]
) -> tuple[list[Tensor], dict[str, str]]:
    prefix = f"{root}/" if root else ""
    groups: dict[str, str] = {}
    tensors = []
    names = _names(file, root, "layer_names")
    if f"{prefix}{_TOP_LEVEL}" in file.groups:
        names = [*names, _TOP_LEVEL]
    for group in names:
        for name in _names(file, _group(file, f"{prefix}{group}"), "weight_names"):
            tensor = _tensor(_dataset(file, f"{prefix}{group}/{name}"), name, group, configs)
            groups.setdefault(tensor.layer, group)
            tensors.append(tensor)
    return tensors, groups


def _group(file: Hdf5File, path: str) -> str:
    if path not in file.groups:
        raise file.fail(f"it lists the layer '{path}' but does not hold it; was it cut short?")
    return path


def _dataset(file: Hdf5File, path: str) -> Dataset:
    dataset = file.datasets.get(path)
    if dataset is None:
        raise file.fail(f"it lists the array '{path}' but does not hold it; was it cut short?")
    return dataset


def layer_of(name: str, group: str) -> str:
    """Return the layer's full name, given a variable's recorded name and its stored group."""
    parts = name.split("/")[:-1]
    if group in parts:
        return "/".join(parts[parts.index(group) :])
    return "/".join([group, *parts])


def _tensor(dataset: Dataset, name: str, group: str, configs: dict[str, LayerConfig]) -> Tensor:
    layer = layer_of(name, group)
    config = configs.get(layer)
    kind = snake_case(config.class_name) if config else known_kind(layer)
    role = role_of(name)
    if role == "kernel" and kind and kind.startswith("depthwise"):
        role = "depthwise_kernel"
    outer = config or configs.get(group)
    return Tensor(
        path=dataset.path,
        name=name,
        layer=layer,
        role=role,
        shape=dataset.shape,
        axes=() if name.endswith("_W") else axes_of(kind, role, dataset.shape),
        dtype=dataset.dtype,
        trainable=trainable_of(role, outer.trainable if outer else None),
        values=dataset.values,
    )


def _optimizer(file: Hdf5File) -> list[Tensor]:
    if _OPTIMIZER not in file.groups:
        return []
    return [
        _plain(_dataset(file, f"{_OPTIMIZER}/{name}"), name, "optimizer", "optimizer")
        for name in _names(file, _OPTIMIZER, "weight_names")
    ]


def _unlisted(dataset: Dataset) -> Tensor:
    in_optimizer = dataset.path.startswith(f"{_OPTIMIZER}/")
    layer = "optimizer" if in_optimizer else dataset.path.rpartition("/")[0]
    return _plain(dataset, dataset.path, layer, "optimizer" if in_optimizer else "other")


def _plain(dataset: Dataset, name: str, layer: str, role: str) -> Tensor:
    return Tensor(
        path=dataset.path,
        name=name,
        layer=layer,
        role=role,
        shape=dataset.shape,
        axes=(),
        dtype=dataset.dtype,
        trainable=None,
        values=dataset.values,
    )
