"""What a training will need."""

import pytest

import cnnblocks
from cnnblocks.analysis import estimate_requirements


@pytest.fixture(scope="module")
def table():
    model = cnnblocks.create("lenet5", input_shape=(28, 28, 1))
    return cnnblocks.summarize(model, batch_size=32)


@pytest.mark.parametrize(
    ("optimizer", "ema", "slots"), [("sgd", False, 1), ("adamw", False, 2), ("adam", True, 3)]
)
def test_memory_of_each_kind(table, optimizer, ema, slots):
    needs = estimate_requirements(table, optimizer=optimizer, ema=ema, images=60_000, epochs=5)
    assert needs.weights == needs.gradients == 4 * 44_426
    assert needs.optimizer == slots * 4 * 44_426
    assert needs.memory == (2 + slots) * 4 * 44_426 + needs.activations


def test_the_last_batch_of_an_epoch_is_a_step_too(table):
    needs = estimate_requirements(table, optimizer="sgd", ema=False, images=65, epochs=2)
    assert (needs.steps_per_epoch, needs.steps) == (3, 6)


def test_activations_grow_with_the_batch():
    model = cnnblocks.create("lenet5", input_shape=(28, 28, 1))
    one, many = (cnnblocks.summarize(model, batch_size=n) for n in (1, 64))
    arguments = {"optimizer": "sgd", "ema": False, "images": 64, "epochs": 1}
    needed = estimate_requirements(one, **arguments).activations
    assert estimate_requirements(many, **arguments).activations == 64 * needed
