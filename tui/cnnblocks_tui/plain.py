"""Drawing without control characters, and with ASCII alone if asked.

It is the last step before the terminal, so that nothing slips past it.
"""

from functools import lru_cache

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

_PAIRS = {
    "─━═╌┄┈╴╶╸╺–—‐‑": "-",
    "│┃║▏▎▍▌▐▕╎┆┊╵╷╹╻": "|",
    "┌┐└┘├┤┬┴┼╭╮╰╯╔╗╚╝╠╣╦╩╬┏┓┗┛┣┫┳┻╋": "+",
    "▁▂▃": "_",
    "▄▅▆▇█▉▊▋▀▔▆■": "#",
    "░": ".",
    "▒": ":",
    "▓": "%",
    "•·∙⋅": ".",
    "●◉⬤": "*",
    "○◯◌◦": "o",
    "▶▸►→⇒❯›": ">",
    "◀◂◄←❮‹": "<",
    "▼▾↓": "v",
    "▲▴↑": "^",
    "✓✔": "+",
    "✗✘×✕": "x",
    "…": "~",
    "“”„": '"',
    "‘’": "'",
    "µ": "u",
    "≈": "~",
    "≡": "=",
    "±": "~",
    "−": "-",
    "∞": "8",
    "é": "e",
    "ö": "o",
    "ü": "u",
    "ä": "a",
    "á": "a",
    "⏸": "=",
    "⌂": "^",
    "⭘": "o",
    "⚠": "!",
    "▪▫◆◇": "*",
}
TABLE = {ord(source): target for sources, target in _PAIRS.items() for source in sources}


@lru_cache(4096)
def to_ascii(text: str) -> str:
    """The same text in as many cells, in ASCII; a character without a likeness becomes `?`.

    Example:

        >>> to_ascii("╭─ run ─╮")
        '+- run -+'
    """
    if text.isascii():
        return text
    translated = text.translate(TABLE)
    return "".join(
        character if character.isascii() else "?" * cell_len(character) for character in translated
    )


class AsciiFilter(LineFilter):
    """Textual's hook for terminals and readers that know ASCII only."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Replace every character that is not ASCII."""
        return [Segment(to_ascii(text), style, control) for text, style, control in segments]


_CONTROLS = dict.fromkeys((*range(0x20), *range(0x7F, 0xA0)))


class ControlFilter(LineFilter):
    """Textual's hook that keeps what a file holds from steering the terminal."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Leave out control characters, which take no cell; other lines pass as they are."""
        if "".join([segment.text for segment in segments]).isprintable():
            return segments
        return [
            Segment(text.translate(_CONTROLS), style, control) for text, style, control in segments
        ]
