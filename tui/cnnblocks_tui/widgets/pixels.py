"""Arrays and images as coloured half cells, with a cursor that reads the values."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.events import Click, MouseScrollDown, MouseScrollUp
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from cnnblocks_tui import wording
from cnnblocks_tui.actions import bindings

_RAMP = " .:-=+*#%@"
_LARGEST = 4
_VIRIDIS = (
    (68, 1, 84),
    (71, 44, 122),
    (59, 81, 139),
    (44, 113, 142),
    (33, 144, 141),
    (39, 173, 129),
    (92, 200, 99),
    (170, 220, 50),
    (253, 231, 37),
)
_BLUE_ORANGE = (
    (33, 102, 172),
    (103, 169, 207),
    (209, 229, 240),
    (247, 247, 247),
    (253, 219, 199),
    (230, 145, 56),
    (179, 88, 6),
)


def colors_of(values: np.ndarray, scale: str) -> np.ndarray:
    """Red, green and blue (uint8) of an array of values.

    Args:
        values: Two dimensions, or three with colours last for `"rgb"`.
        scale: `"sequential"` from least to greatest, `"diverging"` symmetric about zero, `"rgb"`
            for images (0 to 255), `"grey"` from least to greatest.
    """
    if scale == "rgb":
        return np.clip(values, 0, 255).astype(np.uint8)
    share = shares_of(values, scale)
    if scale == "grey":
        return np.repeat((share * 255).astype(np.uint8)[..., None], 3, axis=2)
    stops = np.array(_BLUE_ORANGE if scale == "diverging" else _VIRIDIS, dtype=float)
    place = share * (len(stops) - 1)
    channels = [np.interp(place, np.arange(len(stops)), stops[:, i]) for i in range(3)]
    colors = np.stack(channels, axis=-1).astype(np.uint8)
    colors[~np.isfinite(values)] = (255, 0, 255)
    return colors


def shares_of(values: np.ndarray, scale: str) -> np.ndarray:
    """Every value's place between the scale's ends, from 0 to 1."""
    finite = values[np.isfinite(values)].astype(float)
    if not finite.size:
        return np.zeros(values.shape)
    low, high = float(finite.min()), float(finite.max())
    if scale == "diverging":
        high = max(abs(low), abs(high))
        low = -high
    span = (high - low) or 1.0
    return np.clip(np.nan_to_num((values.astype(float) - low) / span), 0, 1)


def tiled(images: np.ndarray, columns: int, gap: int = 1) -> np.ndarray:
    """Images in a grid with gaps of NaN (or of 0 for colour) between them.

    Args:
        images: `(number, height, width)` or `(number, height, width, 3)`.
        columns: How many stand in a row.
        gap: Empty values between two.
    """
    number, height, width = images.shape[:3]
    rows = -(-number // columns)
    fill = 0 if images.ndim == 4 else np.nan
    grid = np.full(
        (rows * (height + gap) - gap, columns * (width + gap) - gap, *images.shape[3:]),
        fill,
        dtype=images.dtype if images.ndim == 4 else float,
    )
    for index, image in enumerate(images):
        row, column = divmod(index, columns)
        top, left = row * (height + gap), column * (width + gap)
        grid[top : top + height, left : left + width] = image
    return grid


@dataclass(frozen=True)
class _Window:
    """Which part of the array is on the screen, how many values share a dot, or the reverse."""

    top: int
    left: int
    step: int = 1
    size: int = 1


class Pixels(Widget, can_focus=True):
    """A two-dimensional array, or an image, a value a half cell.

    What is larger than the widget is shown in part, around the cursor; `z` shows the whole of it,
    reduced (the largest magnitude of each patch is kept). What is much smaller is magnified.
    """

    BINDINGS = bindings("pixels")
    HELP = (
        "An array or a picture. The arrows (or hjkl, or a click) move a cursor that reads the "
        "values; z, or a double click, shows all of it, reduced."
    )
    DEFAULT_CSS = """
    Pixels { height: 1fr; min-height: 3; background: transparent; }
    Pixels:focus { background: $boost; }
    """

    class Read(Message):
        """The cursor stands on another value."""

        def __init__(self, pixels: "Pixels", row: int, column: int, value: object) -> None:
            self.pixels = pixels
            self.row, self.column, self.value = row, column, value
            super().__init__()

        @property
        def control(self) -> "Pixels":
            return self.pixels

    def __init__(self, *, id: str | None = None, empty: str = "Nothing to show.") -> None:
        super().__init__(id=id)
        self.empty = empty
        self.caption = ""
        self._values: np.ndarray | None = None
        self._scale = "sequential"
        self._read: Callable[[int, int], str] | None = None
        self._row = self._column = 0
        self._whole = False
        self._canvas: tuple[object, list[Strip]] | None = None
        self._picture: tuple[object, list[list[Segment]], list[Strip]] | None = None

    def show(
        self,
        values: np.ndarray | None,
        *,
        scale: str = "sequential",
        caption: str = "",
        whole: bool = False,
        read: Callable[[int, int], str] | None = None,
    ) -> None:
        """Show an array instead of the one before.

        Args:
            values: Two dimensions, or three with colours last.
            scale: As in `colors_of`.
            caption: One line above the picture.
            whole: Start with the whole array, reduced.
            read: What stands below the picture when the cursor is at (row, column).
        """
        if values is not None and not values.size:
            self.say("The slice is empty.")
            return
        self._values, self._scale, self.caption, self._read = values, scale, caption, read
        self._whole, self._picture = whole, None
        if values is not None:
            self._row = min(self._row, values.shape[0] - 1)
            self._column = min(self._column, values.shape[1] - 1)
        self._repaint()

    def say(self, text: str) -> None:
        """Show a sentence instead of an array."""
        self._values, self._picture, self.empty = None, None, text
        self._repaint()

    def action_cursor_left(self) -> None:
        self._move(0, -1)

    def action_cursor_right(self) -> None:
        self._move(0, 1)

    def action_cursor_up(self) -> None:
        self._move(-1, 0)

    def action_cursor_down(self) -> None:
        self._move(1, 0)

    def action_zoom(self) -> None:
        self._whole = not self._whole
        self._repaint()

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        event.stop()
        self._move(3, 0)

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        event.stop()
        self._move(-3, 0)

    def on_click(self, event: Click) -> None:
        place = event.get_content_offset(self)
        if self._values is None or place is None:
            return
        window, (across, down) = self._window(), self._dots
        line = place.y - (1 if self.caption else 0)
        self._place(
            window.top + max(0, line) * down // window.size * window.step,
            window.left + place.x // across // window.size * window.step,
        )
        if event.chain == 2:
            self.action_zoom()

    def on_resize(self) -> None:
        self._canvas = None

    def notify_style_update(self) -> None:
        self._canvas = None
        super().notify_style_update()

    def render_line(self, y: int) -> Strip:
        """Textual's hook: one line of the picture, drawn when something changed."""
        key = (self.size, self.has_focus)
        if self._canvas is None or self._canvas[0] != key:
            self._canvas = (key, self._paint())
        lines = self._canvas[1]
        return lines[y] if y < len(lines) else Strip.blank(self.size.width, self.rich_style)

    @property
    def _plain(self) -> bool:
        return bool(getattr(self.app, "ascii_only", False)) or self.app.no_color

    @property
    def _dots(self) -> tuple[int, int]:
        """Cells across for a value, and values down for a cell."""
        return (2, 1) if self._plain else (1, 2)

    def _repaint(self) -> None:
        self._canvas = None
        self.refresh()

    def _move(self, down: int, right: int) -> None:
        step = self._window().step if self._values is not None else 1
        self._place(self._row + down * step, self._column + right * step)

    def _place(self, row: int, column: int) -> None:
        if self._values is None:
            return
        self._row = max(0, min(self._values.shape[0] - 1, row))
        self._column = max(0, min(self._values.shape[1] - 1, column))
        value = self._values[self._row, self._column]
        self.post_message(self.Read(self, self._row, self._column, value))
        self._repaint()

    def _room(self) -> tuple[int, int]:
        across, down = self._dots
        lines = self.size.height - self.can_focus - bool(self.caption)
        return max(1, lines) * down, max(1, self.size.width // across)

    def _window(self) -> _Window:
        assert self._values is not None
        rows, columns = self._room()
        height, width = self._values.shape[:2]
        size = min(rows // height, columns // width, _LARGEST)
        if size > 1:
            return _Window(0, 0, size=size)
        if self._whole:
            return _Window(0, 0, max(1, -(-height // rows), -(-width // columns)))
        top = max(0, min(self._row - rows // 2, height - rows))
        left = max(0, min(self._column - columns // 2, width - columns))
        down = self._dots[1]
        return _Window(top - top % down, left)

    def _paint(self) -> list[Strip]:
        width, base = self.size.width, self.rich_style
        if self._values is None:
            note = Segment(self.empty, base + Style(dim=True))
            return [Strip([note]).adjust_cell_length(width, base)]
        lines = self._drawn(base)
        if self.caption:
            heading = Segment(self.caption, base + Style(bold=True))
            lines.insert(0, Strip([heading]).adjust_cell_length(width, base))
        if not self.can_focus:
            return lines
        footer = Segment(self._reading(), base)
        return [*lines, Strip([footer]).adjust_cell_length(width, base)]

    def _drawn(self, base: Style) -> list[Strip]:
        """The picture with the cursor; without it, it is kept until something else changes."""
        assert self._values is not None
        window, room, width = self._window(), self._room(), self.size.width
        key = (window, room, width, base, self._plain)
        if self._picture is None or self._picture[0] != key:
            part = _reduced(self._values, window, *room)
            part = part.repeat(window.size, axis=0).repeat(window.size, axis=1)
            picture = self._letters(part, base) if self._plain else self._halves(part, base)
            strips = [Strip(cells).adjust_cell_length(width, base) for cells in picture]
            self._picture = (key, picture, strips)
        _, picture, strips = self._picture
        lines = list(strips)
        row, column = self._cursor_in(window)
        line = row // self._dots[1]
        if self.has_focus and line < len(picture) and column < len(picture[line]):
            cells = [*picture[line][:column], self._cursor(base), *picture[line][column + 1 :]]
            lines[line] = Strip(cells).adjust_cell_length(width, base)
        return lines

    def _cursor(self, base: Style) -> Segment:
        if self._plain:
            return Segment("[]", base + Style(reverse=True))
        return Segment("◆", base + Style(bold=True, reverse=True))

    def _reading(self) -> str:
        assert self._values is not None
        if self._read is not None:
            return self._read(self._row, self._column)
        value = self._values[self._row, self._column]
        text = ", ".join(str(int(v)) for v in value) if np.ndim(value) else _plain_number(value)
        return f"[{self._row}, {self._column}] = {text}"

    def _cursor_in(self, window: _Window) -> tuple[int, int]:
        row = (self._row - window.top) // window.step
        column = (self._column - window.left) // window.step
        return (row * window.size + window.size // 2, column * window.size + window.size // 2)

    def _halves(self, part: np.ndarray, base: Style) -> list[list[Segment]]:
        colors = colors_of(part, self._scale)
        gap = np.isnan(part) if part.ndim == 2 and part.dtype.kind == "f" else None
        return [
            [_half(colors, gap, row, column, base) for column in range(colors.shape[1])]
            for row in range(0, colors.shape[0], 2)
        ]

    def _letters(self, part: np.ndarray, base: Style) -> list[list[Segment]]:
        grey = part.mean(axis=2) if part.ndim == 3 else part
        index = np.round(shares_of(grey, self._scale) * (len(_RAMP) - 1)).astype(int)
        return [[Segment(_RAMP[i] * 2, base) for i in row] for row in index]


def _half(
    colors: np.ndarray, gap: np.ndarray | None, row: int, column: int, base: Style
) -> Segment:
    upper = _color(colors, gap, row, column)
    lower = _color(colors, gap, row + 1, column)
    if upper is None and lower is None:
        return Segment(" ", base)
    if upper is None:
        return Segment("▄", base + Style(color=lower))
    if lower is None:
        return Segment("▀", base + Style(color=upper))
    return Segment("▀", Style(color=upper, bgcolor=lower))


def _color(colors: np.ndarray, gap: np.ndarray | None, row: int, column: int) -> Color | None:
    if row >= colors.shape[0] or (gap is not None and gap[row, column]):
        return None
    red, green, blue = colors[row, column]
    return Color.from_rgb(int(red), int(green), int(blue))


def _reduced(values: np.ndarray, window: _Window, rows: int, columns: int) -> np.ndarray:
    step = window.step
    part = values[
        window.top : window.top + rows * step,
        window.left : window.left + columns * step,
    ]
    if step == 1:
        return part
    if part.ndim == 3:
        return part[::step, ::step]
    height, width = part.shape
    padded = np.full((-(-height // step) * step, -(-width // step) * step), np.nan)
    padded[:height, :width] = part
    # Rows first: whole lines at a time are many times faster than one small patch after another.
    lines = padded.reshape(-1, step, padded.shape[1])
    greatest: np.ndarray = _across(np.fmax, np.fmax.reduce(lines, 1), step)
    least: np.ndarray = _across(np.fmin, np.fmin.reduce(lines, 1), step)
    return np.where(np.abs(greatest) >= np.abs(least), greatest, least)


def _across(most: np.ufunc, lines: np.ndarray, step: int) -> np.ndarray:
    reduced: np.ndarray = most.reduce(lines.reshape(len(lines), -1, step), 2)
    return reduced


def _plain_number(value: object) -> str:
    number = float(value)  # type: ignore[arg-type]
    return "outside" if np.isnan(number) else wording.number(number)
