"""Keras 3 weights: `.weights.h5`, alone, in shards, or inside a `.keras` archive.

Every layer is a group named after its class (`layers/conv2d_3`) with its variables by position in
`vars`. The user's name of the layer is an attribute of `vars`. Nothing names the variables, so
their roles come from the layer's kind.
"""

from pathlib import Path
from typing import Any

from cnnblocks.weights.errors import WeightFileError
from cnnblocks.weights.hdf5 import Dataset, Hdf5File
from cnnblocks.weights.model_config import LayerConfig, layers_of, parse_json
from cnnblocks.weights.naming import (
    automatic,
    axes_of,
    group_layers,
    known_kind,
    natural,
    roles_by_position,
    snake_case,
    trainable_of,
)
from cnnblocks.weights.table import Layer, Tensor, WeightTable

_MAX_INDEX_BYTES = 64 << 20
_MAX_SHARDS = 10_000


def matches(file: Hdf5File) -> bool:
    """Return whether an HDF5 file is laid out as Keras 3 writes weights."""
    has_vars = any(group.split("/")[-1] == "vars" for group in file.groups)
    return has_vars and all(path.split("/")[-2:-1] == ["vars"] for path in file.datasets)


def read(path: Path, file: Hdf5File) -> WeightTable:
    """Read the table of one `.weights.h5` file."""
    tensors, structure = collect([file], None)
    return WeightTable(path, "keras3-weights", tensors, structure, {}, close=file.close)


def read_shards(path: Path) -> WeightTable:
    """Read the table of a sharded set from its `.weights.json`.

    Raises:
        WeightFileError: the index is broken, names a file elsewhere, or a shard is missing.
    """
    files: list[Hdf5File] = []
    try:
        for name in _shard_names(path):
            files.append(Hdf5File(path.with_name(name)))
        tensors, structure = collect(files, None)
    except BaseException:
        _close_all(files)
        raise
    metadata = {"shards": len(files)}
    return WeightTable(
        path, "keras3-weights", tensors, structure, metadata, close=lambda: _close_all(files)
    )


def _close_all(files: list[Hdf5File]) -> None:
    for file in files:
        file.close()


def _shard_names(path: Path) -> list[str]:
    if path.stat().st_size > _MAX_INDEX_BYTES:
        raise WeightFileError(path, "refused: far too large for a list of shards.")
    try:
        weight_map = parse_json(path.read_bytes()).get("weight_map")
    except ValueError as error:
        raise WeightFileError(path, f"not a list of shards: {error}.") from None
    if not isinstance(weight_map, dict):
        raise WeightFileError(path, "not a list of shards: it has no 'weight_map'.")
    names: dict[str, None] = {}
    for value in weight_map.values():
        for name in value if isinstance(value, list) else [value]:
            if not isinstance(name, str) or Path(name).name != name or "\\" in name:
                raise WeightFileError(path, f"refused: the shard {name!r} is not beside it.")
            names[name] = None
    if len(names) > _MAX_SHARDS:
        raise WeightFileError(path, f"refused: it names {len(names):,} shards.")
    return list(names)


def collect(
    files: list[Hdf5File], model: dict[str, Any] | None
) -> tuple[list[Tensor], list[Layer]]:
    """Return the tensors and layers of the files of one model, in the model's order.

    Args:
        files: the shards, or the one file.
        model: the model's configuration, which knows classes and order.
    """
    configs = layers_of(model)
    recorded = _recorded_names(files)
    groups: dict[str, list[Dataset]] = {}
    for file in files:
        for dataset in file.datasets.values():
            groups.setdefault(dataset.path.rpartition("/")[0], []).append(dataset)
    names = _layer_names(groups, recorded)
    order = {name: place for place, name in enumerate(configs)}
    written = _written_order(files)

    def place(group: str) -> tuple[Any, ...]:
        name = names[group]
        top = _configured(name, configs)
        later = name == "optimizer" or name.startswith("metrics/")
        return (later, order.get(top, len(order)), written.get(group, ()), natural(group))

    tensors: list[Tensor] = []
    paths: dict[str, str] = {}
    for group in sorted(groups, key=place):
        name = names[group]
        paths[name] = group.removesuffix("vars").rstrip("/")
        members = sorted(groups[group], key=lambda d: natural(d.path))
        label = recorded.get("optimizer") if _is_optimizer(group) else name
        tensors += _tensors(group, name, label or name, members, configs.get(name))
    classes = {name: config.class_name for name, config in configs.items()}
    tops = {name: _top(name) for name in names.values()}
    layers = group_layers([t for t in tensors if t.role != "optimizer"], tops, paths, classes)
    return tensors, layers


