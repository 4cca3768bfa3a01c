"""Which layer of a file belongs in which layer of a model: decided from evidence, or not at all.

Evidence, from the strongest to the weakest:

- the same structure by Keras 3 paths;
- names that a person gave, equal in both;
- the order of creation that automatic names count (`conv2d_17` was made after `conv2d_9`), or
  where there are no such names, the order in which the file's model held its layers;
- a shape that nothing else has.

An order is evidence only while it agrees with the shapes everywhere: where one layer of the file
stands at a place of other shapes although the model has a place for it elsewhere, the file was
made in another order than ours, and then only names and unique shapes count.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from cnnblocks.weights.naming import automatic
from cnnblocks.weights.structure import STATISTICS, Structure, Unit

BY_PATH = "path"
BY_NAME = "name"
BY_CREATION = "order of creation"
BY_PLACE = "order of layers"
BY_SHAPE = "only one of its shape"

_GENERIC = re.compile(r"(layers/[^/]+|layer_with_weights-\d+)")


@dataclass(frozen=True)
class Pair:
    """A layer of the file and the model's layer that it belongs in.

    Attributes:
        file: index of the file's unit.
        model: index of the model's unit.
        by: the evidence.
    """

    file: int
    model: int
    by: str


@dataclass(frozen=True)
class Ambiguity:
    """Layers that fit each other in more than one way.

    Attributes:
        files: indices of the file's units.
        models: indices of the model's units.
        reason: why nothing decides.
    """

    files: tuple[int, ...]
    models: tuple[int, ...]
    reason: str


@dataclass
class Match:
    """What `match` found.

    Attributes:
        pairs: layers that belong together.
        mismatches: layers that belong together but differ in shape.
        ambiguities: layers for which nothing decides.
    """

    pairs: list[Pair] = field(default_factory=list)
    mismatches: list[Pair] = field(default_factory=list)
    ambiguities: list[Ambiguity] = field(default_factory=list)


def match(file: Structure, model: Structure, how: str = "auto", chain: bool = False) -> Match:
    """Find for each layer of the file the model's layer that it belongs in.

    Args:
        file: the file's layers.
        model: the model's layers, in the order in which they were made.
        how: `"auto"` (all evidence), or only `"path"`, `"name"` or `"order"`.
        chain: whether the file says that its layers are called one after the other, in the order
            of their places; that is better evidence than automatic names.

    Returns:
        What is certain, what differs in shape, and what is ambiguous. Layers that appear in none
        of these have no counterpart.
    """
    if how in ("auto", "path"):
        found = _by_path(file, model, how)
        if found is not None:
            return found
    found = Match()
    matcher = _Matcher(file, model)
    if how in ("auto", "name"):
        matcher.names(found)
    if how in ("auto", "order"):
        matcher.order(found, chain)
    return found


def _by_path(file: Structure, model: Structure, how: str) -> Match | None:
    """Match by Keras 3 paths if both sides have the very same ones, `None` otherwise."""
    if not (file.paths and model.paths):
        return Match() if how == "path" else None
    places = {unit.path: index for index, unit in enumerate(model.units)}
    same = places.keys() == {unit.path for unit in file.units}
    if how == "auto" and not (same and _names_agree(file, model, places)):
        return None
    found = Match()
    for index, unit in enumerate(file.units):
        if unit.path not in places:
            continue
        pair = Pair(index, places[unit.path], BY_PATH)
        whole = _stored(unit) == _stored(model.units[pair.model])
        (found.pairs if whole else found.mismatches).append(pair)
    if how == "auto" and _exchanged(found.mismatches, file, model):
        return None
    return found


def _stored(unit: Unit) -> list[tuple[int, ...]]:
    return [shape for _, shape in unit.shapes]


def _names_agree(file: Structure, model: Structure, places: dict[str, int]) -> bool:
    """Return whether names that a person gave do not put a layer at another path."""
    names = {unit.name: unit.path for unit in file.units}
    ours = {unit.name: unit.path for unit in model.units}
    if len(names) < len(file.units) or len(ours) < len(model.units):
        return True
    stems = file.stems | model.stems
    given = [name for name in names.keys() & ours.keys() if not _has_automatic(name, stems)]
    return all(names[name] == ours[name] for name in given)


def _exchanged(mismatches: list[Pair], file: Structure, model: Structure) -> bool:
    """Return whether a layer with the wrong shapes for its own place has the right ones for
    another such place: then the places are not to be trusted."""
    wanted = {model.units[pair.model].shapes_by_role for pair in mismatches}
    return any(file.units[pair.file].shapes_by_role in wanted for pair in mismatches)


def _has_automatic(name: str, stems: frozenset[str]) -> bool:
    return any(automatic(component)[0] in stems for component in name.split("/"))


class _Matcher:
    """The layers that are still free on both sides, and the ways to settle them."""

    def __init__(self, file: Structure, model: Structure) -> None:
        self.file, self.model = file, model
        self.stems = file.stems | model.stems
        ignored = STATISTICS if file.without_statistics else frozenset()
        self.file_keys = [unit.key(ignored) for unit in file.units]
        self.model_keys = [unit.key(ignored) for unit in model.units]
        self.model_places = Counter(unit.place for unit in model.units)
        self.free_files = set(range(len(file.units)))
        self.free_models = set(range(len(model.units)))

    def fits(self, file: int, model: int) -> bool:
        return self.file_keys[file] == self.model_keys[model]

    def _fits(self, pair: Pair) -> bool:
        """Return whether a pair fits; a common name outweighs a family that is only a guess."""
        if self.fits(pair.file, pair.model):
            return True
        file, model = self.file.units[pair.file], self.model.units[pair.model]
        named = pair.by == BY_NAME and file.guessed
        return named and file.shapes_by_role == model.shapes_by_role

    def _settle(self, found: Match, pairs: Iterable[Pair]) -> None:
        for pair in pairs:
            fitting = self._fits(pair)
            (found.pairs if fitting else found.mismatches).append(pair)
            self.free_files.discard(pair.file)
            self.free_models.discard(pair.model)

    def _refuse(self, found: Match, ambiguity: Ambiguity) -> None:
        found.ambiguities.append(ambiguity)
        self.free_files -= set(ambiguity.files)
        self.free_models -= set(ambiguity.models)

    def _of_family(self, family: str) -> tuple[list[int], list[int]]:
        files = [i for i in sorted(self.free_files) if self.file.units[i].family == family]
        models = [i for i in sorted(self.free_models) if self.model.units[i].family == family]
        return files, models

    # Names.

    def names(self, found: Match) -> None:
        """Match names that a person gave, then names whose automatic parts count alike."""
        ours = _unique({i: self.model.units[i].name for i in self.free_models})
        theirs = _unique({i: self.file.units[i].name for i in self.free_files})
        by_family: dict[str, list[Pair]] = defaultdict(list)
        for name in theirs.keys() & ours.keys():
            if not _has_automatic(name, self.stems):
                pair = Pair(theirs[name], ours[name], BY_NAME)
                by_family[self.model.units[pair.model].family].append(pair)
        for family, pairs in by_family.items():
            if self._contradicted(family, pairs):
                reason = "some layers are named alike in both, yet their order says otherwise"
                files, models = [p.file for p in pairs], [p.model for p in pairs]
                self._refuse(found, Ambiguity(tuple(files), tuple(models), reason))
            else:
                self._settle(found, pairs)
        self._counted_names(found)

    def _contradicted(self, family: str, pairs: list[Pair]) -> bool:
        """Return whether the whole family fits in order, but not as the few common names say."""
        files, models = self._of_family(family)
        if len(pairs) == len(models) or len(files) != len(models):
            return False
        order = self._file_order(files, chain=False)
        if order is None:
            return False
        aligned = dict(zip(order.indices, models))
        whole = all(self.fits(file, model) for file, model in aligned.items())
        return whole and any(aligned.get(pair.file) != pair.model for pair in pairs)

    def _counted_names(self, found: Match) -> None:
        """Match names that are equal once automatic numbers count from the first of their kind.

        So are the names of the same code run twice: the blocks' automatic names kept counting,
        the layers in them have given names.
        """
        ours = _unique(_recount(self.model, self.free_models, self.stems))
        theirs = _unique(_recount(self.file, self.free_files, self.stems))
        pairs = [Pair(theirs[name], ours[name], BY_NAME) for name in theirs.keys() & ours.keys()]
        if not any(self._is_given_in_block(pair.file) for pair in pairs):
            return
        fitting = [pair for pair in pairs if self._fits(pair)]
        files = self.free_files - {pair.file for pair in fitting}
        models = self.free_models - {pair.model for pair in fitting}
        if not {self.file_keys[i] for i in files} & {self.model_keys[i] for i in models}:
            self._settle(found, pairs)

    def _is_given_in_block(self, file: int) -> bool:
        block, _, leaf = self.file.units[file].name.rpartition("/")
        return bool(block) and automatic(leaf)[0] not in self.stems

    # Order.

    def order(self, found: Match, chain: bool) -> None:
        """Match what is left by order, or where that is not to be trusted, by unique shapes."""
        families = sorted({self.file.units[i].family for i in self.free_files})
        alignments = [one for family in families if (one := self._align(family, chain))]
        if any(alignment.disagrees for alignment in alignments):
            self._by_shape(found, "the file's layers were made in another order than the model's")
            return
        for alignment in alignments:
            self._settle(found, alignment.pairs)
            for ambiguity in alignment.ambiguities:
                self._refuse(found, ambiguity)
        self._by_shape(found, "nothing in the file tells their order")

    def _align(self, family: str, chain: bool) -> _Alignment | None:
        files, models = self._of_family(family)
        order = self._file_order(files, chain) if models else None
        if order is None:
            return None
        numbered = _by_number(self.model.units, models) if order.by == BY_CREATION else None
        found = _aligned(order, numbered or models, self.file_keys, self.model_keys)
        if numbered or chain:
            return found
        return self._without_parallel(found, order.by)

    def _without_parallel(self, alignment: _Alignment, by: str) -> _Alignment:
        """Take out layers of equal shapes that may run beside each other in the model, unless
        something says that the file's order of them is the model's."""
        certain, ambiguities = [], list(alignment.ambiguities)
        reason = "they may run beside each other, and their order says nothing of that"
        for members in _grouped(alignment.pairs, lambda p: self._stretch(p, by)).values():
            alike = _grouped(members, lambda pair: self.file_keys[pair.file]).values()
            for pairs in alike:
                if len(pairs) == 1 or self._told_apart(pairs, by):
                    certain += pairs
                else:
                    files, models = (p.file for p in pairs), (p.model for p in pairs)
                    ambiguities.append(Ambiguity(tuple(files), tuple(models), reason))
        return _Alignment(certain, ambiguities, alignment.disagrees)

    def _stretch(self, pair: Pair, by: str) -> tuple[int, ...]:
        """Return the part of the model whose layers' order needs more evidence.

        Within a block the order of creation is evidence, the order of a file's layers is not.
        """
        place = self.model.units[pair.model].place
        beside = self.model_places[place] > 1
        if place is None:
            return ()
        return place if beside or by == BY_CREATION else place[:-1]

    def _told_apart(self, pairs: list[Pair], by: str) -> bool:
        """Return whether the names of layers, in order, are numbered in that order, or are the
        model's own."""
        files = [self.file.units[pair.file].name for pair in pairs]
        models = [self.model.units[pair.model].name for pair in pairs]
        if all(_inside(a) and _inside(a) == _inside(b) for a, b in zip(files, models)):
            return True
        numbers = [_name_numbers(name) for name in files]
        one_pattern = len({re.sub(r"\d+", "#", name) for name in files}) == 1
        return by == BY_PLACE and one_pattern and numbers == sorted(numbers)

    def _file_order(self, files: list[int], chain: bool) -> _Order | None:
        units = self.file.units
        places = [units[i].place for i in files]
        if chain and None not in places and len(set(places)) == len(places):
            return _Order(sorted(files, key=lambda i: units[i].place or ()), BY_PLACE, {})
        numbered = _by_number(units, files)
        if numbered:
            return _Order(numbered, BY_CREATION, _contradictions(units, numbered))
        return self._placed(files)

    def _placed(self, files: list[int]) -> _Order | None:
        """Return the order of places; layers of one block stand as the model's names have them."""
        units = self.file.units
        inner: dict[str, int] = {}
        for unit in self.model.units:
            inner.setdefault(_inside(unit.name), len(inner))
        if any(units[i].place is None for i in files):
            return None
        ordered = sorted(
            files, key=lambda i: (units[i].place, inner.get(_inside(units[i].name), 0), i)
        )
        numbers = [n for i in ordered if (n := units[i].number) is not None]
        if numbers != sorted(numbers):
            return None
        doubts = {}
        for place, members in _grouped(ordered, lambda i: units[i].place).items():
            known = {_inside(units[i].name) for i in members} & inner.keys()
            if len(members) > 1 and (not place or len(known) < len(members)):
                doubts.update(dict.fromkeys(members, "nothing tells their order within a block"))
        return _Order(ordered, BY_PLACE, doubts)

    def _by_shape(self, found: Match, reason: str) -> None:
        """Match layers whose shapes only one layer on each side has; the others are ambiguous."""
        ours = _grouped(sorted(self.free_models), self.model_keys.__getitem__)
        theirs = _grouped(sorted(self.free_files), self.file_keys.__getitem__)
        for key in theirs.keys() & ours.keys():
            files, models = theirs[key], ours[key]
            if len(files) == len(models) == 1:
                self._settle(found, [Pair(files[0], models[0], BY_SHAPE)])
            else:
                self._refuse(found, Ambiguity(tuple(files), tuple(models), reason))


