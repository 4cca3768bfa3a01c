"""An evaluation as pictures and tables to keep."""

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from cnnblocks.data import Split
from cnnblocks.runs import replacing, write_text

if TYPE_CHECKING:
    from cnnblocks.training.evaluation import Evaluation, Mistake

_MOST_NUMBERS = 25
_MOST_NAMES = 60
_TILE = 96
_CAPTION = 30
_COLUMNS = 6


def write_confusion_csv(found: "Evaluation", path: Path) -> None:
    """Write a confusion matrix as CSV: the truth down, the predictions across."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["truth \\ prediction", *found.class_names])
    for name, row in zip(found.class_names, found.confusion, strict=True):
        writer.writerow([name, *row])
    write_text(path, text.getvalue())


def draw_confusion(found: "Evaluation", path: Path) -> None:
    """Draw a confusion matrix; each row is coloured by its share, whatever its images' number."""
    from matplotlib.figure import Figure

    counts = np.array(found.confusion)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = min(14.0, max(4.5, 0.42 * len(counts) + 2))
    figure = Figure(figsize=(side, side), layout="constrained", dpi=110)
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set(xlabel="taken for", ylabel="is")
    axes.set_title(f"{found.model}: {found.data}, accuracy {found.accuracy:.4f}", fontsize=10)
    if len(counts) <= _MOST_NAMES:
        ticks = range(len(counts))
        axes.set_xticks(ticks, found.class_names, rotation=90 if _long(found.class_names) else 0)
        axes.set_yticks(ticks, found.class_names)
    if len(counts) <= _MOST_NUMBERS:
        for row, column in np.argwhere(counts):
            color = "white" if shares[row, column] > 0.5 else "black"
            number = str(counts[row, column])
            axes.text(column, row, number, ha="center", va="center", color=color, fontsize=8)
    with replacing(path) as aside:
        figure.savefig(aside)


def _long(names: list[str]) -> bool:
    return max(map(len, names)) > 3


def draw_mistakes(found: "Evaluation", split: Split, path: Path) -> None:
    """Draw a contact sheet of the worst mistakes, each with what it is and was taken for."""
    tiles = [_tile(mistake, split) for mistake in found.mistakes]
    rows = max(1, -(-len(tiles) // _COLUMNS))
    size = (_COLUMNS * _TILE, rows * (_TILE + _CAPTION))
    sheet = Image.new("RGB", size, "white")
    for number, tile in enumerate(tiles):
        row, column = divmod(number, _COLUMNS)
        sheet.paste(tile, (column * _TILE, row * (_TILE + _CAPTION)))
    if not tiles:
        ImageDraw.Draw(sheet).text((8, 8), "No mistakes.", fill="black")
    with replacing(path) as aside:
        sheet.save(aside)


def _tile(mistake: "Mistake", split: Split) -> Image.Image:
    (pixels,) = split.images([mistake.position])
    picture = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).convert("RGB")
    enlarge = max(picture.size) < _TILE
    method = Image.Resampling.NEAREST if enlarge else Image.Resampling.BILINEAR
    scale = (_TILE - 4) / max(picture.size)
    width, height = (max(1, round(side * scale)) for side in picture.size)
    tile = Image.new("RGB", (_TILE, _TILE + _CAPTION), "white")
    tile.paste(picture.resize((width, height), method), ((_TILE - width) // 2, 2))
    caption = ImageDraw.Draw(tile)
    font = ImageFont.load_default(size=11)
    caption.text((4, _TILE - 1), f"is {mistake.truth}", fill="black", font=font)
    taken = f"as {mistake.prediction} ({mistake.probability:.2f})"
    caption.text((4, _TILE + 12), taken, fill="#b00020", font=font)
    return tile
