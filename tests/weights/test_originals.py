"""Files of the twelve originals, written by the real `tf_keras`, load into our networks."""

from functools import cache

import keras
import numpy as np
import pytest
from originals import VARIANTS, Variant, dump, save

import cnnblocks
from cnnblocks.weights import AmbiguousWeightsError, WeightsMismatchError
from cnnblocks.weights.formats import text

COLOUR = (32, 32, 3)


@cache
def _model(network, arguments):
    return cnnblocks.create(network, **dict(arguments))


def model_for(variant):
    """Our network, the same one for every file of the original."""
    return _model(variant.network, tuple(variant.arguments.items()))


def outputs(model, x):
    return keras.ops.convert_to_numpy(model(x, training=False))


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.label)
def test_every_file_of_an_original_gives_its_outputs(variant, tmp_path):
    model = model_for(variant)
    files, x, y = save(variant, tmp_path)
    scale = max(1.0, np.abs(y).max())
    for file in files:
        for weight in model.weights:
            weight.assign(np.zeros(weight.shape))
        report = cnnblocks.load_weights(model, file)
        assert report.complete
        assert np.abs(outputs(model, x) - y).max() <= 1e-5 * scale, file.name
    for leftover in tmp_path.iterdir():
        leftover.unlink()


@pytest.mark.parametrize("network", ["lenet5", "baseline", "inception10"])
def test_the_text_dump_of_an_original(network, tmp_path):
    variant = Variant(network, "subclassed", COLOUR)
    variables = dump(variant)
    model = model_for(variant)
    path = tmp_path / "weights.txt"
    text.write(path, variables)
    if network == "lenet5":
        assert cnnblocks.load_weights(model, path).complete
    else:
        with pytest.raises(WeightsMismatchError, match="no moving mean and no moving variance"):
            cnnblocks.load_weights(model, path)
        report = cnnblocks.load_weights(model, path, strict=False)
        assert len(report.missing) == sum("gamma" in name for name, _ in variables)
    for weight, (name, value) in zip(trainable_values(model), variables, strict=True):
        np.testing.assert_allclose(weight, value, atol=1e-8, err_msg=name)


def trainable_values(model):
    """The trainable values in order of creation, which our blocks share with the originals."""
    return [keras.ops.convert_to_numpy(v) for v in model.trainable_variables]


def test_a_dump_of_a_partly_frozen_original_is_never_shifted(tmp_path):
    """Frozen layers are not in the dump; equal-shaped ones that are must not take their place."""
    variant = Variant("inception10", "subclassed", COLOUR)
    variables = dump(variant)
    path = tmp_path / "weights.txt"
    text.write(path, [item for item in variables if "conv2d_8/" not in item[0]])
    model = model_for(variant)
    before = trainable_values(model)
    with pytest.raises(AmbiguousWeightsError):
        cnnblocks.load_weights(model, path)
    for old, now in zip(before, trainable_values(model)):
        np.testing.assert_array_equal(old, now)
    report = cnnblocks.load_weights(model, path, strict=False)
    assert report.ambiguous and report.loaded
    for old, now, (name, value) in zip(before, trainable_values(model), variables, strict=True):
        right = np.allclose(now, value, atol=1e-8)
        assert right or np.array_equal(old, now), f"{name} has another layer's values"
