"""What older versions saved still loads and computes the same.

The files under tests/golden/blocks are never rewritten. When a block changes in what it saves,
make_goldens.py there adds a folder for the new version.
"""

import json
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

import cnnblocks

GOLDEN = Path(__file__).parents[1] / "golden" / "blocks"
RECORDS = sorted(GOLDEN.glob("v*/*.json"))
MODELS = sorted(GOLDEN.glob("v*/model.keras"))


def name_of(path):
    return f"{path.parent.name}/{path.stem}"


def assert_holds(config, expected):
    """Later versions, of Keras too, may add keys; what is there must stay."""
    if not isinstance(expected, dict):
        assert config == expected
        return
    for key, value in expected.items():
        assert_holds(config[key], value)


@pytest.fixture(params=RECORDS, ids=name_of)
def record(request):
    return {**json.loads(request.param.read_text()), "path": request.param}


@pytest.fixture
def arrays(record):
    with np.load(record["path"].with_suffix(".npz")) as file:
        return dict(file)


@pytest.fixture
def model(record):
    block = getattr(cnnblocks, record["class"]).from_config(record["config"])
    return keras.Sequential([keras.Input(record["input_shape"]), block])


def test_every_block_has_goldens():
    recorded = {json.loads(path.read_text())["class"] for path in RECORDS}
    assert recorded == {"ConvBNRelu", "InceptionBlock", "NiNBlock", "ResnetBlock", "VGGBlock"}
    assert MODELS


def test_config_is_read_as_it_was_written(record, model):
    config = json.loads(json.dumps(model.layers[0].get_config()))
    assert_holds(config, record["config"])


def test_weights_are_saved_under_the_same_paths(record, model, tmp_path):
    model.save_weights(tmp_path / "saved.weights.h5")
    saved = {}

    def visit(name, item):
        if isinstance(item, h5py.Dataset):
            saved[name] = list(item.shape)

    with h5py.File(tmp_path / "saved.weights.h5") as file:
        file.visititems(visit)
    assert saved == record["weights"]


def test_variables_have_the_same_names_in_the_same_order(record, model):
    """Legacy .h5 files hold the weights by position."""
    assert [variable.path.split("/", 2)[2] for variable in model.weights] == record["variables"]


def test_output_is_the_same(record, arrays, model, tmp_path, to_numpy):
    with h5py.File(tmp_path / "golden.weights.h5", "w") as file:
        for name in record["weights"]:
            file[name] = arrays[name]
    model.load_weights(tmp_path / "golden.weights.h5")
    np.testing.assert_allclose(
        to_numpy(model(arrays["images"])), arrays["output"], rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("path", MODELS, ids=name_of)
@pytest.mark.parametrize("suffix", [".keras", ".weights.h5", ".h5"])
def test_whole_models_load_and_compute_the_same(path, suffix, to_numpy):
    if suffix == ".weights.h5":
        model = keras.models.load_model(path)
        model.set_weights([np.zeros(weight.shape) for weight in model.weights])
        model.load_weights(path.with_suffix(suffix))
    else:
        model = keras.models.load_model(path.with_suffix(suffix), compile=False)
    with np.load(path.with_suffix(".npz")) as file:
        np.testing.assert_allclose(
            to_numpy(model(file["images"])), file["output"], rtol=1e-4, atol=1e-5
        )
