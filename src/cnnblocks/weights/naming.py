"""What the names and shapes in a weight file say about its layers."""

import re
from collections import Counter
from collections.abc import Iterator

from cnnblocks.weights.table import Layer, Tensor

Shape = tuple[int, ...]

_BN = ("gamma", "beta", "moving_mean", "moving_variance")

# Keras stores a layer's variables by position; this is what the positions mean.
_POSITIONS = {
    "batch_normalization": _BN,
    "layer_normalization": ("gamma", "beta"),
    "group_normalization": ("gamma", "beta"),
    "dense": ("kernel", "bias"),
    "depthwise_conv1d": ("depthwise_kernel", "bias"),
    "depthwise_conv2d": ("depthwise_kernel", "bias"),
    "separable_conv1d": ("depthwise_kernel", "pointwise_kernel", "bias"),
    "separable_conv2d": ("depthwise_kernel", "pointwise_kernel", "bias"),
    "seed_generator": ("seed_state",),
    **{f"conv{n}d{suffix}": ("kernel", "bias") for n in (1, 2, 3) for suffix in ("", "_transpose")},
}

_AXES = {
    1: ("length",),
    2: ("height", "width"),
    3: ("depth", "height", "width"),
}

# Names that Keras 1, Theano-style files and TensorFlow 1 used for the same things.
_OLD_ROLES = {
    "W": "kernel",
    "b": "bias",
    "weights": "kernel",
    "biases": "bias",
    "running_mean": "moving_mean",
    "running_std": "moving_variance",
    "seed_generator_state": "seed_state",
}
_NAMED_ROLES = {
    role: role
    for role in (
        "kernel",
        "bias",
        "gamma",
        "beta",
        "moving_mean",
        "moving_variance",
        "depthwise_kernel",
        "pointwise_kernel",
        "seed_state",
    )
} | _OLD_ROLES

# Automatic names of Keras 1 and 2 whose class is known under another name today.
_OLD_KINDS = {
    "convolution1d": "conv1d",
    "convolution2d": "conv2d",
    "convolution3d": "conv3d",
    "deconvolution2d": "conv2d_transpose",
    "separableconvolution2d": "separable_conv2d",
    "batchnormalization": "batch_normalization",
    "input": "input_layer",
    "model": "functional",
}

_COUNTER = re.compile(r"(.+?)_(\d+)")


def automatic(name: str) -> tuple[str, int]:
    """Split an automatic name into the kind and its counter (`conv2d_17`: `conv2d`, 17)."""
    match = _COUNTER.fullmatch(name)
    base, number = (match[1], int(match[2])) if match else (name, 0)
    return _OLD_KINDS.get(base, base), number


def natural(name: str) -> list[tuple[int, int, str]]:
    """Return a key that sorts `conv2d_2` before `conv2d_10`."""
    return [
        (0, int(part), "") if part.isdecimal() else (1, 0, part)
        for part in re.split(r"(\d+)", name)
        if part
    ]


def numbered(names: list[str]) -> Iterator[str]:
    """Yield names, no two the same: one that came before gets the next number that is free."""
    taken = set(names)
    counts: Counter[str] = Counter()
    for name in names:
        counts[name] += 1
        own = name
        if counts[name] > 1:
            while (own := f"{name}_{counts[name]}") in taken:
                counts[name] += 1
            taken.add(own)
        yield own


def snake_case(class_name: str) -> str:
    """Return a class name as Keras writes it in names (`Conv2DTranspose`: `conv2d_transpose`)."""
    name = class_name.rsplit(">", 1)[-1]
    name = re.sub(r"\W+", "", name)
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def role_of(name: str) -> str:
    """Return the role that a variable's recorded name tells (`conv2d_3/kernel:0`: `kernel`)."""
    last = name.split("/")[-1].split(":")[0]
    if last in _NAMED_ROLES:
        return _NAMED_ROLES[last]
    for suffix, role in _NAMED_ROLES.items():
        if last.endswith(f"_{suffix}") and not last.startswith("recurrent"):
            return role
    return "other"


def roles_by_position(
    kind: str | None, shapes: list[Shape], config: dict | None = None
) -> list[str]:
    """Return the roles of variables that are stored by position.

    Args:
        kind: the layer's kind; with `None` the shapes have to tell.
        shapes: of the variables, in order.
        config: the layer's configuration, which says what it leaves out.
    """
    known = _POSITIONS.get(kind or "") or _positions_by_shape(shapes)
    if known == _BN or known == ("gamma", "beta"):
        known = _normalization(known, len(shapes), config or {})
    if len(known) < len(shapes):
        return [*known, *["other"] * (len(shapes) - len(known))]
    if known[-1:] == ("bias",) and len(shapes) < len(known) - 1:
        return ["other"] * len(shapes)
    return list(known[: len(shapes)])


