"""What loading a weight file did, or would do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

_LINES = 12


@dataclass(frozen=True)
class Loaded:
    """A layer that got its weights.

    Attributes:
        layer: the model's layer.
        source: the file's layer.
        weights: roles of the weights.
        by: the evidence: `path`, `name`, `order of creation`, `order of layers` or
            `only one of its shape`.
        cast: dtypes in the file and in the model where they differ, else `None`.
    """

    layer: str
    source: str
    weights: tuple[str, ...]
    by: str
    cast: tuple[str, str] | None = None


@dataclass(frozen=True)
class Unloaded:
    """A layer that did not get weights, or weights that found no layer, and why.

    Attributes:
        layer: the model's layer, `None` where there is none.
        source: the file's layer, `None` where there is none.
        reason: why.
    """

    layer: str | None
    source: str | None
    reason: str

    def __str__(self) -> str:
        names = " <- ".join(name for name in (self.layer, self.source) if name)
        return f"{names}: {self.reason}"


@dataclass(frozen=True)
class Candidates:
    """Layers that fit each other in more than one way.

    Attributes:
        layers: the model's layers.
        sources: the file's layers.
        shapes: the shapes that they all have.
        reason: why nothing decides.
    """

    layers: tuple[str, ...]
    sources: tuple[str, ...]
    shapes: str
    reason: str

    def __str__(self) -> str:
        return (
            f"{_some(self.sources)} ({self.shapes}) would each fit {_some(self.layers)}; "
            f"{self.reason}"
        )


@dataclass
class LoadReport:
    """What loading a weight file did, or would do.

    Attributes:
        path: the file.
        format: its format.
        model: name of the model.
        loaded: layers that got their weights.
        skipped: layers that have a counterpart of other shapes.
        missing: layers, or weights of layers, that the file does not have.
        left_over: layers of the file that the model does not have.
        ambiguous: layers that fit each other in more than one way.
        optimizer: what became of the optimizer's state; `None` if the file has none.
        notes: what else is worth knowing.
    """

    path: Path
    format: str
    model: str
    loaded: list[Loaded] = field(default_factory=list)
    skipped: list[Unloaded] = field(default_factory=list)
    missing: list[Unloaded] = field(default_factory=list)
    left_over: list[Unloaded] = field(default_factory=list)
    ambiguous: list[Candidates] = field(default_factory=list)
    optimizer: str | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether every weight of the file has its place, and the model needs no other."""
        return bool(self.loaded) and not (
            self.skipped or self.missing or self.left_over or self.ambiguous
        )

    @property
    def evidence(self) -> list[str]:
        """The evidence that was used, each once."""
        return list(dict.fromkeys(entry.by for entry in self.loaded))

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON takes it."""
        return {
            "schema": 1,
            "path": str(self.path),
            "format": self.format,
            "model": self.model,
            "complete": self.complete,
            "evidence": self.evidence,
            "loaded": [asdict(entry) for entry in self.loaded],
            "skipped": [asdict(entry) for entry in self.skipped],
            "missing": [asdict(entry) for entry in self.missing],
            "left_over": [asdict(entry) for entry in self.left_over],
            "ambiguous": [asdict(entry) for entry in self.ambiguous],
            "optimizer": self.optimizer,
            "notes": self.notes,
        }

    def __str__(self) -> str:
        lines = [f"{self.path} ({self.format}) and {self.model}:"]
        lines.append(f"  loaded      {_layers(len(self.loaded))}{self._by()}")
        for title in ("ambiguous", "skipped", "missing", "left_over"):
            entries = getattr(self, title)
            if entries:
                lines.append(f"  {title.replace('_', ' '):<11} {_layers(len(entries))}")
                lines += [f"    {entry}" for entry in entries[:_LINES]]
                lines += [f"    and {len(entries) - _LINES} more"] * (len(entries) > _LINES)
        lines += [f"  optimizer   {self.optimizer}"] * (self.optimizer is not None)
        lines += [f"  note        {note}" for note in self.notes]
        return "\n".join(lines)

    def _by(self) -> str:
        return f", by {', '.join(self.evidence)}" if self.loaded else ""

    def summary(self) -> str:
        """Return in one line what keeps the file from fitting, `""` if nothing does."""
        counts: list[tuple[Sequence[object], str]] = [
            (self.ambiguous, "ambiguous"),
            (self.skipped, "of other shapes"),
            (self.missing, "missing in the file"),
            (self.left_over, "left over in the file"),
        ]
        told = [f"{len(entries)} {what} ({entries[0]})" for entries, what in counts if entries]
        return "; ".join(told)


def _layers(count: int) -> str:
    return "1 layer" if count == 1 else f"{count} layers"


def _some(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:4])
    return shown if len(names) <= 4 else f"{shown} and {len(names) - 4} more"
