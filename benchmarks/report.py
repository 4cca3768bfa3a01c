"""What every benchmark says beside its figures: date, machine, versions, command."""

import os
import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
_PACKAGES = ("cnnblocks", "keras", "tensorflow", "tf_keras", "jax", "torch", "numpy", "h5py")


def machine() -> str:
    """The processor, its cores and the memory, in one line."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = names[0].partition(":")[2].strip() if names else model
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return f"{model}, {os.cpu_count()} cores, {pages / 2**30:.0f} GiB, {platform.system()}"


def versions(packages: Sequence[str] = _PACKAGES) -> str:
    """Python's version and those of the packages that are there, in one line."""
    found = [f"Python {platform.python_version()}"]
    for package in packages:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


def table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table, numbers to three digits."""
    lines = [headers, ["---"] * len(headers), *rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def write(
    name: str,
    title: str,
    body: str,
    *,
    arguments: Sequence[str] = sys.argv[1:],
    folder: Path = RESULTS,
    show: bool = True,
) -> Path:
    """Write a result to `NAME.md` in a folder, and print it unless told otherwise."""
    command = " ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *arguments])
    head = [
        f"# {title}",
        "",
        f"- Date: {datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        f"- Machine: {machine()}",
        f"- Versions: {versions()}",
        f"- Command: `{command}`",
        "",
    ]
    text = "\n".join([*head, body.strip(), ""])
    path = folder / f"{name}.md"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    if show:
        print(text)
    return path


def _cell(value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