@dataclass(frozen=True)
class _Order:
    """Layers of one family of a file, in order.

    Attributes:
        indices: of the units, in order.
        by: the evidence.
        doubts: a reason for each unit whose place among layers of the same shapes is in doubt.
    """

    indices: list[int]
    by: str
    doubts: dict[int, str]


@dataclass(frozen=True)
class _Alignment:
    """Two orders laid side by side.

    Attributes:
        pairs: layers at the same place, of the same shapes or not.
        ambiguities: layers with more than one place.
        disagrees: whether the orders contradict each other.
    """

    pairs: list[Pair]
    ambiguities: list[Ambiguity]
    disagrees: bool


def _aligned(
    order: _Order, models: list[int], file_keys: list[Any], model_keys: list[Any]
) -> _Alignment:
    files = order.indices
    left = [file_keys[i] for i in files]
    right = [model_keys[i] for i in models]
    levels = _common(left, right)
    if len(files) == len(models) and sum(map(_equal, left, right)) == len(levels):
        places = [(i, i) for i in range(len(files))]
        fitting = [(i, j) for i, j in places if left[i] == right[j]]
        doubtful: list[list[tuple[int, int]]] = []
    else:
        fitting = places = [level[0] for level in levels if len(level) == 1]
        doubtful = [level for level in levels if len(level) > 1]
    used = _first_chain(levels) if doubtful else fitting
    spare_left = {left[i] for i in set(range(len(left))) - {i for i, _ in used}}
    spare_right = {right[j] for j in set(range(len(right))) - {j for _, j in used}}
    pairs = [Pair(files[i], models[j], order.by) for i, j in places]
    certain, ambiguities = _doubted(pairs, order, file_keys, model_keys)
    ambiguities += _of_levels(doubtful, files, models, left)
    return _Alignment(certain, ambiguities, bool(spare_left & spare_right))


