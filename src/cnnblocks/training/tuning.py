"""What makes steps fast without changing what they compute, beyond rounding."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Tuning:
    """How steps are run.

    Attributes:
        jit_compile: Whether the step is compiled (XLA, or `torch.compile`).
        steps_per_execution: How many steps one call runs.
        why: Where the choice comes from, in a sentence.
    """

    jit_compile: bool
    steps_per_execution: int
    why: str

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Tuning":
        return cls(**values)


def usual(backend: str, devices: list[str], steps: int) -> Tuning:
    """What usually is fast, without measuring.

    Args:
        backend: Keras' backend.
        devices: As `cnnblocks.training.devices.use` named them.
        steps: Steps of an epoch.
    """
    on_gpu = devices[0].startswith("gpu")
    jit_compile = backend == "jax" or (backend == "tensorflow" and on_gpu)
    several = 1 if backend == "torch" else max(1, min(16, steps // 4))
    return Tuning(jit_compile, several, "usual for this backend and device; not measured")
