import keras
import pytest
from keras import layers

import cnnblocks
from cnnblocks import networks
from cnnblocks.analysis import AnalysisError

LARGE = {"input_shape": (224, 224, 3), "num_classes": 1000}
PLAIN = {"use_batch_norm": False, "block_dropout": 0.0, "units": 4096}


def paths(table, depth=None):
    return [row.path for row in table.walk(depth)]


# Multiply-adds in units of 1e9 as published with the networks' weights, and trained parameters.
@pytest.mark.parametrize(
    ("name", "arguments", "billions", "parameters"),
    [
        ("resnet18", {"stem": "imagenet"}, 1.82, 11_689_512),
        ("resnet34", {"stem": "imagenet"}, 3.67, 21_797_672),
        ("resnet50", {"stem": "imagenet"}, 4.11, 25_557_032),
        ("vgg16", PLAIN, 15.5, 138_357_544),
        ("vgg19", PLAIN, 19.65, 143_667_240),
    ],
)
def test_multiply_adds_agree_with_published_ones(name, arguments, billions, parameters):
    totals = cnnblocks.summarize(networks.outline(name, **LARGE, **arguments)).totals
    assert totals.multiply_adds == pytest.approx(billions * 1e9, rel=0.01)
    assert totals.trainable_parameters == parameters
    assert totals.unknown_multiply_adds == []


def test_lenet_by_hand():
    table = cnnblocks.summarize(networks.outline("lenet"), batch_size=2)
    multiply_adds = {row.name: row.multiply_adds for row in table.rows if row.multiply_adds}
    assert multiply_adds == {
        "stage1_conv": 24 * 24 * 6 * 25,
        "stage2_conv": 8 * 8 * 16 * 25 * 6,
        "dense1": 256 * 120,
        "dense2": 120 * 84,
        "classifier": 84 * 10,
    }
    outputs = 28 * 28 + 24 * 24 * 6 + 12 * 12 * 6 + 8 * 8 * 16 + 4 * 4 * 16 + 120 + 84 + 10
    assert table.totals.activation_bytes == 2 * 4 * outputs
    assert table.totals.weight_bytes == 4 * 44_426


@pytest.mark.parametrize("name", networks.list_networks())
def test_rows_add_up_at_every_depth(name):
    model = networks.outline(name)
    table = cnnblocks.summarize(model, batch_size=4)
    assert table.totals.parameters == model.count_params()
    rows = list(table.walk())
    assert len({row.path for row in rows}) == len(rows)
    for row in rows:
        for amount in ("parameters", "trainable_parameters", "multiply_adds", "activation_bytes"):
            if row.children:
                inside = sum(getattr(child, amount) for child in row.children)
                assert getattr(row, amount) == inside, (row.path, amount)
    for amount in ("parameters", "multiply_adds", "activation_bytes"):
        assert sum(getattr(row, amount) for row in table.rows) == getattr(table.totals, amount)
    assert sum(row.parameter_share for row in table.rows) == pytest.approx(1)
    assert sum(row.multiply_add_share for row in table.rows) == pytest.approx(1)


@pytest.mark.parametrize("name", networks.list_networks())
def test_shapes_are_those_of_the_model(name):
    model = networks.outline(name)
    shapes = {row.name: row.output_shape for row in cnnblocks.summarize(model).rows}
    assert shapes == {layer.name: layer.output.shape[1:] for layer in model.layers}


def test_blocks_are_opened_in_reading_order():
    table = cnnblocks.summarize(networks.outline("googlenet"))
    block = table["stage3_block1"]
    assert [child.name for child in block.children] == [
        *("conv_1x1", "reduce_3x3", "conv_3x3", "reduce_5x5", "conv_5x5"),
        *("pool", "pool_projection", "concatenate"),
    ]
    assert [child.type for child in block.children][:2] == ["Conv2D", "Conv2D"]
    assert table["stage3_block1/conv_5x5"].output_shape == (12, 12, 32)


