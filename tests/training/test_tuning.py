"""Tuning measures when it pays, remembers, and never measures when asked not to."""

import json
import os
import subprocess
import sys
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
    _, built = choose(replace(long, recipe=long.recipe.override({"epochs": 10**7})))
    assert built, "what was too long to try for the shorter training may pay for this one"
    other = replace(long, recipe=long.recipe.override({"batch_size": 16}))
    assert not tuning.fits(long, other)
    assert tuning.fits(long, replace(long, seed=9))


def test_a_choice_goes_to_json_and_back():
    made = tuning.Tuning(True, 8, "because", threads=2, readers=1)
    assert tuning.Tuning.from_dict(json.loads(json.dumps(made.to_dict()))) == made


def test_pytorch_computes_with_the_chosen_threads_for_as_long_as_it_is_told_to():
    torch = pytest.importorskip("torch")
    usual = torch.get_num_threads()
    with tuning.computing_with(1):
        assert torch.get_num_threads() == 1
        with tuning.computing_with(None):
            assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == usual


CHOOSE_WITH_TORCH = """
import json, os, torch
torch.set_num_threads(4)
from cnnblocks.training import tuning
from cnnblocks.training.input import training_stream
from cnnblocks.training.optimizers import loss, optimizer
from cnnblocks.training.preparation import build_model, plan
from cnnblocks.data import Preprocessing

prepared = plan("lenet5", "digits", input_shape=(16, 16, 1), images=200, epochs=10**7)
config = prepared.config
stream = training_stream(
    prepared.dataset, config.recipe, Preprocessing.from_dict(config.preprocessing), 0, prepared.team
)
def build(how):
    model = build_model(config)
    model.compile(optimizer(config.recipe, model, 10), loss(config.recipe))
    return model
found = tuning.choose(config, prepared.devices, stream, build)
print(json.dumps([found.to_dict(), torch.get_num_threads(), stream.batches.readers]))
"""


@pytest.mark.slow
def test_pytorch_tries_fewer_threads_and_leaves_them_as_they_were():
    pytest.importorskip("torch")
    done = subprocess.run(
        [sys.executable, "-c", CHOOSE_WITH_TORCH],
        env=os.environ | {"KERAS_BACKEND": "torch"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=300,
    )
    found, threads, readers = json.loads(done.stdout.splitlines()[-1])
    assert "with 2 threads of 4" in found["why"]
    assert found["threads"] in (None, 1, 2)
    assert (threads, readers) == (4, 0)
