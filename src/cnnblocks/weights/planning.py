"""Deciding, before anything changes, which tensors of a file go into which layers of a model."""

from __future__ import annotations

from dataclasses import dataclass

from cnnblocks.weights.errors import WeightFileError
from cnnblocks.weights.matching import BY_PATH, Match, Pair, match
from cnnblocks.weights.report import Candidates, Loaded, LoadReport, Unloaded
from cnnblocks.weights.structure import (
    Structure,
    Unit,
    called_in_order,
    loadable,
    table_structure,
    weight_role,
)
from cnnblocks.weights.table import Tensor, WeightTable

MATCHES = ("auto", "path", "name", "order")
_PARTLY = "load_weights(model, path, strict=False)"


class WeightsMismatchError(WeightFileError):
    """A file's weights do not fit a model.

    Attributes:
        report: what fits and what does not.
    """

    def __init__(self, report: LoadReport, reason: str) -> None:
        super().__init__(report.path, reason)
        self.report = report


class AmbiguousWeightsError(WeightsMismatchError):
    """A file's weights fit a model in more than one way, and nothing in the file decides."""


@dataclass(frozen=True)
class Assignment:
    """A tensor of the file and the weight it belongs in.

    Attributes:
        tensor: the file's tensor.
        unit: index of the model's layer in its `Structure`.
        weight: index of the weight among that layer's own.
    """

    tensor: Tensor
    unit: int
    weight: int


@dataclass(frozen=True)
class Plan:
    """What a load would do.

    Attributes:
        assignments: every tensor that has a certain place.
        report: the same in words.
        file: the file's layers.
        found: which of them belong where.
    """

    assignments: list[Assignment]
    report: LoadReport
    file: Structure
    found: Match


def plan(table: WeightTable, model: Structure, name: str = "the model", how: str = "auto") -> Plan:
    """Find out what loading a file into a model would do; neither is touched.

    Args:
        table: the opened file.
        model: the model's structure.
        name: the model's name, for the report.
        how: `"auto"`, `"path"`, `"name"` or `"order"`, as for `load_weights`.

    Raises:
        ValueError: `how` is none of them.
        WeightFileError: the file's convolutions run the other way round.
    """
    if how not in MATCHES:
        raise ValueError(f"match must be one of {', '.join(map(repr, MATCHES))}. Received: {how!r}")
    file = table_structure(table)
    _refuse_turned_kernels(table, file)
    found = match(file, model, how, called_in_order(table))
    layers = [layer for layer in table.structure if loadable(layer)]
    report = LoadReport(table.path, table.format, name)
    assignments: list[Assignment] = []
    for pair in sorted(found.pairs, key=lambda pair: pair.model):
        tensors = loadable(layers[pair.file])
        _assign(pair, file.units[pair.file], model.units[pair.model], tensors, assignments, report)
    _tell_rest(found, file, model, report)
    return Plan(assignments, report, file, found)


def require_complete(report: LoadReport) -> None:
    """Raise unless the file fits the model exactly.

    Raises:
        AmbiguousWeightsError: it fits in more than one way.
        WeightsMismatchError: it does not fit.
    """
    if report.complete:
        return
    if report.ambiguous:
        advice = f"Nothing was loaded; {_PARTLY} loads all that is certain."
        raise AmbiguousWeightsError(
            report, f"fits {report.model} in more than one way: {report.summary()}. {advice}"
        )
    require_any(report)
    advice = f"Nothing was loaded; {_PARTLY} loads the layers that fit."
    raise WeightsMismatchError(report, f"does not fit {report.model}: {report.summary()}. {advice}")


def require_any(report: LoadReport) -> None:
    """Raise if no layer of the file has a certain place in the model.

    Raises:
        AmbiguousWeightsError: layers fit, but in more than one way.
        WeightsMismatchError: no layer fits.
    """
    if report.loaded:
        return
    if report.ambiguous:
        raise AmbiguousWeightsError(
            report, f"fits {report.model} in more than one way: {report.summary()}."
        )
    reason = report.summary() or "the file holds no weights of layers"
    raise WeightsMismatchError(report, f"fits {report.model} nowhere: {reason}.")


def _refuse_turned_kernels(table: WeightTable, file: Structure) -> None:
    """Raise if a file holds kernels of Theano, which convolves where all others correlate."""
    if table.metadata["backend"] == "theano" and any(_is_windowed(unit) for unit in file.units):
        raise WeightFileError(
            table.path,
            "saved by Keras on Theano, whose convolutions run the other way round, so its kernels "
            "would be upside down. Load it in Keras 2.3 on TensorFlow, which turns them, and save "
            "it again.",
        )


def _is_windowed(unit: Unit) -> bool:
    """Return whether a layer has a kernel that covers more than one pixel."""
    return any(
        role.endswith("kernel") and any(size > 1 for size in shape[:-2])
        for role, shape in unit.shapes
    )


def _assign(
    pair: Pair,
    source: Unit,
    target: Unit,
    tensors: list[Tensor],
    assignments: list[Assignment],
    report: LoadReport,
) -> None:
    """Assign a layer's tensors: by position where Keras stored them so, else by role."""
    roles = [role for role, _ in target.shapes]
    if pair.by == BY_PATH:
        places = list(range(len(tensors)))
    else:
        places = [roles.index(weight_role(tensor)) for tensor in tensors]
    assignments += [Assignment(tensor, pair.model, place) for tensor, place in zip(tensors, places)]
    loaded = tuple(roles[place] for place in places)
    report.loaded.append(Loaded(target.name, source.name, loaded, pair.by))
    absent = [role for role in roles if role not in loaded]
    if absent:
        reason = f"the file has no {' and no '.join(absent).replace('_', ' ')}"
        report.missing.append(Unloaded(target.name, source.name, reason))


def _tell_rest(found: Match, file: Structure, model: Structure, report: LoadReport) -> None:
    """Say of every layer on both sides that is not loaded why it is not."""
    settled = [*found.pairs, *found.mismatches]
    files = {pair.file for pair in settled}
    models = {pair.model for pair in settled}
    for pair in found.mismatches:
        source, target = file.units[pair.file], model.units[pair.model]
        reason = f"the file has {_shapes(source)}, the model needs {_shapes(target)}"
        report.skipped.append(Unloaded(target.name, source.name, reason))
    for ambiguity in found.ambiguities:
        files |= set(ambiguity.files)
        models |= set(ambiguity.models)
        report.ambiguous.append(
            Candidates(
                tuple(model.units[i].name for i in ambiguity.models),
                tuple(file.units[i].name for i in ambiguity.files),
                _shapes(file.units[ambiguity.files[0]]),
                ambiguity.reason,
            )
        )
    for index, unit in enumerate(model.units):
        if index not in models:
            reason = f"nothing in the file is its {_shapes(unit)}"
            report.missing.append(Unloaded(unit.name, None, reason))
    for index, unit in enumerate(file.units):
        if index not in files:
            reason = f"the model has no layer left for its {_shapes(unit)}"
            report.left_over.append(Unloaded(None, unit.name, reason))


def _shapes(unit: Unit) -> str:
    return ", ".join(f"{role} {shape}" for role, shape in unit.shapes)
