"""Curves drawn with characters, for terminals and logs."""

from collections.abc import Mapping, Sequence
from itertools import cycle

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""The bits of a braille character, by row and column of its dots."""

_BRAILLE = 0x2800

_SIGNS = "⠒ox+*#%@"
"""The first curve is a line, the others are points."""


def curves(series: Mapping[str, Sequence[float]], width: int = 64, height: int = 10) -> str:
    """Draw curves over the epochs.

    Args:
        series: From names to values, one an epoch, from epoch 1. The first is drawn as a line of
            dots, the others as points of a sign each.
        width: Characters across, without the axis.
        height: Lines.

    Returns:
        Lines of text; empty when there are no values.

    Example:

        >>> print(curves({"accuracy": [0.2, 0.7, 0.9]}, width=10, height=3))
        0.900 ┤     ⣀⠤⠔⠒⠉
              │  ⢀⠔⠉
        0.200 ┤⡠⠒⠁
               epoch 1 to 3    ⠒ accuracy
    """
    values = [value for points in series.values() for value in points]
    if not values:
        return ""
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    epochs = max(map(len, series.values()))
    grid = [[0] * width for _ in range(height)]
    marks: dict[tuple[int, int], str] = {}
    for number, (sign, points) in enumerate(zip(cycle(_SIGNS), series.values())):
        heights = [(value - low) / span for value in points]
        if number == 0:
            _line(grid, heights, epochs)
        else:
            marks |= {_cell(x, y, width, height): sign for x, y in _spread(heights, epochs)}
    lines = [_row(grid[row], row, marks) for row in range(height)]
    labels = {0: f"{high:.3f} ┤", height - 1: f"{low:.3f} ┤"}
    pad = " " * (max(map(len, labels.values())) - 1)
    drawn = [labels.get(row, f"{pad}│") + line for row, line in enumerate(lines)]
    names = "  ".join(f"{sign} {name}" for sign, name in zip(cycle(_SIGNS), series))
    return "\n".join([*drawn, f"{pad} epoch 1 to {epochs}    {names}"])


def _spread(heights: Sequence[float], epochs: int) -> list[tuple[float, float]]:
    return [(number / max(1, epochs - 1), height) for number, height in enumerate(heights)]


def _line(grid: list[list[int]], heights: Sequence[float], epochs: int) -> None:
    columns, rows = 2 * len(grid[0]), 4 * len(grid)
    last = len(heights) - 1
    for column in range(columns):
        place = (epochs - 1) * column / max(1, columns - 1)
        if place > last:
            return
        left = min(int(place), max(0, last - 1))
        right = min(left + 1, last)
        height = heights[left] + (heights[right] - heights[left]) * (place - left)
        row = round((1 - height) * (rows - 1))
        grid[row // 4][column // 2] |= _DOTS[row % 4][column % 2]


def _cell(x: float, y: float, width: int, height: int) -> tuple[int, int]:
    return round((1 - y) * (height - 1)), round(x * (width - 1))


def _row(cells: list[int], row: int, marks: dict[tuple[int, int], str]) -> str:
    drawn = (
        marks.get((row, column)) or (chr(_BRAILLE + bits) if bits else " ")
        for column, bits in enumerate(cells)
    )
    return "".join(drawn).rstrip()
