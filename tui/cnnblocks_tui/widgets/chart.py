"""A line chart in braille dots, or in letters where there is only ASCII or no colour."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from rich.segment import Segment
from rich.style import Style
from textual.events import Click, MouseMove
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from cnnblocks_tui import wording
from cnnblocks_tui.actions import bindings
from cnnblocks_tui.themes import series_color

_BRAILLE_BITS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]], dtype=np.uint16)
_LETTERS = "*o+x#@%&AaBbCcDd"


@dataclass(frozen=True)
class Series:
    """One curve: points in the order of x.

    Attributes:
        name: What the legend calls it.
        x: Positions, rising.
        y: Values; those that are not finite leave a gap.
        color: Index of its colour and letter.
        dashed: Drawn in dashes, so that pairs such as training and validation differ
            without colour.
        filled: The area below it is filled (histograms).
    """

    name: str
    x: np.ndarray
    y: np.ndarray
    color: int = 0
    dashed: bool = False
    filled: bool = False


@dataclass(frozen=True)
class _Frame:
    """The chart's box and scales in cells."""

    left: int
    width: int
    top: int
    height: int
    x_low: float
    x_high: float
    y_low: float
    y_high: float
    ticks: list[tuple[int, str]] = field(default_factory=list)


@dataclass(frozen=True)
class _Picture:
    """The curves as they stand until others are drawn or the box changes, without the cursor.

    Attributes:
        frame: The box.
        owner: For each cell, the index of its curve, or -1.
        lines: The characters of each row.
        styles: The style of each curve.
        axis: The lines below.
    """

    frame: _Frame
    owner: np.ndarray
    lines: list[str]
    styles: list[Style]
    axis: list[Strip]


def ticks(low: float, high: float, intervals: int) -> list[float]:
    """Round numbers between two values, about `intervals` apart or fewer.

    Example:

        >>> [float(tick) for tick in ticks(0.0, 1.0, 3)]
        [0.0, 0.5, 1.0]
    """
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low or intervals < 1:
        return []
    raw = (high - low) / intervals
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(step for m in (1, 2, 5, 10, 20) if (step := m * power) >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]


def columns_of(
    series: Series, width: int, x_low: float, x_high: float
) -> tuple[np.ndarray, np.ndarray]:
    """The lowest and highest value of a curve in each of `width` columns; NaN where it has none.

    Every point counts, however many there are, and the gaps between few points are filled along
    straight lines.
    """
    lowest, highest = np.full(width, np.nan), np.full(width, np.nan)
    known = _known(series)
    x, y = known.x, known.y
    if not len(x):
        return lowest, highest
    column = np.clip((x - x_low) / (x_high - x_low) * (width - 1), 0, width - 1)
    first, last = int(np.ceil(column[0])), int(np.floor(column[-1]))
    inner = np.arange(first, last + 1)
    if len(inner):
        lowest[inner] = highest[inner] = np.interp(inner, column, y)
    cell = np.round(column).astype(int)
    starts = np.flatnonzero(np.r_[True, np.diff(cell) > 0])
    cells = cell[starts]
    lowest[cells] = np.fmin(lowest[cells], np.minimum.reduceat(y, starts))
    highest[cells] = np.fmax(highest[cells], np.maximum.reduceat(y, starts))
    return lowest, highest


def _known(series: Series) -> Series:
    """The points of a curve that have a place and a value."""
    keep = np.isfinite(series.y) & np.isfinite(series.x)
    return series if keep.all() else replace(series, x=series.x[keep], y=series.y[keep])


