"""Matching layers of files to layers of models: right, or refused, never wrong."""

import random
from dataclasses import dataclass

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cnnblocks.weights.matching import (
    BY_CREATION,
    BY_NAME,
    BY_PATH,
    BY_PLACE,
    BY_SHAPE,
    match,
)
from cnnblocks.weights.structure import Structure, Unit


@dataclass(frozen=True)
class Kind:
    stem: str
    family: str
    shapes: tuple


def conv(size, channels, filters):
    return Kind(
        "conv2d",
        "kernel4",
        (("kernel", (size, size, channels, filters)), ("bias", (filters,))),
    )


def norm(width):
    roles = ("gamma", "beta", "moving_mean", "moving_variance")
    return Kind("batch_normalization", "batch_normalization", tuple((r, (width,)) for r in roles))


def dense(inputs, units):
    return Kind("dense", "kernel2", (("kernel", (inputs, units)), ("bias", (units,))))


KINDS = st.one_of(
    st.builds(conv, st.sampled_from([1, 3]), st.sampled_from([4, 8]), st.sampled_from([4, 8])),
    st.builds(norm, st.sampled_from([4, 8])),
    st.builds(dense, st.sampled_from([4, 8]), st.sampled_from([4, 8])),
)
BLOCKS = st.lists(st.lists(KINDS, min_size=1, max_size=5), min_size=1, max_size=6)


def our_model(blocks):
    """The model's layers: names that the author gave, in order of creation."""
    units = [
        Unit(
            f"block{b}/layer{i}",
            f"layers/block_{b}/layer{i}",
            kind.family,
            kind.shapes,
            place=(b, i),
        )
        for b, block in enumerate(blocks)
        for i, kind in enumerate(block)
    ]
    return Structure(tuple(units), paths=True)


def their_file(blocks, offset=0, nested=True, seed=None, created=None):
    """A file of the same network in Keras 2's own names.

    Args:
        blocks: the kinds, block by block.
        offset: how far the automatic names had counted already.
        nested: whether a block is one group of the file, or every layer is.
        seed: of a random order in which the layers lie in the file, as freezing and assigning
            attributes in another order bring it about; the names tell when each was made.
        created: the order in which the layers were made, as positions in the network.

    Returns:
        The file's structure, and for each of its layers the position in the network.
    """
    flat = [(b, kind) for b, block in enumerate(blocks) for kind in block]
    counters: dict[str, int] = {}
    names = {}
    for position in created if created is not None else range(len(flat)):
        stem = flat[position][1].stem
        count = counters.get(stem, offset)
        counters[stem] = count + 1
        names[position] = (stem, count, f"{stem}_{count}" if count else stem)
    stored = list(range(len(flat)))
    if seed is not None:
        random.Random(seed).shuffle(stored)
    units = []
    for position in stored:
        block, kind = flat[position]
        stem, count, leaf = names[position]
        name = f"sequential_{block}/{leaf}" if nested else leaf
        place = (block,) if nested else (len(units),)
        units.append(Unit(name, "", kind.family, kind.shapes, stem, count, place))
    return Structure(tuple(units)), stored


def pairs_of(found):
    return {pair.file: pair.model for pair in found.pairs}


@given(BLOCKS, st.integers(0, 40), st.booleans(), st.none() | st.integers(0, 10**6))
def test_creation_order_restores_any_order_in_the_file(blocks, offset, nested, seed):
    file, positions = their_file(blocks, offset, nested, seed)
    found = match(file, our_model(blocks))
    assert pairs_of(found) == dict(enumerate(positions))
    assert not found.mismatches and not found.ambiguities


@given(BLOCKS, st.randoms(use_true_random=False), st.none() | st.integers(0, 10**6))
def test_another_order_of_creation_is_seen_or_harmless(blocks, rng, seed):
    """Where shapes show that the layers were made in another order, nothing goes wrong."""
    flat = [kind for block in blocks for kind in block]
    created = list(range(len(flat)))
    rng.shuffle(created)
    for family in {kind.family for kind in flat}:
        made = [flat[i] for i in created if flat[i].family == family]
        ours = [kind for kind in flat if kind.family == family]
        if made != ours:
            break
    else:
        assume(False)
    file, positions = their_file(blocks, seed=seed, created=created)
    found = match(file, our_model(blocks))
    for pair in found.pairs:
        assert positions[pair.file] == pair.model
    settled = {pair.file for pair in found.pairs} | {
        i for ambiguity in found.ambiguities for i in ambiguity.files
    }
    assert settled == set(range(len(flat)))


