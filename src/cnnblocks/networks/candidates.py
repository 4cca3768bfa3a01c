"""Which networks a weight file may belong to, with the arguments that its shapes tell."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Any

import keras

from cnnblocks.networks.errors import NetworkError
from cnnblocks.networks.registry import NetworkSpec, get, list_networks, outline
from cnnblocks.weights import Candidate, Structure, model_structure
from cnnblocks.weights.structure import Unit

# Arguments that change which layers a network has.
_FORMS = {"stem": ("cifar", "imagenet"), "use_batch_norm": (False, True)}
_CONV, _DENSE = "kernel4", "kernel2"
_LARGEST_SIZE = 1024


def candidates(file: Structure, pattern: str = "*") -> list[Candidate]:
    """Propose networks for a weight file, with the arguments that its shapes tell.

    Input channels and width come from the first convolution, hidden units and classes from the
    Dense layers, the size of the images from the first Dense layer where features are flattened
    (of several sizes that give as many features, the native one or else the smallest).

    Args:
        file: the file's layers, as `cnnblocks.weights.table_structure` gives them.
        pattern: shell-style wildcards for the networks to try.

    Returns:
        A `weights.Candidate` for each network that has the same kinds of layers, but for the
        head. `cnnblocks.weights.identify` tells which of them the file fits.

    Example:

        >>> from cnnblocks import weights
        >>> from cnnblocks.networks.candidates import candidates
        >>> with weights.open("lenet.h5") as table:
        ...     structure = weights.table_structure(table)
        >>> [(c.network, c.arguments) for c in candidates(structure)]
        [('lenet', {'input_shape': (28, 28, 1), 'num_classes': 10}), ...]
    """
    proposed = []
    for name in list_networks(pattern):
        spec = get(name)
        for form in _forms(spec):
            template = _template(name, tuple(form.items()))
            if _body(template.structure) == _body(file):
                proposed += _proposed(spec, form, template, file)
    return proposed


@dataclass(frozen=True)
class _Template:
    """A network with its default width and head, to which a file is compared."""

    structure: Structure
    flattens: bool


@cache
def _template(name: str, form: tuple[tuple[str, Any], ...]) -> _Template:
    model = _outline(name, **dict(form))
    flattens = any(isinstance(layer, keras.layers.Flatten) for layer in model.layers)
    return _Template(model_structure(model), flattens)


def _outline(name: str, **arguments: Any) -> keras.Model:
    """Outline a network for shapes written as (height, width, channels)."""
    return outline(name, data_format="channels_last", **arguments)


def _forms(spec: NetworkSpec) -> list[dict[str, Any]]:
    """Return the arguments for each set of layers that the network can have."""
    names = [name for name in _FORMS if name in spec.arguments]
    forms = [dict(zip(names, values)) for values in product(*(_FORMS[name] for name in names))]
    return [_without_defaults(spec, form) for form in forms]


def _without_defaults(spec: NetworkSpec, arguments: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in arguments.items() if spec.arguments.get(k) != v}


def _body(structure: Structure) -> Counter[tuple[Any, ...]]:
    """Count the kinds of layers, convolutions by their kernel size, without Dense layers."""
    return Counter(
        (unit.family, _kernel(unit)[:-2] if unit.family == _CONV else ())
        for unit in structure.units
        if unit.family != _DENSE
    )


def _proposed(
    spec: NetworkSpec, form: dict[str, Any], template: _Template, file: Structure
) -> list[Candidate]:
    own = {**form, **_width(spec, template, file)}
    head = _head(spec, template, file)
    own |= {key: value for key, value in head.items() if key in spec.arguments}
    classes = {key: value for key, value in head.items() if key not in spec.arguments}
    try:
        shape = _input_shape(spec, own, template, file)
        arguments = {"input_shape": shape, **classes, **own}
        structure = model_structure(_outline(spec.name, **arguments))
    except NetworkError:
        return []
    return [Candidate(spec.name, structure, arguments)]


def _kernel(unit: Unit) -> tuple[int, ...]:
    return dict(unit.shapes)["kernel"]


def _of(structure: Structure, family: str) -> list[Unit]:
    """Return the layers of a family, in order as far as the file tells it."""
    units = [unit for unit in structure.units if unit.family == family]
    numbers = {unit.number for unit in units}
    if None not in numbers and len(numbers) == len(units) and len({u.stem for u in units}) == 1:
        return sorted(units, key=lambda unit: unit.number or 0)
    if all(unit.place is not None for unit in units):
        return sorted(units, key=lambda unit: unit.place or ())
    return units


def _first_convolution(template: _Template, file: Structure) -> tuple[int, ...]:
    """Return the kernel of the file's first convolution: of those of its size, the one with the
    fewest input channels."""
    size = _kernel(_of(template.structure, _CONV)[0])[:-2]
    kernels = [_kernel(unit) for unit in _of(file, _CONV)]
    return min((k for k in kernels if k[:-2] == size), key=lambda kernel: kernel[-2])


def _width(spec: NetworkSpec, template: _Template, file: Structure) -> dict[str, Any]:
    """Return the width if it is not the default."""
    filters = _kernel(_of(template.structure, _CONV)[0])[-1]
    theirs = _first_convolution(template, file)[-1]
    if theirs == filters or "width" not in spec.arguments:
        return {}
    return {"width": spec.arguments["width"] * theirs / filters}


def _head(spec: NetworkSpec, template: _Template, file: Structure) -> dict[str, Any]:
    """Return the number of classes, and the hidden units if they are not the default."""
    dense = [_kernel(unit) for unit in _of(file, _DENSE)]
    if not _of(template.structure, _DENSE):
        return {"num_classes": _kernel(_of(file, _CONV)[-1])[-1]}
    if len(dense) != len(_of(template.structure, _DENSE)):
        return {"num_classes": dense[-1][-1]} if dense else {}
    found: dict[str, Any] = {"num_classes": dense[-1][-1]}
    hidden = tuple(kernel[-1] for kernel in dense[:-1])
    default = spec.arguments.get("units")
    units = hidden if isinstance(default, tuple) else hidden[0] if len(set(hidden)) == 1 else None
    if default is not None and units is not None and units != default:
        found["units"] = units
    return found


def _input_shape(
    spec: NetworkSpec, own: dict[str, Any], template: _Template, file: Structure
) -> tuple[int, int, int]:
    """Return the native shape, or the smallest whose features are as many as the file says."""
    height, width, _ = spec.native_input_shape
    channels = _first_convolution(template, file)[-2]
    theirs = _of(file, _DENSE)
    if not template.flattens or not theirs:
        return height, width, channels
    wanted = _kernel(theirs[0])[0]
    features = _outline(spec.name, include_top=False, input_shape=(None, None, channels), **own)
    if _features(features, height, channels) == wanted:
        return height, width, channels
    size = _smallest(lambda side: _features(features, side, channels) >= wanted)
    if size is None or _features(features, size, channels) != wanted:
        return height, width, channels
    return size, size, channels


def _features(model: Any, size: int, channels: int) -> int:
    """Return how many features a square image of a size has, 0 if it is too small."""
    try:
        shape = model.compute_output_shape((None, size, size, channels))
    except ValueError:
        return 0
    return math.prod(shape[1:])


def _smallest(enough: Any) -> int | None:
    """Return the smallest size that is enough, `None` if none is."""
    if not enough(_LARGEST_SIZE):
        return None
    low, high = 0, _LARGEST_SIZE
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
