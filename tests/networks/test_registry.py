import doctest
import inspect
import subprocess
import sys

import keras
import pytest
from keras import layers

import cnnblocks
from cnnblocks import networks

NAMES = (
    *("alexnet", "alexnet8", "baseline", "googlenet", "inception10", "lenet", "lenet5", "nin"),
    *("resnet9", "resnet18", "resnet34", "resnet50"),
    *("vgg11", "vgg11_small", "vgg13", "vgg16", "vgg19"),
)


def test_all_networks_are_listed_in_natural_order():
    assert tuple(cnnblocks.list_networks()) == NAMES


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("vgg1?", ["vgg11", "vgg13", "vgg16", "vgg19"]),
        ("LeNet*", ["lenet", "lenet5"]),
        ("resnet18", ["resnet18"]),
        ("efficientnet*", []),
    ],
)
def test_patterns_choose(pattern, found):
    assert cnnblocks.list_networks(pattern) == found


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [("resnet-18", "resnet18"), ("VGG_16", "vgg16"), ("google", "googlenet"), ("lenet6", "lenet5")],
)
def test_an_unknown_name_gets_a_suggestion(wrong, meant):
    with pytest.raises(networks.NetworkError, match=rf"Did you mean .*'{meant}'"):
        cnnblocks.create(wrong)


def test_a_name_like_no_other_gets_the_list():
    with pytest.raises(networks.NetworkError, match="There are alexnet, alexnet8, baseline"):
        networks.get("xyz")


def test_errors_are_value_errors_and_cnnblocks_errors():
    assert issubclass(networks.NetworkError, ValueError)
    assert issubclass(networks.NetworkError, cnnblocks.errors.CnnblocksError)


@pytest.mark.parametrize("name", NAMES)
def test_facts_are_complete(name):
    spec = networks.get(name)
    assert spec.paper.title and spec.paper.authors and spec.paper.url.startswith("https://")
    assert 1998 <= spec.paper.year <= 2026
    assert len(spec.native_input_shape) == 3
    assert spec.input_range == (0.0, 1.0)
    assert spec.trained_on and spec.family
    assert 150 < len(spec.idea) < 500
    assert "\n" not in spec.idea
    assert spec.arguments["width"] > 0
    assert spec.to_json()["schema"] == 1


@pytest.mark.parametrize("name", NAMES)
def test_each_network_is_a_documented_function(name):
    build = networks.get(name).build
    assert getattr(networks, build.__name__) is build
    parameters = list(inspect.signature(build).parameters)
    assert parameters[:9] == [
        *("input_shape", "num_classes", "include_top", "pooling", "classifier_activation"),
        *("weights", "data_format", "dtype", "name"),
    ]
    documented = inspect.getdoc(build)
    for parameter in parameters:
        assert f"    {parameter}: " in documented
    for heading in ("Args:", "Returns:", "Raises:", "Example:", "Reference:"):
        assert documented.count(heading) == 1


@pytest.mark.parametrize("module", ["registry", "stages", "fold"])
def test_the_examples_in_docstrings_run(module):
    globs = {"cnnblocks": cnnblocks}
    failed, tried = doctest.testmod(sys.modules[f"cnnblocks.networks.{module}"], extraglobs=globs)
    networks.registry._REGISTRY.pop("one_layer", None)
    assert failed == 0
    assert tried > 1


def test_the_function_and_create_build_the_same():
    by_name = cnnblocks.create("lenet5", input_shape=(28, 28, 1), num_classes=7)
    by_function = networks.LeNet5((28, 28, 1), 7, name="mine")
    assert by_function.name == "mine"
    assert by_name.name == "lenet5"
    assert [w.path for w in by_name.weights] == [w.path for w in by_function.weights]


def test_a_new_network_is_one_function_with_a_decorator():
    paper = networks.Paper("Title", "Authors", 2026, "https://example.org")
    try:

        @networks.network(
            "tiny_test",
            family="Test",
            paper=paper,
            native_input_shape=(12, 12, 1),
            trained_on="nothing",
            parameters=0,
            idea="None.",
        )
        def TinyTest(x, frame, *, filters=4):
            """One convolution.

            Args:
                filters: Channels of the convolution.
            """
            x = layers.Conv2D(filters, 5, name="stage1_conv", **frame.spatial)(x)
            if frame.include_top:
                x = frame.classifier(frame.global_pool(x))
            return x

        assert "tiny_test" in cnnblocks.list_networks("tiny*")
        model = cnnblocks.create("tiny_test", num_classes=3, filters=2)
        assert model.output_shape == (None, 3)
        assert networks.get("tiny_test").min_size() == 5
        assert TinyTest(include_top=False, data_format="channels_first").output_shape[1] == 4
        with pytest.raises(networks.NetworkError, match="already"):
            networks.network("tiny_test", **_facts(paper))(lambda x, frame: x)
    finally:
        networks.registry._REGISTRY.pop("tiny_test", None)


