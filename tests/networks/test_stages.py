import keras
import numpy as np
import pytest
from keras import layers

import cnnblocks
from cnnblocks import networks

STAGES = {
    "baseline": ["stage1"],
    "lenet": ["stage1", "stage2"],
    "alexnet8": ["stage1", "stage2", "stage3"],
    "nin": ["stage1", "stage2", "stage3"],
    "vgg16": ["stage1", "stage2", "stage3", "stage4", "stage5"],
    "googlenet": ["stage1", "stage2", "stage3", "stage4", "stage5"],
    "inception10": ["stem", "stage1", "stage2"],
    "resnet9": ["stem", "stage1", "stage2", "stage3"],
    "resnet50": ["stem", "stage1", "stage2", "stage3", "stage4"],
}


@pytest.mark.parametrize("name", STAGES)
def test_stages_are_named(name, outline):
    assert list(networks.stages(outline(name))) == STAGES[name]


@pytest.mark.parametrize("name", networks.list_networks())
def test_a_later_stage_is_never_larger(name, outline):
    outputs = [layer.output.shape for layer in networks.stages(outline(name)).values()]
    sizes = [shape[1] for shape in outputs]
    assert all(len(shape) == 4 for shape in outputs)
    assert sizes == sorted(sizes, reverse=True)


def test_features_are_the_inner_values_of_the_model(
    small_network, fill_weights, images_for, compute
):
    model = fill_weights(small_network("resnet18", include_top=False))
    features = cnnblocks.stage_features(model)
    x = images_for(model)
    found = features(x, training=False)
    assert list(features.output) == ["stem", "stage1", "stage2", "stage3", "stage4"]
    assert found.keys() == features.output.keys()
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(found["stage4"]), compute(model, x), rtol=1e-5
    )
    assert features.weights == model.weights


def test_features_are_found_after_reloading(small_network, fill_weights, images_for, tmp_path):
    model = fill_weights(small_network("inception10"))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    x = images_for(model)
    before = cnnblocks.stage_features(model)(x)
    after = cnnblocks.stage_features(loaded)(x)
    assert list(before) == list(after)
    for stage, values in before.items():
        np.testing.assert_allclose(
            keras.ops.convert_to_numpy(values), keras.ops.convert_to_numpy(after[stage]), rtol=1e-5
        )


def test_features_are_found_in_a_folded_model(small_network):
    model = small_network("resnet18")
    folded = cnnblocks.fold_batch_norm(model)
    shapes = {name: layer.output.shape[1:] for name, layer in networks.stages(model).items()}
    assert {n: layer.output.shape[1:] for n, layer in networks.stages(folded).items()} == shapes


def test_any_model_with_named_stages_has_features():
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(2, 3, name="stage1_conv"),
            layers.Conv2D(3, 3, name="stage2"),
            layers.Flatten(name="stagehand"),
        ]
    )
    assert list(networks.stages(model)) == ["stage1", "stage2"]
    assert cnnblocks.stage_features(model).output["stage2"].shape == (None, 4, 4, 3)


def test_a_model_without_stages_is_refused():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1, name="only")], name="plain")
    with pytest.raises(networks.NetworkError, match=r"no stages.*Received the layers: only"):
        cnnblocks.stage_features(model)