@given(BLOCKS, st.data())
def test_layers_missing_on_one_side_never_shift_the_others(blocks, data):
    """A file that lacks layers, or has more, gives each layer its own weights or none."""
    flat = [kind for block in blocks for kind in block]
    dropped = data.draw(st.sets(st.integers(0, len(flat) - 1), max_size=len(flat) - 1))
    file, positions = their_file(blocks, offset=3, seed=data.draw(st.none() | st.integers(0, 99)))
    kept = [i for i, position in enumerate(positions) if position not in dropped]
    partial = Structure(tuple(file.units[i] for i in kept))
    whole = our_model(blocks)
    for pair in match(partial, whole).pairs:
        assert positions[kept[pair.file]] == pair.model

    kept_model = [i for i in range(len(flat)) if i not in dropped]
    smaller = Structure(tuple(whole.units[i] for i in kept_model), paths=True)
    for pair in match(file, smaller).pairs:
        assert positions[pair.file] == kept_model[pair.model]


@given(BLOCKS, st.integers(0, 10**6))
def test_names_that_a_person_gave_decide_whatever_the_order(blocks, seed):
    model = our_model(blocks)
    order = list(range(len(model.units)))
    random.Random(seed).shuffle(order)
    file = Structure(tuple(model.units[i] for i in order))
    found = match(file, model)
    assert pairs_of(found) == dict(enumerate(order))
    assert {pair.by for pair in found.pairs} == {BY_NAME}


@given(BLOCKS)
def test_the_same_paths_match_by_path(blocks):
    found = match(our_model(blocks), our_model(blocks))
    assert {pair.by for pair in found.pairs} == {BY_PATH}
    assert pairs_of(found) == {i: i for i in range(len(found.pairs))}


@given(BLOCKS, st.integers(0, 10**6))
def test_without_any_evidence_only_unique_shapes_load(blocks, seed):
    file, positions = their_file(blocks, seed=seed)
    nameless = Structure(
        tuple(Unit(f"{i}", "", unit.family, unit.shapes) for i, unit in enumerate(file.units))
    )
    found = match(nameless, our_model(blocks))
    keys = [unit.key() for unit in nameless.units]
    for pair in found.pairs:
        assert positions[pair.file] == pair.model
        assert pair.by == BY_SHAPE and keys.count(keys[pair.file]) == 1
    assert {i for a in found.ambiguities for i in a.files} == {
        i for i, key in enumerate(keys) if keys.count(key) > 1
    }


def test_another_number_of_classes_leaves_out_the_head_alone():
    blocks = [[conv(3, 3, 4), norm(4)], [dense(4, 4), dense(4, 10)]]
    ours = [[conv(3, 3, 4), norm(4)], [dense(4, 4), dense(4, 3)]]
    file, _ = their_file(blocks)
    found = match(file, our_model(ours))
    assert pairs_of(found) == {0: 0, 1: 1, 2: 2}
    assert [(pair.file, pair.model) for pair in found.mismatches] == [(3, 3)]


def test_projection_made_first_is_refused_not_guessed():
    """A residual block whose projection was made before its convolutions: the convolutions have
    shapes of their own, but which of three equal normalizations is whose, nothing tells."""
    ours = [[conv(3, 4, 8), norm(8), conv(3, 8, 8), norm(8), conv(1, 4, 8), norm(8)]]
    file, positions = their_file(ours, created=[4, 5, 0, 1, 2, 3])
    found = match(file, our_model(ours))
    assert {positions[pair.file]: pair.model for pair in found.pairs} == {0: 0, 2: 2, 4: 4}
    (ambiguity,) = found.ambiguities
    assert sorted(ambiguity.models) == [1, 3, 5]
    assert "another order" in ambiguity.reason


def test_attributes_numbered_against_creation_are_refused():
    """`self.c2` made before `self.c1`, as a TensorFlow checkpoint tells."""
    ours = our_model([[conv(3, 4, 4), conv(3, 4, 4)]])
    kind = conv(3, 4, 4)
    units = [
        Unit("conv2d", "block/c2", kind.family, kind.shapes, "conv2d", 0),
        Unit("conv2d_1", "block/c1", kind.family, kind.shapes, "conv2d", 1),
    ]
    found = match(Structure(tuple(units)), ours)
    assert not found.pairs
    assert "numbered against" in found.ambiguities[0].reason


def test_a_file_of_sequential_models_tells_the_order_of_calls():
    """`Sequential([second, first])`: the order of calls is stronger than that of creation."""
    kind = conv(3, 4, 4)
    units = [
        Unit("conv2d_1", "", kind.family, kind.shapes, "conv2d", 1, (0,)),
        Unit("conv2d", "", kind.family, kind.shapes, "conv2d", 0, (1,)),
    ]
    found = match(Structure(tuple(units)), our_model([[kind, kind]]), chain=True)
    assert pairs_of(found) == {0: 0, 1: 1}
    assert {pair.by for pair in found.pairs} == {BY_PLACE}