class Chart(Widget, can_focus=True):
    """Curves with axes, a legend and a cursor that reads values.

    Left and right (or a click) move the cursor; its values stand in the legend.
    """

    BINDINGS = bindings("chart")
    HELP = "A chart. Left and right move a cursor; the legend then reads the values at it."
    DEFAULT_CSS = """
    Chart { height: 1fr; min-height: 6; padding: 0 1; background: transparent; }
    Chart:focus { background: $boost; }
    """

    cursor: reactive[float | None] = reactive(None)

    def __init__(
        self,
        title: str = "",
        *,
        id: str | None = None,
        x_format: Callable[[float], str] = wording.count,
        empty: str = "Nothing to draw yet.",
        tells_last: bool = True,
    ) -> None:
        super().__init__(id=id)
        self.chart_title = title
        self.x_format = x_format
        self.empty = empty
        self.tells_last = tells_last
        self.log_y = False
        self._series: list[Series] = []
        self._places: np.ndarray | None = None
        self._picture: _Picture | None = None
        self._canvas: list[Strip] | None = None

    def draw(
        self,
        series: Sequence[Series],
        *,
        log_y: bool = False,
        title: str | None = None,
        x_format: Callable[[float], str] | None = None,
    ) -> None:
        """Show these curves instead of the ones before."""
        self._series = [known for one in series if len((known := _known(one)).y)]
        self._places = None
        self.log_y = log_y
        self.chart_title = self.chart_title if title is None else title
        self.x_format = x_format or self.x_format
        self._picture = self._canvas = None
        self.refresh()

    def action_cursor_left(self) -> None:
        self._move_cursor(-1)

    def action_cursor_right(self) -> None:
        self._move_cursor(1)

    def on_click(self, event: Click) -> None:
        self._cursor_to_cell(event)

    def on_mouse_move(self, event: MouseMove) -> None:
        if event.button:
            self._cursor_to_cell(event)

    def watch_cursor(self) -> None:
        self._canvas = None
        self.refresh()

    def on_resize(self) -> None:
        self._picture = self._canvas = None

    def notify_style_update(self) -> None:
        self._picture = self._canvas = None
        super().notify_style_update()

    def render_line(self, y: int) -> Strip:
        """Textual's hook: one line of the picture, drawn when something changed."""
        if self._canvas is None:
            self._canvas = self._paint()
        lines = self._canvas
        return lines[y] if y < len(lines) else Strip.blank(self.size.width, self.rich_style)

    def _move_cursor(self, direction: int) -> None:
        if not self._series:
            return
        if self._places is None:
            self._places = np.unique(np.concatenate([series.x for series in self._series]))
        places = self._places
        if self.cursor is None:
            self.cursor = float(places[-1] if direction < 0 else places[0])
            return
        stride = max(1, len(places) // max(1, self.size.width))
        index = int(np.searchsorted(places, self.cursor)) + direction * stride
        self.cursor = float(places[max(0, min(len(places) - 1, index))])

    def _cursor_to_cell(self, event: Click | MouseMove) -> None:
        place = event.get_content_offset(self)
        if self._picture is None or place is None:
            return
        frame = self._picture.frame
        share = max(0.0, min(1.0, (place.x - frame.left) / (frame.width - 1)))
        self.cursor = frame.x_low + share * (frame.x_high - frame.x_low)

    def _paint(self) -> list[Strip]:
        width, height = self.size
        base = self.rich_style
        if width < 16 or height < 4:
            return []
        if not self._series:
            heading = Strip([Segment(self.chart_title[:width], base + Style(bold=True))])
            return [heading.adjust_cell_length(width, base), self._line(self.empty, width, base)]
        legend = self._legend(self._series, width, base)
        if self._picture is None or self._picture.frame.top != len(legend):
            self._picture = self._drawn(self._series, len(legend), base)
        picture = self._picture
        return [*legend, *self._rows(picture, base), *picture.axis]

    def _line(self, text: str, width: int, style: Style) -> Strip:
        return Strip([Segment(text, style + Style(dim=True))]).adjust_cell_length(width, style)

    def _style(self, series: Series) -> Style:
        return Style(color=series_color(series.color, self.app.current_theme.dark))

    def _mark(self, series: Series) -> str:
        if self._plain:
            return _LETTERS[(2 * series.color + series.dashed) % len(_LETTERS)] + " "
        return "╌╌ " if series.dashed else "── "

    @property
    def _plain(self) -> bool:
        return bool(getattr(self.app, "ascii_only", False)) or self.app.no_color

    def _legend(self, shown: list[Series], width: int, base: Style) -> list[Strip]:
        lines: list[list[Segment]] = [[Segment(self.chart_title + " ", base + Style(bold=True))]]
        used = len(self.chart_title) + 1
        if self.cursor is not None:
            place = f"at {self.x_format(self.cursor)} "
            lines[0].append(Segment(place, base))
            used += len(place)
        for series in shown:
            mark = self._mark(series)
            entry = f"{series.name} {self._reading(series)}  "
            if used + len(mark) + len(entry) > width and used and len(lines) < 3:
                lines.append([])
                used = 0
            used += len(mark) + len(entry)
            lines[-1] += [Segment(mark, base + self._style(series)), Segment(entry, base)]
        return [Strip(line).adjust_cell_length(width, base) for line in lines]

    def _reading(self, series: Series) -> str:
        if self.cursor is None:
            return wording.number(float(series.y[-1])) if self.tells_last else ""
        nearest = np.abs(series.x - self.cursor).argmin()
        return wording.number(float(series.y[nearest]))

    def _measure(self, shown: list[Series], width: int, height: int, top: int) -> _Frame:
        values = [self._scaled(s.y) for s in shown]
        finite = np.concatenate([v[np.isfinite(v)] for v in values])
        y_low, y_high = _widen(*_extent(finite, any(s.filled for s in shown)))
        x_low = min(float(s.x.min()) for s in shown)
        x_high = max(float(s.x.max()) for s in shown)
        x_low, x_high = _widen(x_low, x_high)
        rows = max(1, height - top - 2)
        few = max(2, min(6, rows // 3))
        marks = next(
            (found for more in (0, 1, 2) if len(found := ticks(y_low, y_high, few + more)) > 1),
            [y_low, y_high],
        )
        labels = [(value, f"{10**value if self.log_y else value:.4g}") for value in marks]
        left = max([len(label) for _, label in labels], default=0) + 2
        rows_of = [
            (round((y_high - value) / (y_high - y_low) * (rows - 1)), label)
            for value, label in labels
        ]
        return _Frame(left, max(4, width - left), top, rows, x_low, x_high, y_low, y_high, rows_of)

    def _scaled(self, y: np.ndarray) -> np.ndarray:
        if not self.log_y:
            return y.astype(float)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(y > 0, np.log10(np.where(y > 0, y, 1)), np.nan)

    def _drawn(self, shown: list[Series], top: int, base: Style) -> _Picture:
        frame = self._measure(shown, *self.size, top)
        across, down = (1, 1) if self._plain else (2, 4)
        owner = np.full((frame.height, frame.width), -1, dtype=int)
        dots = np.zeros((frame.height, frame.width), dtype=np.uint16)
        for index in reversed(range(len(shown))):
            mask = self._raster(shown[index], frame, across, down)
            cells = mask.reshape(frame.height, down, frame.width, across)
            owner[cells.any(axis=(1, 3))] = index
            if not self._plain:
                bits = _BRAILLE_BITS[None, :, None, :]
                dots |= (cells * bits).sum(axis=(1, 3)).astype(np.uint16)
        if self._plain:
            marks = "".join(self._mark(series)[0] for series in shown) + " "
            lines = ["".join(marks[index] for index in row) for row in owner]
        else:
            codes = np.where(owner >= 0, 0x2800 + dots, ord(" "))
            lines = ["".join(map(chr, row)) for row in codes.tolist()]
        styles = [base + self._style(series) for series in shown]
        return _Picture(frame, owner, lines, styles, self._x_axis(frame, self.size.width, base))

    def _rows(self, picture: _Picture, base: Style) -> list[Strip]:
        frame, cursor = picture.frame, self._cursor_cell(picture.frame)
        labels = dict(frame.ticks)
        strips = []
        for row, text in enumerate(picture.lines):
            edge = f"{labels.get(row, ''):>{frame.left - 1}}{'┤' if row in labels else '│'}"
            strips.append(_row(edge, text, picture.owner[row], picture.styles, cursor, base))
        return strips

    def _raster(self, series: Series, frame: _Frame, across: int, down: int) -> np.ndarray:
        width, height = frame.width * across, frame.height * down
        scaled = replace(series, y=self._scaled(series.y))
        lowest, highest = columns_of(scaled, width, frame.x_low, frame.x_high)
        span = frame.y_high - frame.y_low
        mask = np.zeros((height, width), dtype=bool)
        columns = np.flatnonzero(np.isfinite(highest))
        if not len(columns):
            return mask
        first = np.round((frame.y_high - highest[columns]) / span * (height - 1)).astype(int)
        last = np.round((frame.y_high - lowest[columns]) / span * (height - 1)).astype(int)
        # Each column reaches up or down to the one before, so that a curve has no gaps.
        first[1:], last[1:] = (
            np.minimum(first[1:], last[:-1] + 1),
            np.maximum(last[1:], first[:-1] - 1),
        )
        if series.filled:
            last[:] = height - 1
        rows = np.arange(height)[:, None]
        mask[:, columns] = (rows >= first) & (rows <= last)
        if series.dashed:
            mask[:, np.arange(width) % (6 * across) >= 3 * across] = False
        return mask

    def _cursor_cell(self, frame: _Frame) -> int | None:
        if self.cursor is None:
            return None
        share = (self.cursor - frame.x_low) / (frame.x_high - frame.x_low)
        return round(share * (frame.width - 1)) if 0 <= share <= 1 else None

    def _x_axis(self, frame: _Frame, width: int, base: Style) -> list[Strip]:
        style = base + Style(dim=True)
        rule, text = ["─"] * frame.width, [" "] * width
        free = 0
        for value in ticks(frame.x_low, frame.x_high, max(2, frame.width // 9)):
            share = (value - frame.x_low) / (frame.x_high - frame.x_low)
            column = round(share * (frame.width - 1))
            label = self.x_format(value)
            start = min(width - len(label), max(0, frame.left + column - len(label) // 2))
            rule[column] = "┬"
            if start >= free:
                text[start : start + len(label)] = label
                free = start + len(label) + 2
        corner = " " * (frame.left - 1) + "└"
        return [
            Strip([Segment(corner + "".join(rule), style)]).adjust_cell_length(width, base),
            Strip([Segment("".join(text), style)]).adjust_cell_length(width, base),
        ]


def _row(
    edge: str,
    text: str,
    owner: np.ndarray,
    styles: Sequence[Style],
    cursor: int | None,
    base: Style,
) -> Strip:
    """A line of the picture: its edge, then a piece for every stretch of one curve."""
    axis = base + Style(dim=True)
    owner = owner.copy()
    if cursor is not None and owner[cursor] < 0:
        text = f"{text[:cursor]}│{text[cursor + 1 :]}"
        owner[cursor] = len(styles)
    drawn = [*styles, axis, base]
    segments, start = [Segment(edge, axis)], 0
    for end in [*(np.flatnonzero(np.diff(owner)) + 1).tolist(), len(owner)]:
        segments.append(Segment(text[start:end], drawn[owner[start]]))
        start = end
    return Strip(segments)


def _extent(values: np.ndarray, from_zero: bool) -> tuple[float, float]:
    if not len(values):
        return 0.0, 1.0
    return (0.0 if from_zero else float(values.min())), float(values.max())


def _widen(low: float, high: float) -> tuple[float, float]:
    if high > low:
        return low, high
    pad = abs(low) * 0.05 or 0.5
    return low - pad, high + pad