def _positions_by_shape(shapes: list[Shape]) -> tuple[str, ...]:
    ranks = [len(shape) for shape in shapes]
    if ranks == [1, 1, 1, 1] and len(set(shapes)) == 1:
        return _BN
    if not ranks or ranks[0] not in (2, 3, 4, 5):
        return ()
    if ranks == [ranks[0]]:
        return ("kernel",)
    if ranks == [ranks[0], 1] and shapes[1][0] in shapes[0][-2:]:
        return ("kernel", "bias")
    if ranks[:2] == [ranks[0]] * 2 and shapes[0][-2] * shapes[0][-1] == shapes[1][-2]:
        return ("depthwise_kernel", "pointwise_kernel", "bias")
    return ()


def _normalization(known: tuple[str, ...], count: int, config: dict) -> tuple[str, ...]:
    left_out = {
        role for role, key in (("gamma", "scale"), ("beta", "center")) if config.get(key) is False
    }
    roles = tuple(role for role in known if role not in left_out)
    if len(roles) == count or known != _BN:
        return roles[:count]
    return ("other",) * (count - 2) + _BN[2:] if count >= 2 else ("other",) * count


def axes_of(kind: str | None, role: str, shape: Shape) -> tuple[str, ...]:
    """Return names for the axes of a kernel, `()` where its layout is not known."""
    rank = len(shape)
    if role == "depthwise_kernel" and rank - 2 in _AXES:
        return (*_AXES[rank - 2], "in", "multiplier")
    if role not in ("kernel", "pointwise_kernel"):
        return ()
    if rank == 2:
        return ("in", "out")
    if rank - 2 not in _AXES:
        return ()
    if kind and kind.endswith("_transpose"):
        return (*_AXES[rank - 2], "out", "in")
    return (*_AXES[rank - 2], "in", "out")


def kind_by_tensors(shapes: dict[str, Shape]) -> str | None:
    """Return the kind of layer that has these roles with these shapes, if only one does."""
    if "moving_variance" in shapes:
        return "batch_normalization"
    depthwise = shapes.get("depthwise_kernel")
    if depthwise is not None:
        prefix = "separable" if "pointwise_kernel" in shapes else "depthwise"
        return f"{prefix}_conv{len(depthwise) - 2}d"
    kernel = shapes.get("kernel")
    if kernel is None:
        return None
    if len(kernel) == 2:
        return "dense"
    return f"conv{len(kernel) - 2}d" if len(kernel) - 2 in _AXES else None


def trainable_of(role: str, layer_trainable: bool | None) -> bool | None:
    """Return whether a variable is trained, given what the file says of its layer."""
    if role in ("moving_mean", "moving_variance", "seed_state"):
        return False
    return layer_trainable if role != "optimizer" else None


def known_kind(name: str) -> str | None:
    """Return the kind that an automatic layer name tells, `None` for a name a user gave."""
    kind, _ = automatic(name.split("/")[-1])
    return kind if kind in _POSITIONS else None


def group_layers(
    tensors: list[Tensor],
    groups: dict[str, str] | None = None,
    paths: dict[str, str] | None = None,
    classes: dict[str, str] | None = None,
) -> list[Layer]:
    """Put tensors together by their layer, in order of first appearance.

    Args:
        tensors: without the optimizer's.
        groups: the stored group of each layer, by its name.
        paths: the group's path in the file of each layer, by its name.
        classes: the class of each layer, by its name.
    """
    members: dict[str, list[Tensor]] = {}
    for tensor in tensors:
        members.setdefault(tensor.layer, []).append(tensor)
    return [
        _layer(
            name,
            own,
            (groups or {}).get(name, name.split("/")[0]),
            (paths or {}).get(name, ""),
            (classes or {}).get(name),
        )
        for name, own in members.items()
    ]


def _layer(name: str, own: list[Tensor], group: str, path: str, class_name: str | None) -> Layer:
    kind = snake_case(class_name) if class_name else known_kind(name) or _stored_kind(path)
    shapes = {tensor.role: tensor.shape for tensor in own}
    base, number = automatic(name.split("/")[-1])
    return Layer(
        name=name,
        path=path,
        kind=kind or kind_by_tensors(shapes),
        class_name=class_name,
        number=number if base in _POSITIONS else None,
        group=group,
        tensors=tuple(own),
        guessed=kind is None,
    )


def _stored_kind(path: str) -> str | None:
    """Return the kind that Keras 3 wrote into the path of a layer (`layers/conv2d_3`)."""
    parts = path.split("/")
    return known_kind(parts[-1]) if parts[-2:-1] == ["layers"] else None


def drop_model_name(names: list[str]) -> list[str]:
    """Return variables' names without the model's own, if all of them begin with one.

    `baseline/conv2d/kernel` becomes `conv2d/kernel`; names of two parts stay as they are.
    """
    parts = [name.split("/") for name in names]
    if not parts or min(len(part) for part in parts) < 3 or len({part[0] for part in parts}) > 1:
        return names
    return ["/".join(part[1:]) for part in parts]
