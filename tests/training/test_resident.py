"""Images on the device give the batches that images on the host give, and as exact a resume."""

import os
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from cnnblocks.data import Augmentation, Batches, Preprocessing, Split
from cnnblocks.data.images import ArrayImages
from cnnblocks.training import TrainingError, tuning
from cnnblocks.training.distribution import Team
from cnnblocks.training.input import BatchStream, PlanStream, settle_input
from cnnblocks.training.preparation import settle

AUGMENTATIONS = [
    {},
    {"flip": True},
    {"shift": 3},
    {"shift": 3, "border": "edge", "flip": True},
    {"shift": 4, "border": "reflect", "flip": True, "cutout": 5, "fill": 99},
    {"shift": 9, "border": "constant", "fill": 200, "cutout": 4},
    {"cutout": 40},
]


@pytest.fixture(scope="module")
def split():
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (50, 12, 10, 3), np.uint8)
    return Split(ArrayImages(images), np.arange(50) % 4, list("abcd"))


def batches(split, scaling="standardize", **options):
    preprocessing = Preprocessing((12, 10, 3), scaling=scaling).fit(split)
    return Batches(split, 16, preprocessing=preprocessing, shuffle=True, seed=5, **options)


@pytest.mark.parametrize("augmentation", AUGMENTATIONS, ids=str)
def test_a_plan_gives_what_the_host_would(split, augmentation):
    made = batches(split, augmentation=Augmentation(**augmentation))
    ours, theirs = PlanStream(made, one_hot=4), BatchStream(made, one_hot=4)
    for epoch, start in ((1, 0), (3, 2)):
        for stream in (ours, theirs):
            stream.at(epoch, start)
        assert ours.num_batches == theirs.num_batches == 4 - start
        for number in range(ours.num_batches):
            plan, labels = ours[number]
            images, expected = theirs[number]
            found = ours.images(ours.images.pixels, plan)
            np.testing.assert_allclose(keras.ops.convert_to_numpy(found), images, atol=1e-5)
            np.testing.assert_array_equal(labels, expected)


@pytest.mark.parametrize("scaling", ["0..1", "-1..1", "raw"])
def test_every_scaling_is_that_of_the_host(split, scaling):
    stream = PlanStream(batches(split, scaling))
    found = keras.ops.convert_to_numpy(stream.first_images())
    np.testing.assert_allclose(found, stream.batches[0][0], atol=1e-4)


def test_where_images_are_is_settled_by_what_there_is(split):
    streams = [BatchStream(batches(split))]
    on_cpu = (streams, ["cpu:0"], "tensorflow", Team())
    assert settle_input("auto", *on_cpu) == "device"
    for backend in ("jax", "torch"):
        assert settle_input("auto", streams, ["cpu:0"], backend, Team()) == "host"
    assert settle_input("host", *on_cpu) == "host"
    assert settle_input("device", *on_cpu) == "device"
    shared = Team("tensorflow", devices=2, strategy=object())
    assert settle_input("auto", streams, ["gpu:0", "gpu:1"], "tensorflow", shared) == "host"
    with pytest.raises(TrainingError, match="several devices share every batch"):
        settle_input("device", streams, ["gpu:0", "gpu:1"], "tensorflow", shared)


def test_an_unknown_place_is_refused():
    with pytest.raises(TrainingError, match="input must be one of auto, host, device"):
        settle("lenet5", "digits", input="gpu")


@pytest.mark.parametrize(("backend", "steps"), [("jax", 16), ("torch", 1)])
def test_nothing_is_measured_for_images_on_the_device(backend, steps):
    config = replace(settle("lenet5", "digits", input="device").config, backend=backend)
    stream = SimpleNamespace(steps=97)
    found = tuning.choose(config, ["gpu:0"], stream, build=None)
    assert (found.steps_per_execution, found.jit_compile) == (steps, backend == "jax")
    assert "nothing to choose" in found.why


_STOPPED_AND_RESUMED = """
import os, signal, sys
import h5py, numpy as np
from cnnblocks.training import train
from cnnblocks.training.shards import dedicate_process

dedicate_process()
network = sys.argv[2]

def training(**options):
    return train(
        network, "digits", input="device", images=220, epochs=3, batch_size=16, seed=3,
        input_shape=(16, 16, 1), ema=0.9, label_smoothing=0.1, drop_remainder=False,
        augmentation={"shift": 2, "flip": True, "cutout": 3}, class_weights="balanced",
        optimizer="sgd", runs_dir=sys.argv[1], **options,
    )

def interrupt(name, fields):
    if name == "epoch_start" and fields["epoch"] == 2 and not interrupted:
        interrupted.append(name)
        os.kill(os.getpid(), signal.SIGINT)

def weights(run):
    found = {}
    with h5py.File(run.path / "checkpoints" / "last.weights.h5") as file:
        file.visititems(lambda n, v: found.update({n: v[()]}) if hasattr(v, "shape") else None)
    return found

interrupted = []
whole, stopped = training(), training(observer=interrupt)
assert stopped.state == "stopped", stopped.status
assert whole.config["input"] == "device"
split = network == "lenet5" and os.cpu_count() > 1
assert whole.config["tuning"]["shards"] == (2 if split else 1)
stopped.resume()
assert stopped.state == "finished"
assert [e["step"] > 0 for e in stopped.events if e["event"] == "resume"] == [True]
ours, theirs = weights(whole), weights(stopped)
assert ours.keys() == theirs.keys() and len(ours) > 10
for name in ours:
    np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)
losses = [[(row["loss"], row["val_loss"]) for row in run.history] for run in (whole, stopped)]
assert losses[0] == losses[1]
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backend", "network"),
    [
        ("tensorflow", "baseline"),
        ("tensorflow", "lenet5"),
        ("jax", "baseline"),
        ("torch", "baseline"),
    ],
)
def test_stopped_and_resumed_it_ends_the_same(backend, network, tmp_path):
    if find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    script = Path(tmp_path, "stop_and_resume.py")
    script.write_text(_STOPPED_AND_RESUMED)
    result = subprocess.run(
        [sys.executable, script, tmp_path / "runs", network],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-3000:]
