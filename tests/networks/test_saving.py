import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from cnnblocks import networks

REPRESENTATIVE = {
    "lenet5": {},
    "vgg16": {},
    "nin": {"classifier_activation": None},
    "googlenet": {},
    "inception10": {"freeze_statistics": True},
    "resnet9": {},
    "resnet18": {"drop_path": 0.1, "stem": "imagenet"},
    "resnet50": {"blocks": (1, 1, 1, 1), "dtype": "mixed_bfloat16"},
}


@pytest.mark.slow
def test_saved_networks_load_in_a_fresh_process(
    small_network, fill_weights, images_for, compute, tmp_path
):
    stages = {}
    for name, arguments in REPRESENTATIVE.items():
        model = fill_weights(small_network(name, **arguments))
        x = images_for(model)
        model.save(tmp_path / f"{name}.keras")
        np.savez(tmp_path / f"{name}.npz", images=x, output=compute(model, x))
        stages[name] = list(networks.stages(model))
    script = Path(__file__).with_name("load_saved.py")
    finished = subprocess.run(
        [sys.executable, script, tmp_path], capture_output=True, text=True, timeout=300
    )
    assert finished.returncode == 0, finished.stderr
    lines = [line.split() for line in finished.stdout.splitlines()]
    assert {name: found for name, *found in lines} == stages


@pytest.mark.parametrize("name", ["lenet5", "inception10"])
def test_channels_first_is_saved(name, small_network, tmp_path):
    model = small_network(name, input_shape=(2, 24, 24), data_format="channels_first")
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    formats = {getattr(layer, "data_format", "channels_first") for layer in loaded.layers}
    assert formats == {"channels_first"}
    assert [layer.output.shape for layer in loaded.layers] == [
        layer.output.shape for layer in model.layers
    ]


def test_a_whole_h5_file_loads_too(small_network, fill_weights, images_for, compute, tmp_path):
    model = fill_weights(small_network("resnet18"))
    model.save(tmp_path / "model.h5")
    loaded = keras.models.load_model(tmp_path / "model.h5", compile=False)
    x = images_for(model)
    np.testing.assert_allclose(compute(loaded, x), compute(model, x), rtol=1e-5)


def test_a_network_can_be_cloned(small_network):
    model = small_network("resnet9")
    clone = keras.models.clone_model(model)
    assert [w.shape for w in clone.weights] == [w.shape for w in model.weights]