def test_rows_say_where_their_inputs_come_from():
    table = cnnblocks.summarize(networks.outline("resnet18"))
    block = table["stage2_block1"]
    by_name = {child.name: child for child in block.children}
    assert block.inputs == ["stage1_block2"]
    assert by_name["conv1"].inputs == ["stage2_block1"]
    assert by_name["conv2"].inputs == ["stage2_block1/conv1"]
    assert by_name["shortcut"].inputs == ["stage2_block1"]
    assert by_name["add"].inputs == ["stage2_block1/conv2", "stage2_block1/shortcut"]
    assert [row.path for row in table.sources(by_name["shortcut"])] == ["stage1_block2"]


def test_a_block_without_projection_adds_its_own_input():
    table = cnnblocks.summarize(networks.outline("resnet18"))
    assert table["stage1_block1/add"].inputs == ["stage1_block1/conv2", "stage1_block1"]


def test_settings_are_those_of_the_layers():
    table = cnnblocks.summarize(networks.outline("alexnet"))
    conv, pool = table["stage1_conv"], table["stage1_pool"]
    assert (conv.kernel_size, conv.strides, conv.padding) == ((11, 11), (4, 4), "valid")
    assert (pool.kernel_size, pool.strides, pool.padding) == ((3, 3), (2, 2), "valid")


def test_what_is_frozen_counts_as_not_trained():
    model = cnnblocks.create("resnet18", (16, 16, 3), width=0.1)
    model.get_layer("stage1_block1").trainable = False
    table = cnnblocks.summarize(model)
    assert table["stage1_block1"].trainable == "no"
    assert table["stage1_block1/conv1/conv"].trainable == "no"
    assert table["stage1_block2"].trainable == "partly"
    assert table["classifier"].trainable == "yes"
    assert table["global_pool"].trainable == ""
    trained = sum(row.trainable_parameters for row in table.rows)
    assert table.totals.trainable_parameters == trained < table.totals.parameters


def test_half_precision_halves_the_memory():
    whole = cnnblocks.summarize(networks.outline("vgg16"))
    half = cnnblocks.summarize(networks.outline("vgg16", dtype="mixed_bfloat16"))
    assert half["stage1"].activation_bytes * 2 == whole["stage1"].activation_bytes
    assert half["stage1"].dtype == "bfloat16"
    assert half.totals.weight_bytes == whole.totals.weight_bytes


def test_summarizing_changes_nothing():
    model = cnnblocks.create("inception10", (16, 16, 3))
    before, config = model.get_weights(), model.get_config()
    first = cnnblocks.summarize(model)
    assert cnnblocks.summarize(model).to_json() == first.to_json()
    assert model.get_config() == config
    assert all((a == b).all() for a, b in zip(before, model.get_weights()))


def test_nested_models_are_opened():
    backbone = networks.outline("lenet5", include_top=False)
    model = keras.Sequential([keras.Input((32, 32, 3)), backbone, layers.Flatten(name="flat")])
    table = cnnblocks.summarize(model)
    assert paths(table) == [
        *(model.inputs[0].name, "lenet5", "lenet5/stage1_conv", "lenet5/stage1_pool"),
        *("lenet5/stage2_conv", "lenet5/stage2_pool", "flat"),
    ]
    assert table["lenet5"].parameters == backbone.count_params()
    assert paths(table, depth=0) == [model.inputs[0].name, "lenet5", "flat"]


class TwoPaths(keras.Model):
    def __init__(self):
        super().__init__(name="two_paths")
        self.block = cnnblocks.ConvBNRelu(4, name="block")
        self.heads = {"left": layers.Dense(2, name="left"), "right": layers.Dense(3, name="right")}

    def call(self, x):
        x = keras.ops.mean(self.block(x), axis=(1, 2))
        return keras.ops.concatenate([self.heads["left"](x), self.heads["right"](x)], axis=-1)


def test_subclassed_models_are_opened_once_their_input_is_known():
    with pytest.raises(AnalysisError, match=r"has not been called.*input_shape"):
        cnnblocks.summarize(TwoPaths())
    table = cnnblocks.summarize(TwoPaths(), input_shape=(8, 8, 3))
    assert [row.name for row in table.rows] == [
        *("input", "block", "mean", "left", "right", "concatenate"),
    ]
    assert table.rows[-1].output_shape == (5,)
    assert table.totals.multiply_adds == 8 * 8 * 9 * 3 * 4 + 4 * 5