def _equal(one: Any, other: Any) -> bool:
    return bool(one == other)


def _common(left: list[Any], right: list[Any]) -> list[list[tuple[int, int]]]:
    """Return, for each place of a longest common subsequence, the pairs that may stand there."""
    before = _lengths(left, right)
    after = _lengths(left[::-1], right[::-1])
    rows, columns = len(left), len(right)
    longest = before[rows][columns]
    levels: list[list[tuple[int, int]]] = [[] for _ in range(longest)]
    for i in range(rows):
        for j in range(columns):
            rest = after[rows - i - 1][columns - j - 1]
            if left[i] == right[j] and before[i][j] + 1 + rest == longest:
                levels[before[i][j]].append((i, j))
    return levels


def _first_chain(levels: list[list[tuple[int, int]]]) -> list[tuple[int, int]]:
    """Return one longest common subsequence."""
    chain: list[tuple[int, int]] = []
    for level in levels:
        row, column = chain[-1] if chain else (-1, -1)
        chain.append(next(pair for pair in level if pair[0] > row and pair[1] > column))
    return chain


def _lengths(left: list[Any], right: list[Any]) -> list[list[int]]:
    """Return the lengths of the longest common subsequences of all prefixes."""
    table = [[0] * (len(right) + 1) for _ in range(len(left) + 1)]
    for i, one in enumerate(left):
        for j, other in enumerate(right):
            equal = table[i][j] + 1 if one == other else 0
            table[i + 1][j + 1] = max(equal, table[i][j + 1], table[i + 1][j])
    return table


