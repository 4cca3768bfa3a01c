"""What older versions saved still loads and computes the same.

The files under tests/golden/networks are never rewritten. When a network changes in what it saves,
make_goldens.py there adds a folder for the new version.
"""

import json
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from cnnblocks import networks

GOLDEN = Path(__file__).parents[1] / "golden" / "networks"
RECORDS = sorted(GOLDEN.glob("v*/*.json"))
MODELS = sorted(GOLDEN.glob("v*/*.keras"))


def name_of(path):
    return f"{path.parent.name}/{path.stem}"


def read(path):
    return json.loads(path.with_suffix(".json").read_text())


def assert_holds(config, expected):
    """Later versions, of Keras too, may add keys; what is there must stay."""
    if isinstance(expected, dict):
        for key, value in expected.items():
            assert_holds(config[key], value)
    elif isinstance(expected, list):
        assert len(config) == len(expected)
        for item, value in zip(config, expected):
            assert_holds(item, value)
    else:
        assert config == expected


def paths_in(file):
    found = {}

    def visit(path, item):
        if isinstance(item, h5py.Dataset):
            found[path] = list(item.shape)

    file.visititems(visit)
    return found


def test_every_network_has_goldens():
    assert {path.stem for path in RECORDS} == set(networks.list_networks())
    assert MODELS


@pytest.mark.parametrize("path", RECORDS, ids=name_of)
def test_variables_have_the_same_names_and_shapes(path, outline):
    variables = [[weight.path, list(weight.shape)] for weight in outline(path.stem).weights]
    assert variables == read(path)["layers"]


@pytest.mark.parametrize("path", RECORDS, ids=name_of)
def test_a_network_saves_and_computes_the_same(path, fill_weights, images_for, compute, tmp_path):
    record = read(path)
    arguments = {**record["arguments"], "input_shape": tuple(record["arguments"]["input_shape"])}
    model = fill_weights(networks.create(path.stem, **arguments))
    assert_holds(json.loads(model.to_json())["config"], record["config"])
    np.testing.assert_allclose(
        compute(model, images_for(model)), record["output"], rtol=1e-4, atol=1e-5
    )
    model.save_weights(tmp_path / "saved.weights.h5")
    with h5py.File(tmp_path / "saved.weights.h5") as file:
        assert paths_in(file) == record["weights"]


@pytest.mark.parametrize("path", MODELS, ids=name_of)
def test_whole_models_load_and_compute_the_same(path, images_for, compute):
    model = keras.models.load_model(path)
    np.testing.assert_allclose(
        compute(model, images_for(model)), read(path)["output"], rtol=1e-4, atol=1e-5
    )