def _top(name: str) -> str:
    return name.split("/")[0]


def _configured(name: str, configs: dict[str, LayerConfig]) -> str:
    """Return the innermost configured layer that holds the layer `name`."""
    while name and name not in configs:
        name = name.rpartition("/")[0]
    return name


def _written_order(files: list[Hdf5File]) -> dict[str, tuple[int, ...]]:
    """Return the order in which layers were written, by group: their names lie in that order.

    It is the model's order. Files without names, as tf.keras writes them, tell none.
    """
    order: dict[str, tuple[int, ...]] = {}
    for shard, file in enumerate(files):
        for group in file.groups:
            place = file.written(group)
            if place is not None:
                order.setdefault(group, (shard, *place))
    return order


def _recorded_names(files: list[Hdf5File]) -> dict[str, str | None]:
    """Return the recorded name of every group that has a `vars`, `None` where there is none."""
    names: dict[str, str | None] = {}
    for file in files:
        for group in file.groups:
            parent, _, last = group.rpartition("/")
            if last == "vars":
                name = file.attributes(group).get("name")
                names[parent] = name if isinstance(name, str) and name.isprintable() else None
    return names


def _layer_names(groups: dict[str, Any], recorded: dict[str, str | None]) -> dict[str, str]:
    """Return the layer's full name for every `vars` group, no two the same."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for group in groups:
        path = group.removesuffix("vars").rstrip("/")
        name = "optimizer" if _is_optimizer(group) else _full_name(path, recorded)
        if name in taken:
            name = path
        taken.add(name)
        names[group] = name
    return names


def _full_name(path: str, recorded: dict[str, str | None]) -> str:
    parts = path.split("/") if path else []
    found = []
    for end in range(1, len(parts) + 1):
        prefix = "/".join(parts[:end])
        if prefix in recorded or end == len(parts):
            found.append(recorded.get(prefix) or parts[end - 1])
    if parts[:1] == ["metrics"]:
        found.insert(0, "metrics")
    return "/".join(found) or recorded.get("") or "model"


def _is_optimizer(group: str) -> bool:
    return group.split("/")[0] == "optimizer"


def _tensors(
    group: str, layer: str, label: str, members: list[Dataset], config: LayerConfig | None
) -> list[Tensor]:
    if _is_optimizer(group):
        roles, kind = ["optimizer"] * len(members), None
    else:
        kind = _kind(group, layer, config)
        shapes = [dataset.shape for dataset in members]
        roles = roles_by_position(kind, shapes, config.config if config else None)
    trainable = config.trainable if config else None
    return [
        Tensor(
            path=dataset.path,
            name=f"{label}/{_variable(role, dataset.path)}",
            layer=layer,
            role=role,
            shape=dataset.shape,
            axes=axes_of(kind, role, dataset.shape),
            dtype=dataset.dtype,
            trainable=trainable_of(role, trainable),
            values=dataset.values,
        )
        for dataset, role in zip(members, roles)
    ]


def _variable(role: str, path: str) -> str:
    return path.rpartition("/")[2] if role in ("other", "optimizer") else role


def _kind(group: str, layer: str, config: LayerConfig | None) -> str | None:
    if config is not None:
        return snake_case(config.class_name)
    stored = group.removesuffix("vars").rstrip("/").rpartition("/")[2]
    return known_kind(automatic(stored)[0]) or known_kind(layer)