def _doubted(
    pairs: list[Pair], order: _Order, file_keys: list[Any], model_keys: list[Any]
) -> tuple[list[Pair], list[Ambiguity]]:
    """Take out the pairs whose order is in doubt and whose shapes do not decide either."""
    certain: list[Pair] = []
    ambiguities: list[Ambiguity] = []
    for members in _grouped(pairs, lambda pair: file_keys[pair.file]).values():
        reason = next((order.doubts[p.file] for p in members if p.file in order.doubts), None)
        if reason is None or len(members) == 1:
            certain += members
            continue
        files, models = (p.file for p in members), (p.model for p in members)
        ambiguities.append(Ambiguity(tuple(files), tuple(models), reason))
    return certain, ambiguities


def _of_levels(
    levels: list[list[tuple[int, int]]], files: list[int], models: list[int], keys: list[Any]
) -> list[Ambiguity]:
    reason = "the file and the model do not hold equally many of them"
    joined = _grouped([pair for level in levels for pair in level], lambda pair: keys[pair[0]])
    return [
        Ambiguity(
            tuple(sorted({files[i] for i, _ in pairs})),
            tuple(sorted({models[j] for _, j in pairs})),
            reason,
        )
        for pairs in joined.values()
    ]


def _by_number(units: Sequence[Unit], indices: list[int]) -> list[int] | None:
    """Return the indices in order of creation, `None` where the names do not tell it."""
    stems = {units[i].stem for i in indices}
    numbers = {units[i].number for i in indices}
    if None in numbers or len(stems) > 1 or len(numbers) < len(indices):
        return None
    return sorted(indices, key=lambda i: units[i].number or 0)


