"""Tensors and layers of weight files in words."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from rich.text import Text

from cnnblocks_tui import wording

if TYPE_CHECKING:
    from cnnblocks.weights import Tensor


def tensor_matches(tensor: "Tensor", query: str) -> bool:
    """Whether a tensor's name, role, dtype or shape has every word of the query."""
    shape = "x".join(str(length) for length in tensor.shape)
    words = f"{tensor.name} {tensor.path} {tensor.role} {tensor.dtype} {shape}".lower()
    return all(
        word[1:] not in words if len(word) > 1 and word[0] == "!" else word in words
        for word in query.lower().split()
    )


def branching(layers: Iterable[str]) -> set[str]:
    """The prefixes of layer names below which more than one name goes on."""
    following: dict[str, set[str]] = {}
    for layer in layers:
        parts = layer.split("/")
        for length in range(len(parts)):
            following.setdefault("/".join(parts[:length]), set()).add(parts[length])
    return {prefix for prefix, names in following.items() if len(names) > 1}


def outline_parts(layer: str, branches: set[str]) -> list[str]:
    """A layer's name in the pieces that get a line of their own.

    Example:

        >>> outline_parts("block/conv/conv_1", {"", "block"})
        ['block', 'conv/conv_1']
    """
    if not layer:
        return ["(no layer)"]
    parts: list[str] = []
    pending, names = "", layer.split("/")
    for length, name in enumerate(names, start=1):
        pending = f"{pending}/{name}" if pending else name
        if "/".join(names[:length]) in branches or length == len(names):
            parts.append(pending)
            pending = ""
    return parts


def tensor_label(tensor: "Tensor") -> Text:
    """A tensor's line in the tree."""
    name = tensor.role if tensor.role not in ("other", "optimizer") else tensor.name.split("/")[-1]
    text = Text(name)
    text.append(f" {wording.shape(tensor.shape)} {wording.size(tensor.bytes)}", style="dim")
    return text


def free_axes(tensor: "Tensor", expression: str) -> tuple[str, ...]:
    """The names of the axes that a slice leaves."""
    from cnnblocks.weights.slicing import normalize, parse

    items = normalize(parse(expression), tensor.shape)
    names = tensor.axes or tuple(f"axis {n}" for n in range(len(tensor.shape)))
    return tuple(name for name, item in zip(names, items, strict=False) if isinstance(item, slice))


def fits_text(answer: dict[str, Any]) -> Text:
    """The networks that a file fits, as the engine found them."""
    text = Text.assemble(("Fits\n", "bold"))
    if not answer["matches"]:
        text.append("No registered network has this structure.\n")
    for match in answer["matches"]:
        arguments = ", ".join(f"{name}={value}" for name, value in match["arguments"].items())
        text.append(f"  {match['network']}", style="bold")
        text.append(f" {match['fit']}  {arguments}\n")
    return text
