"""A batch in parts teaches what the whole one does, and only where nothing mixes its images."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest

import cnnblocks
from cnnblocks.data import Augmentation, Batches, Preprocessing, Split
from cnnblocks.data.images import ArrayImages
from cnnblocks.networks import outline
from cnnblocks.training import Run, shards
from cnnblocks.training.input import PlanStream
from cnnblocks.training.resident import ResidentModel


@pytest.mark.parametrize(
    ("network", "arguments", "parts"),
    [
        ("lenet5", {}, 4),
        ("googlenet", {"width": 0.25}, 4),
        ("googlenet", {}, 1),  # too large
        ("baseline", {}, 1),  # batch normalization
        ("nin", {"width": 0.125}, 1),  # dropout
    ],
)
def test_small_networks_that_take_images_one_by_one_are_split(
    network, arguments, parts, monkeypatch
):
    monkeypatch.setattr(os, "cpu_count", lambda: 16)
    made = outline(network, input_shape=(96, 96, 3), **arguments)
    assert shards.most(made, 1000, 32) == parts


@pytest.mark.parametrize(
    ("cores", "images", "batch_size", "parts"),
    [
        (2, 960, 32, 2),
        (1, 960, 32, 1),
        (8, 960, 8, 1),
        (8, 963, 32, 1),  # three images in the last batch, for four parts
        (8, 964, 32, 4),
        (8, 960, 1024, 8),
    ],
)
def test_parts_are_as_many_as_cores_and_images_allow(cores, images, batch_size, parts, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert shards.most(outline("lenet5"), images, batch_size) == parts


def trained(count, *, label_smoothing, class_weight):
    """Losses, metrics and weights after an epoch whose last batch is smaller."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (77, 20, 20, 1), np.uint8)
    split = Split(ArrayImages(images), np.arange(77) % 4, list("abcd"))
    batches = Batches(
        split, 16, preprocessing=Preprocessing((20, 20, 1)), augmentation=Augmentation(shift=2)
    )
    stream = PlanStream(batches, one_hot=4 if label_smoothing else None)
    keras.utils.set_random_seed(1)
    network = cnnblocks.create("lenet5", input_shape=(20, 20, 1), num_classes=4, activation="relu")
    for layer in network.layers:
        if hasattr(layer, "kernel"):
            layer.kernel.regularizer = keras.regularizers.L2(0.01)
    model = ResidentModel(network, stream.images, stream.images)
    model.shards = count
    kind = "CategoricalCrossentropy" if label_smoothing else "SparseCategoricalCrossentropy"
    model.compile(keras.optimizers.SGD(0.05), getattr(keras.losses, kind)(), metrics=["accuracy"])
    plans, labels = zip(*(stream[number] for number in range(5)))
    model.compute_loss(None, keras.ops.convert_to_tensor(labels[0]), keras.ops.zeros((16, 4)))
    model.compute_metrics(None, keras.ops.convert_to_tensor(labels[0]), keras.ops.zeros((16, 4)))
    model.reset_metrics()
    logs = [
        model.train_on_batch(x, y, class_weight=class_weight, return_dict=True)
        for x, y in zip(plans, labels)
    ]
    plans, labels = [*plans, plans[0][:1]], [*labels, labels[0][:1]]
    tested = [model.test_on_batch(x, y, return_dict=True) for x, y in zip(plans, labels)]
    return logs + tested, model.get_weights()


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize(
    "options",
    [
        {"label_smoothing": False, "class_weight": None},
        {"label_smoothing": True, "class_weight": None},
        {"label_smoothing": False, "class_weight": {0: 0.5, 1: 2.0, 2: 1.0, 3: 1.0}},
    ],
    ids=str,
)
def test_parts_teach_what_the_whole_batch_does(count, options):
    (logs, weights), (expected_logs, expected) = trained(count, **options), trained(1, **options)
    for log, expected_log in zip(logs, expected_logs, strict=True):
        assert log == pytest.approx(expected_log, rel=1e-5)
    for found, wanted in zip(weights, expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)


def test_threads_that_were_settled_are_left_alone():
    keras.ops.zeros(1)  # TensorFlow has started
    assert not shards.use_threads_for(2)


@pytest.mark.slow
@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one core has nothing to share")
def test_the_command_splits_wherever_images_are_and_python_does_not(tmp_path):
    command = [sys.executable, "-m", "cnnblocks", "train", "lenet5", "--data", "digits"]
    command += ["--epochs", "2", "--train-images", "96", "--quiet"]
    script = "import cnnblocks, sys; cnnblocks.train('lenet5', 'digits', epochs=2, images=96)"
    for name, arguments in {
        "device": command,
        "host": [*command, "--input", "host"],
        "python": [sys.executable, "-c", script],
    }.items():
        environment = {**os.environ, "CNNBLOCKS_RUNS_DIR": str(tmp_path / name)}
        subprocess.run(arguments, env=environment, check=True, timeout=200)
    runs = {name: Run.open("last", tmp_path / name) for name in ("device", "host", "python")}
    parts = min(os.cpu_count(), 4)
    assert {name: run.config["tuning"]["shards"] for name, run in runs.items()} == {
        "device": parts,
        "host": parts,
        "python": 1,
    }
    assert [runs[name].config["input"] for name in ("device", "host")] == ["device", "host"]
    losses = [[row["val_loss"] for row in run.history] for run in runs.values()]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert losses[0] == pytest.approx(losses[2], rel=1e-5)
