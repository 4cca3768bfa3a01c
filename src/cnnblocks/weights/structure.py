"""The layers of a weight file or of a model, as matching sees them: names and shapes, no values."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from cnnblocks.weights.model_config import layers_of
from cnnblocks.weights.naming import automatic
from cnnblocks.weights.table import Layer, Tensor, WeightTable

Shape = tuple[int, ...]

STATISTICS = frozenset({"moving_mean", "moving_variance"})

# Names that Keras makes up for containers and common layers, whichever classes a model holds.
COMMON_STEMS = frozenset(
    {
        "batch_normalization",
        "conv1d",
        "conv2d",
        "conv2d_transpose",
        "conv3d",
        "dense",
        "depthwise_conv2d",
        "functional",
        "layer_normalization",
        "model",
        "separable_conv2d",
        "sequential",
    }
)
_KERAS3 = ("keras3-weights", "keras3-archive")
_HELD = re.compile(r"(?:^|(?<=/))layers/([^/]+)")
_CALL_ORDER = re.compile(r"layer_with_weights-(\d+)")


@dataclass(frozen=True)
class Unit:
    """One layer's own weights, which are loaded together or not at all.

    Attributes:
        name: the layer's full name, containers first (`stage1_block1/conv1/conv`).
        path: the layer's path as Keras 3 saves it, or the file's own (attribute names for a
            TensorFlow checkpoint).
        family: what only weights of the same family can be exchanged for (`kernel4` for a
            convolution, `kernel2` for a dense layer, `batch_normalization`).
        shapes: role and shape of each weight, in the layer's order.
        stem: what an automatic name counts (`conv2d`), `None` for a name that a person gave.
        number: how far it has counted (`conv2d_17`: 17).
        place: where the layer stands in the order in which the model holds its layers, as far as
            that is known; layers with equal places stand in no known order.
        guessed: whether the family is only a guess from the shapes, which cannot tell a convolution
            from a transposed one, nor one normalization from another.
    """

    name: str
    path: str
    family: str
    shapes: tuple[tuple[str, Shape], ...]
    stem: str | None = None
    number: int | None = None
    place: tuple[int, ...] | None = None
    guessed: bool = False

    @property
    def shapes_by_role(self) -> frozenset[tuple[str, Shape]]:
        """The shapes, whatever their order."""
        return frozenset(self.shapes)

    def key(self, ignored: frozenset[str] = frozenset()) -> tuple[Any, ...]:
        """Return what tells it from layers that its weights do not fit.

        Args:
            ignored: roles that do not count.
        """
        return (self.family, frozenset(s for s in self.shapes if s[0] not in ignored))

    def __str__(self) -> str:
        shapes = ", ".join(f"{role} {shape}" for role, shape in self.shapes)
        return f"{self.name} ({shapes})"


@dataclass(frozen=True)
class Structure:
    """The weights of a file or of a model, layer by layer.

    Attributes:
        units: the layers that hold weights, in order of creation as far as it is known.
        paths: whether the units' paths are those that Keras 3 saves by.
        stems: the class names in it as automatic names use them (`resnet_block`).
    """

    units: tuple[Unit, ...]
    paths: bool = False
    stems: frozenset[str] = field(default=COMMON_STEMS)

    @property
    def parameters(self) -> int:
        """How many values the weights hold."""
        return sum(_size(shape) for unit in self.units for _, shape in unit.shapes)

    @property
    def without_statistics(self) -> bool:
        """Whether no layer has moving statistics, as in a dump of the trainable variables."""
        return not any(role in STATISTICS for unit in self.units for role, _ in unit.shapes)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON takes it, for a cache."""
        return {
            "schema": 1,
            "paths": self.paths,
            "stems": sorted(self.stems),
            "units": [
                [u.name, u.path, u.family, u.shapes, u.stem, u.number, u.place] for u in self.units
            ],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Structure:
        """Return what `to_json` described."""
        units = tuple(
            Unit(
                name,
                path,
                family,
                tuple((role, tuple(shape)) for role, shape in shapes),
                stem,
                number,
                None if place is None else tuple(place),
            )
            for name, path, family, shapes, stem, number, place in data["units"]
        )
        return cls(units, data["paths"], frozenset(data["stems"]))


def _size(shape: Shape) -> int:
    size = 1
    for length in shape:
        size *= length
    return size


def family_of(kind: str | None, shapes: Iterable[tuple[str, Shape]]) -> str:
    """Return the family of a layer.

    Args:
        kind: its class in snake case, or `None`.
        shapes: role and shape of each weight.
    """
    roles = dict(shapes)
    if kind and kind.endswith("normalization"):
        return kind
    if roles.keys() & {"gamma", "beta", *STATISTICS}:
        return "batch_normalization"
    for role in ("pointwise_kernel", "depthwise_kernel"):
        if role in roles:
            return f"{role}{len(roles[role])}"
    if "kernel" in roles:
        transposed = "_transpose" if kind and kind.endswith("_transpose") else ""
        return f"kernel{len(roles['kernel'])}{transposed}"
    return kind or "other"


def table_structure(table: WeightTable) -> Structure:
    """Return the layers of an opened weight file.

    Args:
        table: the file, as `cnnblocks.weights.open` returns it.

    Example:

        >>> with weights.open("lenet.h5") as table:
        ...     print(table_structure(table).units[0])
        conv2d (kernel (5, 5, 1, 6), bias (6,))
    """
    layers = [layer for layer in table.structure if loadable(layer)]
    places = _places(table, layers)
    units = tuple(_unit(layer, place) for layer, place in zip(layers, places))
    return Structure(units, table.format in _KERAS3)


def loadable(layer: Layer) -> list[Tensor]:
    """Return the tensors of a file's layer that belong in a model's layer."""
    if layer.name.split("/")[0] == "metrics":
        return []
    return [t for t in layer.tensors if t.role not in ("optimizer", "seed_state")]


def weight_role(tensor: Tensor) -> str:
    """Return the tensor's role, or its own name where it has no role that is known."""
    return tensor.role if tensor.role != "other" else tensor.name.split("/")[-1].split(":")[0]


def _unit(layer: Layer, place: tuple[int, ...] | None) -> Unit:
    shapes = _shapes_of(layer)
    stem = automatic(_leaf(layer))[0] if layer.number is not None else None
    return Unit(
        layer.name,
        layer.path,
        family_of(layer.kind, shapes),
        shapes,
        stem,
        layer.number,
        place,
        layer.guessed,
    )


def _shapes_of(layer: Layer) -> tuple[tuple[str, Shape], ...]:
    return tuple((weight_role(tensor), tensor.shape) for tensor in loadable(layer))


def _leaf(layer: Layer) -> str:
    return layer.name.split("/")[-1]


def _places(table: WeightTable, layers: list[Layer]) -> list[tuple[int, ...] | None]:
    if table.format == "text":
        return [(index,) for index in range(len(layers))]
    if table.format == "tf-checkpoint":
        return [_checkpoint_place(layer.path) for layer in layers]
    if table.format in _KERAS3:
        return _keras3_places(layers)
    if table.format in ("legacy-weights", "legacy-model"):
        return _legacy_places(table, layers)
    return [None] * len(layers)


def _checkpoint_place(path: str) -> tuple[int, ...]:
    """Return the layer's place as far as Sequential and Functional models count it."""
    place: list[int] = []
    for component in path.split("/"):
        match = _CALL_ORDER.fullmatch(component)
        if match is None:
            break
        place.append(int(match[1]))
    return tuple(place)


def _keras3_places(layers: list[Layer]) -> list[tuple[int, ...] | None]:
    """Keras counts the layers that a model holds class by class (`layers/dense_2`); where layers
    lie in the file says nothing, and layers held as attributes are sorted by name."""
    held = [_HELD.findall(layer.path) for layer in layers]
    families = [family_of(layer.kind, _shapes_of(layer)) for layer in layers]
    classes: dict[str, set[tuple[str, ...]]] = {}
    for family, parts in zip(families, held):
        stems = tuple(automatic(part)[0] for part in parts)
        classes.setdefault(family, set()).add(stems)
    return [
        tuple(automatic(part)[1] for part in parts) if parts and len(classes[family]) == 1 else None
        for family, parts in zip(families, held)
    ]


def _legacy_places(table: WeightTable, layers: list[Layer]) -> list[tuple[int, ...] | None]:
    if table.model_config is not None and _is_chain(table.model_config):
        configured = {name: index for index, name in enumerate(layers_of(table.model_config))}
        if all(layer.name in configured for layer in layers):
            return [(configured[layer.name],) for layer in layers]
    groups = {g: index for index, g in enumerate(dict.fromkeys(x.group for x in layers))}
    return [(groups[layer.group],) for layer in layers]


def _is_chain(config: dict[str, Any], depth: int = 0) -> bool:
    """Return whether a configuration is a Sequential's, those of the models inside it too."""
    if config.get("class_name") != "Sequential" or depth > 8:
        return False
    inner = config.get("config")
    entries = inner.get("layers") if isinstance(inner, dict) else inner
    if not isinstance(entries, list):
        return False
    models = [e for e in entries if isinstance(e, dict) and _holds_layers(e)]
    return all(_is_chain(model, depth + 1) for model in models)


def _holds_layers(entry: dict[str, Any]) -> bool:
    config = entry.get("config")
    return isinstance(config, list) or (isinstance(config, dict) and "layers" in config)


def called_in_order(table: WeightTable) -> bool:
    """Return whether the file itself says that its layers are called one after the other."""
    return table.model_config is not None and _is_chain(table.model_config)
