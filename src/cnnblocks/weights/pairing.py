"""Which tensor of one file stands for which of another."""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field, replace

from cnnblocks.weights.naming import group_layers
from cnnblocks.weights.table import Layer, Tensor, WeightTable

_FAMILIES = {
    "keras3-weights": "keras3",
    "keras3-archive": "keras3",
    "legacy-weights": "legacy",
    "legacy-model": "legacy",
}


@dataclass(frozen=True)
class Pairing:
    """Two tensors that stand for the same weight, and what they were matched by."""

    a: Tensor
    b: Tensor
    by: str


@dataclass
class Pairs:
    """The tensors of two files, matched.

    Attributes:
        matched: in the first file's order.
        only_a: tensors of the first file without a partner.
        only_b: tensors of the second without one.
    """

    matched: list[Pairing] = field(default_factory=list)
    only_a: list[Tensor] = field(default_factory=list)
    only_b: list[Tensor] = field(default_factory=list)


def pair(a: WeightTable, b: WeightTable, optimizer: bool = False) -> Pairs:
    """Match the tensors of two tables.

    Args:
        a: the first.
        b: the second.
        optimizer: the tensors of the optimizer and of metrics too.
    """
    matching = _Matching(*(t.tensors if optimizer else _parameters(t) for t in (a, b)))
    same_family = _FAMILIES.get(a.format, a.format) == _FAMILIES.get(b.format, b.format)
    if same_family:
        matching.by_key("path", _path)
    else:
        matching.by_key("name", lambda tensor: (tensor.layer, tensor.role, _last(tensor)))
        matching.by_key("name", lambda tensor: (tensor.layer.split("/")[-1], tensor.role))
    # Where names do match, a name that a person gave and that is missing means a missing layer.
    automatic_only = same_family and bool(matching.partner)
    for key in (_shapes, _roles):
        matching.by_structure(key, automatic_only)
    return matching.result()


def _parameters(table: WeightTable) -> list[Tensor]:
    return [tensor for tensor in table.weights if not tensor.layer.startswith("metrics/")]


def _path(tensor: Tensor) -> str:
    return tensor.path.removeprefix("model_weights/")


def _shapes(layer: Layer) -> Hashable:
    return tuple((tensor.role, tensor.shape) for tensor in layer.tensors)


def _roles(layer: Layer) -> Hashable:
    return tuple(tensor.role for tensor in layer.tensors)


def _last(tensor: Tensor) -> str:
    """Tell apart the tensors of one layer whose role is `other`; elsewhere the role does."""
    return tensor.name.rpartition("/")[2].split(":")[0] if tensor.role == "other" else ""


class _Matching:
    def __init__(self, left: list[Tensor], right: list[Tensor]) -> None:
        self._left = left
        self._right = right
        self.partner: dict[int, tuple[Tensor, str]] = {}
        self._taken: set[int] = set()

    def _free(self) -> tuple[list[Tensor], list[Tensor]]:
        return (
            [t for t in self._left if id(t) not in self.partner],
            [t for t in self._right if id(t) not in self._taken],
        )

    def _match(self, a: Tensor, b: Tensor, by: str) -> None:
        self.partner[id(a)] = (b, by)
        self._taken.add(id(b))

    def by_key(self, by: str, key: Callable[[Tensor], Hashable]) -> None:
        """Match tensors whose key occurs once on either side."""
        ours, theirs = (_single(side, key) for side in self._free())
        for value, tensor in ours.items():
            if value in theirs:
                self._match(tensor, theirs[value], by)

    def by_structure(self, key: Callable[[Layer], Hashable], automatic_only: bool) -> None:
        """Match whole layers of the same key in order, if both sides have as many of them."""
        ours, theirs = (_together(_layers(side, automatic_only), key) for side in self._free())
        for value, layers in ours.items():
            others = theirs.get(value, [])
            if len(layers) != len(others):
                continue
            for layer, other in zip(layers, others):
                for a, b in zip(layer.tensors, other.tensors):
                    self._match(a, b, "structure")

    def result(self) -> Pairs:
        only_a, only_b = self._free()
        matched = [Pairing(t, *self.partner[id(t)]) for t in self._left if id(t) in self.partner]
        return Pairs(matched, only_a, only_b)


def _layers(tensors: list[Tensor], automatic_only: bool) -> list[Layer]:
    """Return the layers in order, each with its tensors in order of their roles."""
    return [
        replace(layer, tensors=tuple(sorted(layer.tensors, key=lambda t: t.role)))
        for layer in group_layers(tensors)
        if layer.number is not None or not automatic_only
    ]


def _single(tensors: Iterable[Tensor], key: Callable[[Tensor], Hashable]) -> dict[Hashable, Tensor]:
    found = _together(tensors, key)
    return {value: members[0] for value, members in found.items() if len(members) == 1}


def _together(items: Iterable, key: Callable) -> dict[Hashable, list]:
    found: dict[Hashable, list] = {}
    for item in items:
        found.setdefault(key(item), []).append(item)
    return found
