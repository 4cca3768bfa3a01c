"""Numbers, sizes and times as people read them."""

import time
from collections.abc import Sequence

_SPARKS = "▁▂▃▄▅▆▇█"


def count(value: float | None) -> str:
    """A large number in three figures: `11.2 M`. None is a dash.

    Example:

        >>> count(44426)
        '44.4 k'
    """
    if value is None:
        return "–"
    for limit, suffix in ((1e12, " T"), (1e9, " G"), (1e6, " M"), (1e4, " k")):
        if abs(value) >= limit:
            scale = 1e3 if suffix == " k" else limit
            return f"{value / scale:.3g}{suffix}"
    return f"{value:,.0f}"


def size(value: float | None) -> str:
    """Bytes in binary units: `1.5 MiB`."""
    if value is None:
        return "–"
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(value) < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def duration(seconds: float | None) -> str:
    """A span of time in two units at most: `2 h 05 m`, `3 m 20 s`, `4.2 s`."""
    if seconds is None or seconds != seconds or seconds < 0:
        return "–"
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} m {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes:02d} m"
    return f"{hours // 24} d {hours % 24:02d} h"


def ago(moment: float | None) -> str:
    """How long ago a Unix time was: `3 m 20 s ago`."""
    return "–" if moment is None else f"{duration(max(0.0, time.time() - moment))} ago"


def number(value: float | None) -> str:
    """A measured value in five figures at most: `0.98312`, `1.2e-07`."""
    if value is None:
        return "–"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4g}" if value and not 1e-3 <= abs(value) < 1e5 else f"{value:.4f}"


def percent(share: float | None) -> str:
    """A share of one in percent: `12.3 %`; what is not nothing is never shown as 0."""
    if share is None:
        return "–"
    if 0 < share < 0.0005:
        return "<0.1 %"
    return f"{100 * share:.1f} %"


def shape(dimensions: Sequence[int | None]) -> str:
    """A shape as `3×3×64`; an unknown dimension is `?`, a scalar is `scalar`."""
    return "×".join("?" if n is None else str(n) for n in dimensions) or "scalar"


def sparkline(values: Sequence[float | None], width: int) -> str:
    """The last values as blocks, one cell each, scaled from the least to the greatest."""
    numbers = [v for v in values if v is not None and v == v and abs(v) != float("inf")][-width:]
    if not numbers:
        return ""
    low, high = min(numbers), max(numbers)
    span = (high - low) or 1.0
    return "".join(_SPARKS[round((v - low) / span * (len(_SPARKS) - 1))] for v in numbers)


def bar(share: float, width: int) -> str:
    """A bar of up to `width` cells, in eighths of a cell."""
    eighths = round(max(0.0, min(1.0, share)) * width * 8)
    full, rest = divmod(eighths, 8)
    return "█" * full + ("" if not rest else " ▏▎▍▌▋▊▉"[rest])


def packed(parts: Sequence[str], width: int) -> list[str]:
    """Lines of whole parts, two spaces between them, none wider than `width` if that can be.

    Example:

        >>> packed(["loss 0.1", "accuracy 0.9", "rate 0.01"], 25)
        ['loss 0.1  accuracy 0.9', 'rate 0.01']
    """
    lines: list[str] = []
    for part in parts:
        if lines and len(lines[-1]) + 2 + len(part) <= width:
            lines[-1] += f"  {part}"
        else:
            lines.append(part)
    return lines