def test_a_layer_called_twice_is_counted_once():
    images = keras.Input((8, 8, 2))
    conv = layers.Conv2D(2, 3, padding="same", name="shared")
    table = cnnblocks.summarize(keras.Model(images, conv(conv(images))))
    first, second = table.rows[1:]
    assert (first.parameters, first.reused) == (38, False)
    assert (second.name, second.parameters, second.reused) == ("shared_2", 0, True)
    assert table.totals.parameters == 38
    assert table.totals.multiply_adds == 2 * first.multiply_adds


@pytest.mark.parametrize(
    ("layer", "multiply_adds"),
    [
        (layers.Conv2D(6, (3, 5), groups=2), 6 * 4 * 6 * 15 * 2),
        (layers.DepthwiseConv2D(3, depth_multiplier=2), 6 * 6 * 9 * 8),
        (layers.SeparableConv2D(5, 3), 6 * 6 * (9 * 4 + 4 * 5)),
        (layers.Conv2DTranspose(5, 3), 8 * 8 * 9 * 4 * 5),
        (layers.Dense(7), 8 * 8 * 4 * 7),
        (layers.BatchNormalization(), 0),
        (layers.MaxPooling2D(), 0),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, layers.Layer) else "",
)
def test_multiply_adds_of_plain_layers(layer, multiply_adds):
    model = keras.Sequential([keras.Input((8, 8, 4)), layer])
    assert cnnblocks.summarize(model).totals.multiply_adds == multiply_adds


def test_no_two_rows_have_one_path():
    images = keras.Input((6, 6, 2))
    sums = [layers.Add(name=name)([images, images]) for name in ("add", "add_2")]
    rows = cnnblocks.summarize(keras.Model(images, sums[0] + sums[1])).rows
    assert [row.path for row in rows[1:]] == ["add", "add_2", "add_3"]


def test_what_has_no_formula_is_said_so():
    model = keras.Sequential([keras.Input((8, 4)), layers.LSTM(3, name="memory"), layers.Dense(2)])
    table = cnnblocks.summarize(model)
    assert table["memory"].multiply_adds is None
    assert table.totals.unknown_multiply_adds == ["memory"]
    assert "without 1 layers of unknown arithmetic" in table.footer()


def test_a_model_of_keras_applications():
    model = keras.applications.MobileNetV2(weights=None)
    table = cnnblocks.summarize(model)
    assert table.totals.parameters == model.count_params()
    assert table.totals.multiply_adds == pytest.approx(300e6, rel=0.01)
    assert table["out_relu"].receptive_field == (491, 491)


def test_several_inputs_and_outputs():
    left, right = keras.Input((4, 4, 1), name="left"), keras.Input((4, 4, 1), name="right")
    joined = layers.Concatenate(name="joined")([left, right])
    model = keras.Model(
        {"left": left, "right": right}, [layers.Conv2D(2, 1, name="out")(joined), joined]
    )
    table = cnnblocks.summarize(model)
    assert table.input_shapes == [(4, 4, 1), (4, 4, 1)]
    assert table["joined"].inputs == ["left", "right"]


def test_any_size_needs_one():
    model = networks.outline("resnet18", input_shape=(None, None, 3), include_top=False)
    with pytest.raises(AnalysisError, match=r"\(None, None, 3\).*input_shape"):
        cnnblocks.summarize(model)
    table = cnnblocks.summarize(model, input_shape=(64, 32, 3))
    assert table.rows[-1].output_shape == (8, 4, 512)


def test_a_shape_that_does_not_fit_is_named():
    with pytest.raises(AnalysisError, match=r"lenet5 cannot take \(9, 9, 3\)"):
        cnnblocks.summarize(networks.outline("lenet5"), input_shape=(9, 9, 3))


@pytest.mark.parametrize("batch_size", [0, -1, 2.5])
def test_a_wrong_batch_size_is_named(batch_size):
    with pytest.raises(AnalysisError, match="batch_size must be a positive integer"):
        cnnblocks.summarize(networks.outline("lenet5"), batch_size=batch_size)
