"""Setting images apart."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cnnblocks.data.splits import spread, stratified, tail

labels = st.lists(st.integers(0, 4), min_size=1, max_size=80).map(np.array)


@given(labels, st.floats(0.01, 0.99), st.integers(0, 2**32))
def test_stratified(labels, share, seed):
    kept, apart = stratified(labels, share, seed)
    assert sorted([*kept, *apart]) == list(range(len(labels)))
    for label in np.unique(labels):
        count = (labels == label).sum()
        taken = (labels[apart] == label).sum()
        assert abs(taken - share * count) <= 1 and taken < count
        assert taken >= 1 or count == 1


@given(labels, st.integers(1, 80), st.integers(0, 2**32))
def test_spread(labels, count, seed):
    chosen = spread(labels, count, seed)
    assert len(chosen) == len(set(chosen.tolist())) == min(count, len(labels))
    share, classes = len(chosen) / len(labels), np.unique(labels)
    for label in classes:
        taken, there = (labels[chosen] == label).sum(), (labels == label).sum()
        assert taken >= min(there, 2, len(chosen) // len(classes))
        assert abs(taken - share * there) <= 2 * len(classes)


@given(st.integers(1, 500), st.floats(0, 0.99))
def test_tail_is_keras_own(count, share):
    kept, apart = tail(count, share)
    assert [*kept, *apart] == list(range(count))
    assert len(kept) == int(count * (1 - share))


def test_what_is_set_apart_stays_so_for_ever():
    labels = np.arange(20) % 2
    assert stratified(labels, 0.2, seed=0)[1].tolist() == [1, 8, 18, 19]
    assert stratified(labels, 0.2, seed=2**33 + 7)[1].tolist() != [1, 8, 18, 19]
