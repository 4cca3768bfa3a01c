"""What the arguments that all networks share do to the two ends of a network."""

import keras
import numpy as np
import pytest

import cnnblocks
from cnnblocks import networks

NAMES = networks.list_networks()


@pytest.mark.parametrize("name", NAMES)
def test_without_the_head_the_output_is_the_last_feature_map(name, outline):
    model = outline(name, include_top=False)
    last = list(networks.stages(model).values())[-1]
    assert model.output.shape == last.output.shape
    assert len(model.output_shape) == 4
    assert not any(layer.name.startswith(("dense", "classifier")) for layer in model.layers)


@pytest.mark.parametrize(("pooling", "reduce"), [("avg", np.mean), ("max", np.max)])
def test_pooling_is_that_of_the_features(
    pooling, reduce, small_network, fill_weights, images_for, compute
):
    features = fill_weights(small_network("vgg11", include_top=False, input_shape=(64, 64, 2)))
    pooled = small_network("vgg11", include_top=False, input_shape=(64, 64, 2), pooling=pooling)
    pooled.set_weights(features.get_weights())
    x = images_for(features)
    expected = reduce(compute(features, x), axis=(1, 2))
    np.testing.assert_allclose(compute(pooled, x), expected, rtol=1e-5)


@pytest.mark.parametrize("name", ["lenet", "nin", "resnet9", "inception10"])
@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_the_activation_is_applied_to_the_logits(
    name, activation, small_network, fill_weights, images_for, compute
):
    logits = fill_weights(small_network(name, classifier_activation=None, num_classes=4))
    model = small_network(name, classifier_activation=activation, num_classes=4)
    model.set_weights(logits.get_weights())
    x = images_for(model)
    expected = keras.ops.convert_to_numpy(getattr(keras.ops, activation)(compute(logits, x)))
    assert np.ptp(expected) > 0
    np.testing.assert_allclose(compute(model, x), expected, rtol=1e-4, atol=1e-6)


def test_nin_gives_averages_that_are_never_negative(
    small_network, fill_weights, images_for, compute
):
    model = fill_weights(small_network("nin", classifier_activation=None, num_classes=6))
    assert compute(model, images_for(model)).min() >= 0


def test_resnet9_scales_its_logits(small_network, fill_weights, images_for, compute):
    arguments = {"classifier_activation": None}
    scaled = fill_weights(small_network("resnet9", **arguments))
    plain = small_network("resnet9", **arguments, logit_scale=1.0)
    plain.set_weights(scaled.get_weights())
    x = images_for(scaled)
    np.testing.assert_allclose(compute(scaled, x), compute(plain, x) / 8, rtol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_the_number_of_classes_changes_the_classifier_only(name, outline):
    ten, three = outline(name), outline(name, num_classes=3)
    changed = {
        layer.name
        for layer, other in zip(ten.layers, three.layers)
        if [w.shape for w in layer.weights] != [w.shape for w in other.weights]
    }
    assert changed == {"classifier"}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "float64"])
def test_the_dtype_reaches_every_layer(name, policy, outline):
    in_float32 = {"classifier", "classifier_activation", "logit_scale"}
    if name == "nin":  # whose classes' scores are averages
        in_float32.add("global_pool")
    for layer in outline(name, dtype=policy).layers[1:]:
        mixed = policy.startswith("mixed")
        expected = "float32" if mixed and layer.name in in_float32 else policy
        assert {inner.dtype_policy.name for inner in layer._flatten_layers()} == {expected}


def test_the_global_dtype_policy_is_the_default(small_network):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model, shapes = small_network("lenet5"), networks.outline("lenet5")
    finally:
        keras.config.set_dtype_policy(before)
    assert model.get_layer("stage1_conv").compute_dtype == "bfloat16"
    assert shapes.get_layer("stage1_conv").compute_dtype == "bfloat16"
    assert model.output.dtype == "float32"


@pytest.mark.parametrize("name", NAMES)
def test_the_data_format_reaches_every_layer(name, outline):
    spec = networks.get(name)
    height, width, channels = spec.native_input_shape
    model = outline(name, input_shape=(channels, height, width), data_format="channels_first")
    found = {
        layer.data_format for layer in model._flatten_layers() if hasattr(layer, "data_format")
    }
    assert found == {"channels_first"}


def test_the_native_shape_is_turned_for_channels_first():
    model = networks.outline("lenet5", data_format="channels_first")
    assert model.input_shape == (None, 3, 32, 32)


def test_both_data_formats_compute_the_same(small_network, fill_weights, images_for):
    """Flattened features too are in the same order, so that weight files serve both."""
    last = fill_weights(small_network("lenet5"))
    first = small_network("lenet5", input_shape=(2, 16, 16), data_format="channels_first")
    first.set_weights(last.get_weights())
    # TensorFlow's CPU kernels take channels_first compiled by XLA only.
    first.compile(jit_compile=keras.config.backend() == "tensorflow")
    x = images_for(last)
    turned = np.transpose(x, (0, 3, 1, 2))
    np.testing.assert_allclose(
        first.predict(turned, verbose=0), last.predict(x, verbose=0), rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize("name", ["baseline", "alexnet8", "inception10", "resnet18"])
def test_frozen_statistics_stay_as_they_are_in_training(name, small_network):
    model = small_network(name, freeze_statistics=True)
    moving = [w for w in model.non_trainable_weights if "moving" in w.path]
    before = [keras.ops.convert_to_numpy(w) for w in moving]
    x = np.random.default_rng(0).normal(3.0, 2.0, (8, *model.input_shape[1:])).astype("float32")
    model(x, training=True)
    assert moving
    for value, weight in zip(before, moving):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(weight), value)


def test_statistics_move_in_training_by_default(small_network):
    model = small_network("inception10")
    x = np.random.default_rng(0).normal(3.0, 2.0, (8, *model.input_shape[1:])).astype("float32")
    model(x, training=True)
    mean = model.get_layer("stem").batch_norm.moving_mean
    assert np.abs(keras.ops.convert_to_numpy(mean)).max() > 0


@pytest.mark.parametrize("name", NAMES)
def test_width_scales_every_convolution(name, outline):
    half = outline(name, width=0.5 * networks.get(name).arguments["width"])
    for layer, whole in zip(half.layers, outline(name).layers):
        if layer.name.startswith(("stem", "stage")) and layer.weights:
            assert layer.output.shape[-1] * 2 == whole.output.shape[-1]


def test_the_number_of_classes_may_be_any_integer():
    assert networks.outline("lenet5", num_classes=np.int64(7)).output_shape == (None, 7)
    for wrong in (True, 7.0, "7", 0):
        with pytest.raises(networks.NetworkError, match="num_classes must be a positive integer"):
            networks.outline("lenet5", num_classes=wrong)


def test_networks_are_plain_functional_models(outline):
    images = keras.Input((1,))
    functional = type(keras.Model(images, images))
    for name in NAMES:
        model = outline(name)
        assert type(model) is functional
        assert model.name == name
        own = {"ConvBNRelu", "InceptionBlock", "NiNBlock", "ResnetBlock", "VGGBlock"}
        for layer in model.layers:
            assert type(layer).__module__.startswith("keras") or type(layer).__name__ in own


def test_two_networks_of_one_process_do_not_share_weights():
    one, other = cnnblocks.create("lenet5"), cnnblocks.create("lenet5")
    different = [
        not np.array_equal(a, b)
        for a, b in zip(one.get_weights(), other.get_weights())
        if a.ndim > 1
    ]
    assert all(different)