@pytest.mark.parametrize("names", [["a", "b"], ["left_2", "left_1"], ["left_1", "right_2"]])
def test_layers_of_a_file_in_no_order_of_a_block_are_refused(names):
    """A file of branches side by side holds them in an order that a block need not share."""
    kind = conv(3, 4, 4)
    file = Structure(
        tuple(Unit(n, "", kind.family, kind.shapes, place=(i,)) for i, n in enumerate(names))
    )
    found = match(file, our_model([[kind, kind]]))
    assert not found.pairs
    assert "beside each other" in found.ambiguities[0].reason
    in_line = match(file, our_model([[kind], [kind]]))
    assert pairs_of(in_line) == {0: 0, 1: 1}


def test_names_numbered_in_the_order_of_the_file_are_evidence():
    """As `block3_conv2` and `block3_conv3`, which a person numbered."""
    kind = conv(3, 4, 4)
    names = [f"block1_conv{number}" for number in range(8, 12)]
    file = Structure(
        tuple(Unit(n, "", kind.family, kind.shapes, place=(i,)) for i, n in enumerate(names))
    )
    found = match(file, our_model([[kind, kind], [kind, kind]]))
    assert pairs_of(found) == {i: i for i in range(4)}
    assert {pair.by for pair in found.pairs} == {BY_PLACE}


def test_plain_layers_beside_each_other_have_no_order_of_creation():
    kind = conv(3, 4, 4)
    model = Structure(
        tuple(Unit(n, "", kind.family, kind.shapes, place=(0,)) for n in ("left", "right"))
    )
    file, _ = their_file([[kind, kind]])
    assert not match(file, model).pairs


def test_our_blocks_with_names_that_kept_counting():
    """The same code run twice: blocks are counted on, the layers in them keep their names, and a
    frozen layer lies last in its group."""
    kind = conv(3, 4, 4)

    def units(first, inner):
        return tuple(
            Unit(f"resnet_block_{first + b}/{name}", "", kind.family, kind.shapes, place=(b,))
            for b in range(2)
            for name in inner
        )

    file = Structure(units(7, ("conv2", "conv1")))
    model = Structure(units(1, ("conv1", "conv2")), stems=frozenset({"resnet_block"}))
    found = match(file, model)
    assert pairs_of(found) == {0: 1, 1: 0, 2: 3, 3: 2}


def test_few_common_names_against_the_order_are_refused():
    """One name in common by chance must not outvote the order of all the others."""
    kind = conv(3, 4, 4)
    ours = Structure(
        tuple(Unit(name, "", kind.family, kind.shapes) for name in ("stem", "body", "tail"))
    )
    theirs = Structure(
        tuple(
            Unit(name, "", kind.family, kind.shapes, place=(i,))
            for i, name in enumerate(("first", "second", "stem"))
        )
    )
    found = match(theirs, ours)
    assert 2 not in pairs_of(found)
    assert found.ambiguities


def test_swapped_names_at_equal_paths_are_not_loaded_by_path():
    kind = conv(3, 4, 4)

    def structure(names):
        return Structure(
            tuple(
                Unit(name, f"layers/conv2d_{i}", kind.family, kind.shapes)
                for i, name in enumerate(names)
            ),
            paths=True,
        )

    found = match(structure(["left", "right"]), structure(["right", "left"]))
    assert pairs_of(found) == {0: 1, 1: 0}
    by_path = match(structure(["left", "right"]), structure(["right", "left"]), how="path")
    assert pairs_of(by_path) == {0: 0, 1: 1}


def test_a_dump_without_statistics_fits_normalizations():
    kind = norm(4)
    file = Structure((Unit("batch_normalization", "", kind.family, kind.shapes[:2], place=(0,)),))
    found = match(file, our_model([[kind]]))
    assert pairs_of(found) == {0: 0}


def test_a_kernel_never_loads_without_its_bias():
    kind = conv(3, 4, 4)
    file = Structure((Unit("conv2d", "", kind.family, kind.shapes[:1], "conv2d", 0, (0,)),))
    assert not match(file, our_model([[kind]])).pairs


@pytest.mark.parametrize("how", ["path", "name", "order"])
def test_one_kind_of_evidence_alone(how):
    blocks = [[conv(3, 4, 4), conv(3, 4, 4)]]
    by_path = our_model(blocks)
    by_name = Structure(tuple(by_path.units))
    by_order, _ = their_file(blocks)
    files = {"path": by_path, "name": by_name, "order": by_order}
    evidence = {"path": BY_PATH, "name": BY_NAME, "order": BY_CREATION}
    for kind, file in files.items():
        found = match(file, our_model(blocks), how)
        if kind == how:
            assert {pair.by for pair in found.pairs} == {evidence[how]}
    assert not match(by_order, our_model(blocks), "path").pairs
    assert not match(by_order, our_model(blocks), "name").pairs


@given(BLOCKS)
def test_structures_survive_json(blocks):
    file, _ = their_file(blocks, seed=1)
    assert Structure.from_json(file.to_json()) == file
    assert Structure.from_json(our_model(blocks).to_json()) == our_model(blocks)
