"""What the commands of this group share: which files, how numbers read, progress."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console

    from cnnblocks.weights import Tensor

FILES_HELP = "FILE is a weight file of any format, a directory of them, or a quoted pattern."

pattern_option = click.option(
    "-p",
    "--pattern",
    "patterns",
    multiple=True,
    help="Only tensors whose path, name, layer or role matches; * and ? match anything. May be "
    "given several times.",
)

optimizer_option = click.option(
    "--optimizer", is_flag=True, help="Add the optimizer's state, left out otherwise."
)


def chosen(tensors: list["Tensor"], patterns: tuple[str, ...], optimizer: bool) -> list["Tensor"]:
    """Return the tensors that options ask for; a pattern that only fits the optimizer's adds it."""
    from cnnblocks.weights.selection import SelectionError, select

    plain = [tensor for tensor in tensors if optimizer or tensor.role != "optimizer"]
    try:
        return select(plain, patterns)
    except SelectionError:
        return select(tensors, patterns)


def console() -> "Console":
    """Return a console for standard output, wide where nobody's terminal limits it."""
    from rich.console import Console

    found = Console(highlight=False)
    if not found.is_terminal:
        found.width = 1000
    return found


def shape(tensor: "Tensor") -> str:
    """Return a shape as `5 x 5 x 1 x 6`, `scalar` for none."""
    return " x ".join(str(size) for size in tensor.shape) or "scalar"


def size(nbytes: int) -> str:
    """Return a number of bytes as people say it: `1.2 MB`."""
    value = float(nbytes)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def real(value: float) -> str:
    """Return a number with four significant digits."""
    return f"{value:.4g}"


@contextmanager
def progress(label: str) -> Iterator[Callable[[int, int], None] | None]:
    """Show a bar on standard error while work goes on, if somebody is there to see it."""
    from rich.console import Console
    from rich.progress import Progress

    stderr = Console(stderr=True)
    if not stderr.is_terminal:
        yield None
        return
    with Progress(console=stderr, transient=True) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
