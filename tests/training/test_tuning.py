"""Tuning measures when it pays, remembers, and never measures when asked not to."""

from dataclasses import replace

import pytest

from cnnblocks.training import tuning
from cnnblocks.training.input import training_stream
from cnnblocks.training.preparation import build_model, plan


@pytest.fixture(scope="module")
def prepared():
    return plan("lenet5", "digits", input_shape=(16, 16, 1), images=200, epochs=1)


@pytest.fixture
def choose(prepared):
    from cnnblocks.data import Preprocessing
    from cnnblocks.training.optimizers import loss, optimizer

    built = []

    def build(how):
        built.append(how)
        model = build_model(prepared.config)
        recipe = prepared.config.recipe
        model.compile(optimizer(recipe, model, 10), loss(recipe), jit_compile=how.jit_compile)
        return model

    def choose(config):
        preprocessing = Preprocessing.from_dict(config.preprocessing)
        stream = training_stream(
            prepared.dataset, config.recipe, preprocessing, config.seed, prepared.team
        )
        built.clear()
        return tuning.choose(config, prepared.devices, stream, build), list(built)

    return choose


def test_a_short_training_is_not_measured(prepared, choose):
    found, built = choose(prepared.config)
    assert "too short" in found.why
    assert len(built) == 1
    assert found.steps_per_execution >= 1


@pytest.mark.parametrize("change", [{"tune": "off"}, {"deterministic": True}])
def test_what_must_not_be_tuned_is_not(prepared, choose, change):
    found, built = choose(replace(prepared.config, **change))
    assert "tuning was off" in found.why
    assert not built


@pytest.mark.slow
def test_a_long_training_is_measured_once_and_remembered(prepared, choose):
    long = replace(prepared.config, recipe=prepared.config.recipe.override({"epochs": 10**6}))
    found, built = choose(long)
    assert "ms a step" in found.why
    assert {how.jit_compile for how in built} == {False, True}
    again, built = choose(long)
    assert "measured before" in again.why and not built
    assert replace(again, why=found.why) == found
    other = replace(long, recipe=long.recipe.override({"batch_size": 16}))
    assert not tuning.fits(long, other)
    assert tuning.fits(long, replace(long, seed=9))


def test_a_choice_goes_to_json_and_back():
    made = tuning.Tuning(True, 8, "because")
    assert tuning.Tuning.from_dict(made.to_dict()) == made
