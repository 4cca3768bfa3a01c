"""Which of some networks a weight file belongs to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from cnnblocks.weights.matching import Match
from cnnblocks.weights.planning import plan
from cnnblocks.weights.report import LoadReport
from cnnblocks.weights.structure import Structure
from cnnblocks.weights.table import WeightTable

EXACT = "exact"
EXCEPT_HEAD = "except head"
AMBIGUOUS = "ambiguous"
_RANK = (EXACT, AMBIGUOUS, EXCEPT_HEAD)
_DENSE = "kernel2"


@dataclass(frozen=True)
class Candidate:
    """A network that a file may belong to.

    Attributes:
        network: its name.
        structure: its layers, as `model_structure` or a cache has them.
        arguments: what it was made with, beyond its defaults.
    """

    network: str
    structure: Structure
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Identification:
    """A network that a file fits.

    Attributes:
        candidate: the network.
        fit: `"exact"`; `"ambiguous"`: all shapes are right, but nothing in the file tells which
            of several equal layers is which; `"except head"`: all but the last Dense layers.
        report: what would load.
    """

    candidate: Candidate
    fit: str
    report: LoadReport

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        return {
            "network": self.candidate.network,
            "arguments": self.candidate.arguments,
            "fit": self.fit,
            "parameters": self.candidate.structure.parameters,
        }


def identify(table: WeightTable, candidates: Iterable[Candidate]) -> list[Identification]:
    """Find out which networks a weight file fits, the best fit first.

    Args:
        table: the opened file.
        candidates: networks that it may be, such as
            `cnnblocks.networks.candidates.candidates` proposes.

    Returns:
        Those that it fits, exactly or but for the head. Networks of the very same layers, such as
        `lenet` and `lenet5`, cannot be told apart by their weights: all are listed.

    Example:

        >>> from cnnblocks import weights
        >>> from cnnblocks.networks.candidates import candidates
        >>> with weights.open("resnet18.h5") as table:
        ...     found = weights.identify(table, candidates(weights.table_structure(table)))
        >>> found[0].candidate.network, found[0].fit
        ('resnet18', 'exact')
    """
    found = []
    for candidate in candidates:
        planned = plan(table, candidate.structure, candidate.network)
        fit = _fit(planned.found, planned.file, candidate.structure)
        if fit is not None:
            found.append(Identification(candidate, fit, planned.report))
    return sorted(found, key=lambda one: (_RANK.index(one.fit), len(one.candidate.arguments)))


def _fit(found: Match, file: Structure, model: Structure) -> str | None:
    files = set(range(len(file.units))) - {pair.file for pair in found.pairs}
    models = set(range(len(model.units))) - {pair.model for pair in found.pairs}
    if not files and not models:
        return EXACT
    unsure_files = {i for ambiguity in found.ambiguities for i in ambiguity.files}
    unsure_models = {i for ambiguity in found.ambiguities for i in ambiguity.models}
    if files == unsure_files and models == unsure_models and len(files) == len(models):
        return AMBIGUOUS
    head = _head(model)
    only_dense = all(file.units[i].family == _DENSE for i in files)
    if models <= head and only_dense and len(head) < len(model.units):
        return EXCEPT_HEAD
    return None


def _head(model: Structure) -> set[int]:
    """Return the Dense layers at the end of a model."""
    head: set[int] = set()
    for index in reversed(range(len(model.units))):
        if model.units[index].family != _DENSE:
            break
        head.add(index)
    return head