def _contradictions(units: Sequence[Unit], ordered: list[int]) -> dict[int, str]:
    """Find layers of equal shapes whose numbered attributes contradict the order of creation."""
    doubts: dict[int, str] = {}
    reason = "their attributes are numbered against the order in which they were made"
    for members in _grouped(ordered, lambda i: (_skeleton(units[i].path), units[i].key())).values():
        numbers = [_attribute_numbers(units[i].path) for i in members]
        if numbers != sorted(numbers):
            doubts.update(dict.fromkeys(members, reason))
    return doubts


def _skeleton(path: str) -> str:
    """Return a path with the numbers of attribute names taken out (`blocks/c#_#/kernel`)."""
    return "/".join(
        part if _GENERIC.fullmatch(part) else re.sub(r"\d+", "#", part) for part in _parts(path)
    )


def _attribute_numbers(path: str) -> list[int]:
    parts = [part for part in _parts(path) if not _GENERIC.fullmatch(part)]
    return [int(number) for part in parts for number in re.findall(r"\d+", part)]


def _name_numbers(name: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", name)]


def _parts(path: str) -> list[str]:
    """Split a path; what Keras numbered itself, `layers/conv2d_3`, stays in one part."""
    return re.findall(r"layers/[^/]+|[^/]+", path)


def _recount(structure: Structure, indices: Iterable[int], stems: frozenset[str]) -> dict[int, str]:
    """Return names in which automatic numbers are replaced by rank and count among siblings."""
    siblings: dict[tuple[str, str], set[tuple[int, str]]] = defaultdict(set)
    for unit in structure.units:
        for parent, component in _components(unit.name):
            stem, number = automatic(component)
            siblings[parent, stem].add((number, component))

    def recounted(parent: str, component: str) -> str:
        stem, number = automatic(component)
        if stem not in stems:
            return component
        alike = sorted(siblings[parent, stem])
        return f"{stem}#{alike.index((number, component))}/{len(alike)}"

    return {
        index: "/".join(recounted(*part) for part in _components(structure.units[index].name))
        for index in indices
    }


def _components(name: str) -> list[tuple[str, str]]:
    parts = name.split("/")
    return [("/".join(parts[:end]), part) for end, part in enumerate(parts)]


def _inside(name: str) -> str:
    return name.partition("/")[2]


def _unique(names: dict[int, str]) -> dict[str, int]:
    """Return the indices by name, leaving out names that occur twice."""
    indices = _grouped(names, names.__getitem__)
    return {name: found[0] for name, found in indices.items() if len(found) == 1}


def _grouped(items: Iterable[Any], key: Any) -> dict[Any, list[Any]]:
    groups: dict[Any, list[Any]] = defaultdict(list)
    for item in items:
        groups[key(item)].append(item)
    return dict(groups)
