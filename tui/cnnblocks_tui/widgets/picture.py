"""The architecture as a drawing: boxes as wide as the image, as deep as it has channels."""

import math
from collections.abc import Sequence

from rich.text import Text

from cnnblocks_tui import wording
from cnnblocks_tui.widgets.layers import Layer, kernel_text

_SMALL = ("Dropout", "Flatten", "Activation", "InputLayer", "Rescaling")
_LEAST, _MOST = 22, 52
_SHADE, _SKIP = 8, 14
"""Cells that the shading and a way past the convolutions take at a box's right."""


def picture(rows: Sequence[Layer], width: int) -> Text:
    """Draw a network from top to bottom.

    A box's width follows the resolution and the shading at its right the number of channels, both
    on a logarithmic scale. Branches stand below each other inside a box; a way past the
    convolutions is drawn outside it.

    Args:
        rows: The layer table's top rows.
        width: Cells across.
    """
    largest = max((_resolution(row) for row in rows), default=1)
    beside = _SHADE + (_SKIP if any(branches(row)[1] for row in rows) else 0)
    width = max(_LEAST, width - beside)
    text = Text()
    for row in rows:
        if row["type"] in _SMALL:
            _small(text, row, width)
        elif "Pool" in str(row["type"]):
            shape = wording.shape(row["output_shape"])
            _arrow(text, f"{row['type']} {kernel_text(row)} → {shape}", width)
        else:
            _box(text, row, largest, width)
    return text


def _resolution(row: Layer) -> int:
    shape = row.get("output_shape") or [1]
    return max(shape[:-1]) if len(shape) > 1 else 1


def _small(text: Text, row: Layer, width: int) -> None:
    if row["type"] == "InputLayer":
        label = f"images {wording.shape(row['output_shape'])}"
        text.append(label.center(_middle(width) * 2).rstrip() + "\n", style="bold")
    else:
        _arrow(text, str(row["type"]).lower(), width)


def _middle(width: int) -> int:
    return min(width, _MOST + 2) // 2


def _arrow(text: Text, label: str, width: int) -> None:
    text.append(" " * (_middle(width) - 1) + "↓ ", style="dim")
    text.append(f"{label}\n", style="dim")


def _box(text: Text, row: Layer, largest: int, width: int) -> None:
    chains, skip = branches(row)
    shape = row.get("output_shape") or [1]
    lines = [f"{row['name']}  {wording.shape(shape)}", *_branch_lines(row, chains)]
    share = math.log2(1 + _resolution(row)) / math.log2(1 + max(largest, 2))
    most = min(_MOST, width)
    inner = max(round(_LEAST + (most - _LEAST) * share) - 4, max(len(line) for line in lines))
    shade = "▒" * max(1, round(math.log2(max(2, shape[-1])) / 1.5))
    left = " " * max(0, _middle(width) - (inner + 4) // 2)
    _arrow_in(text, width)
    edge = "─" * (inner + 2)
    text.append(f"{left}╭{edge}╮")
    text.append(f"{shade}{'──╮ ' + skip if skip else ''}\n", style="dim")
    for index, line in enumerate(lines):
        text.append(f"{left}│ ")
        text.append(f"{line:<{inner}}", style="bold" if index == 0 else "")
        text.append(" │")
        text.append(f"{shade}{'  │' if skip else ''}\n", style="dim")
    text.append(f"{left}╰{edge}╯")
    text.append(f"{shade}{'←─╯' if skip else ''}\n", style="dim")


def _arrow_in(text: Text, width: int) -> None:
    if text.plain and not text.plain.rstrip("\n").rsplit("\n", 1)[-1].strip().startswith("↓"):
        text.append(" " * (_middle(width) - 1) + "↓\n", style="dim")


def _branch_lines(row: Layer, chains: list[list[str]]) -> list[str]:
    if not row.get("children"):
        words = [str(row["type"]), kernel_text(row), f"{wording.count(row['parameters'])} params"]
        return ["  ".join(word for word in words if word)]
    if len(chains) == 1:
        return [" → ".join(chains[0])] if chains[0] else []
    signs = ["┬", *"├" * (len(chains) - 2), "╰"]
    return [f"{sign}─ {' → '.join(chain)}" for sign, chain in zip(signs, chains, strict=True)]


def branches(row: Layer) -> tuple[list[list[str]], str]:
    """The ways through a block, and the one past its convolutions, if there is one.

    Returns:
        The labels along each way, and `"skip"`, `"projection"` or nothing.
    """
    children = {str(child["path"]): child for child in row.get("children") or []}
    merges = [child for child in children.values() if len(child.get("inputs") or []) > 1]
    if not merges:
        labels = [label for child in children.values() if (label := _label(child))]
        return [labels], ""
    ways = [_way_back(source, children) for source in merges[-1]["inputs"]]
    if "concat" in str(merges[-1]["type"]).lower() or len(ways) > 2:
        return [[_label(child) or str(child["type"]) for child in way] for way in ways], ""
    ways.sort(key=len, reverse=True)
    main, past = ways[0], ways[1]
    labels = [label for child in main if (label := _label(child))]
    return [labels], "skip" if not any(_label(child) for child in past) else "projection"


def _way_back(source: str, children: dict[str, Layer]) -> list[Layer]:
    way: list[Layer] = []
    while source in children and len(way) < 50:
        way.insert(0, children[source])
        inputs = children[source].get("inputs") or [""]
        source = str(inputs[0])
    return way


def _label(child: Layer) -> str:
    kernel = child.get("kernel_size")
    if not kernel:
        return ""
    strides = max(child.get("strides") or [1])
    size = wording.shape(kernel) + (f"/{strides}" if strides > 1 else "")
    if "Pool" in str(child["type"]):
        return f"pool {size}"
    return f"{size} {(child.get('output_shape') or ['?'])[-1]}"