def test_a_name_with_capitals_is_listed():
    paper = networks.Paper("Capitals", "Nobody", 2026, "https://example.org")

    @networks.network("TinyNet", **_facts(paper))
    def tiny(x, frame):
        """A test.

        Args:
        """
        return x

    try:
        for pattern in ("tiny*", "TINYNET", "TinyNet"):
            assert cnnblocks.list_networks(pattern) == ["TinyNet"]
    finally:
        networks.registry._REGISTRY.pop("TinyNet")


def _facts(paper):
    return {
        "family": "Test",
        "paper": paper,
        "native_input_shape": (12, 12, 1),
        "trained_on": "nothing",
        "parameters": 0,
        "idea": "None.",
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"wdith": 0.5}, "'wdith'. Did you mean 'width'"),
        ({"zzz": 1}, "It takes input_shape, num_classes"),
        ({"num_classes": 0}, "num_classes must be a positive integer. Received: 0"),
        ({"num_classes": 2.5}, "num_classes must be a positive integer. Received: 2.5"),
        ({"pooling": "min", "include_top": False}, "pooling must be 'avg', 'max' or None"),
        ({"pooling": "avg"}, "include_top=False"),
        ({"input_shape": (32, 32)}, r"\(height, width, channels\).*Received.*\(32, 32\)"),
        ({"input_shape": (32, 32, 0)}, r"\(32, 32, 0\)"),
        ({"input_shape": (32, 32, None)}, r"\(32, 32, None\)"),
        ({"input_shape": 32}, "input_shape=32"),
        ({"input_shape": (None, 32, 3)}, "flattens.*include_top=False"),
        ({"data_format": "NHWC"}, "data_format must be .* Received: 'NHWC'"),
        ({"dtype": "floaty"}, "floaty"),
        ({"classifier_activation": "softmacks"}, "softmacks"),
        ({"width": 0}, "width must be a positive number. Received: 0"),
        ({"width": "wide"}, "width must be a positive number. Received: 'wide'"),
        ({"units": 3}, "lenet5 cannot be built"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(networks.NetworkError, match=message):
        cnnblocks.create("lenet5", **arguments)


def test_the_shape_is_read_in_the_order_of_the_data_format():
    with pytest.raises(networks.NetworkError, match=r"\(channels, height, width\)"):
        cnnblocks.create("lenet5", input_shape=(None, 32, 32), data_format="channels_first")


def test_an_unknown_stem_is_named():
    with pytest.raises(networks.NetworkError, match="stem must be 'cifar' or 'imagenet'"):
        cnnblocks.create("resnet18", stem="imagnet")


@pytest.mark.parametrize("suffix", [".weights.h5", ".keras"])
def test_weights_are_loaded_from_our_own_files(suffix, tmp_path, small_network, fill_weights):
    path = tmp_path / f"saved{suffix}"
    saved = fill_weights(small_network("inception10"))
    saved.save(path) if suffix == ".keras" else saved.save_weights(path)
    loaded = small_network("inception10", weights=path)
    for before, after in zip(saved.weights, loaded.weights):
        assert keras.ops.all(before.value == after.value)


def test_missing_weights_are_an_error_of_one_line(tmp_path, small_network):
    with pytest.raises(cnnblocks.errors.CnnblocksError, match=r"nothing\.weights\.h5") as caught:
        small_network("lenet5", weights=tmp_path / "nothing.weights.h5")
    assert "\n" not in str(caught.value)


def test_an_outline_has_shapes_and_leaves_no_variables_behind():
    outline = networks.outline("vgg16", num_classes=3)
    assert outline.output_shape == (None, 3)
    assert outline.count_params() == 15_258_435
    # A stateless scope initializes, on leaving, what was left uninitialized in this thread.
    before = outline.weights[0]._value
    with keras.StatelessScope():
        pass
    assert before is None and outline.weights[0]._value is None


def test_networks_come_with_the_root_package_alone():
    code = (
        "import cnnblocks, sys\n"
        "assert 'keras' not in sys.modules\n"
        "print(cnnblocks.create('lenet5').count_params())\n"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300
    )
    assert finished.stdout.strip() == "62006", finished.stderr
