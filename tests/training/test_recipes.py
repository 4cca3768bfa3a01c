"""Recipes as data, and the originals against what the courses did."""

import tomllib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnblocks import networks
from cnnblocks.training import Recipe, RecipeError, recipe
from cnnblocks.training.preparation import settle
from cnnblocks.training.recipes import may_be_mirrored

NETWORKS = [
    "alexnet",
    "alexnet8",
    "baseline",
    "googlenet",
    "inception10",
    "lenet",
    "lenet5",
    "nin",
    "resnet18",
    "vgg11",
    "vgg11_small",
    "vgg16",
]

recipes = st.builds(
    Recipe,
    name=st.sampled_from(["default", "original", "mine"]),
    epochs=st.integers(1, 500),
    batch_size=st.integers(1, 4096),
    precision=st.sampled_from(["float32", "mixed_bfloat16", "mixed_float16", "auto"]),
    input_shape=st.none() | st.tuples(*[st.integers(1, 512)] * 3),
    resize=st.sampled_from(["stretch", "pad", "crop"]),
    scaling=st.sampled_from(["standardize", "0..1", "-1..1", "raw"]),
    augmentation=st.fixed_dictionaries({}, optional={"shift": st.integers(0, 8)}),
    validation=st.sampled_from(["holdout", "tail", "test", "none"]),
    validation_split=st.floats(0.01, 0.99),
    optimizer=st.sampled_from(["adam", "adamw", "sgd"]),
    learning_rate=st.floats(1e-8, 10),
    momentum=st.floats(0, 0.999),
    schedule=st.sampled_from(["constant", "cosine", "one-cycle"]),
    warmup=st.floats(0, 0.9),
    clip_norm=st.none() | st.floats(0.01, 100),
    ema=st.none() | st.floats(0.01, 0.9999),
    class_weights=st.sampled_from([None, "balanced"]),
    classifier_activation=st.sampled_from(["softmax", "sigmoid", None]),
    kernel_initializer=st.sampled_from([None, "he_normal", "lsuv"]),
    head_bias=st.floats(-5, 5),
    early_stopping=st.none() | st.integers(1, 50),
)


@given(recipes)
def test_a_recipe_goes_to_json_and_toml_and_back(made):
    assert Recipe.from_dict(made.to_dict()) == made
    assert Recipe.from_dict(tomllib.loads(made.to_toml())) == made


def test_overriding_merges_tables_and_leaves_the_rest():
    made = Recipe(network_args={"width": 0.5}, augmentation={"shift": 4})
    changed = made.override({"network_args": {"dropout": 0.1}, "epochs": 3})
    assert changed.network_args == {"width": 0.5, "dropout": 0.1}
    assert (changed.epochs, changed.augmentation) == (3, {"shift": 4})


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("epochs", 0, "epochs must be a whole number of at least 1"),
        ("epochs", 2.5, "Received: epochs=2.5"),
        ("batch_size", True, "batch_size must be"),
        ("learning_rate", 0, "learning_rate must be a number above 0"),
        ("learning_rate", float("nan"), "learning_rate must be"),
        ("optimizer", "adan", "optimizer must be one of adam, adamw, sgd"),
        ("validation_split", 1.0, "between 0 and 1"),
        ("input_shape", (32, 32), "input_shape must be height, width and channels"),
        ("ema", 1.0, "ema must be"),
        ("momentum", 1, "momentum must be"),
        ("classifier_activation", "relu", "classifier_activation must be one of"),
        ("precision", "float64", "precision must be one of float32, mixed_float16"),
        ("augmentation", "none", "augmentation must be a table"),
        ("network_args", 5, "network_args must be a table"),
        ("learnin_rate", 0.1, "Did you mean 'learning_rate'?"),
    ],
)
def test_an_impossible_value_is_refused(field, value, expected):
    with pytest.raises(RecipeError, match=expected.replace("?", r"\?")):
        Recipe().override({field: value})


@pytest.mark.parametrize("network", NETWORKS)
def test_every_network_of_the_courses_has_its_original(network):
    made = recipe(network, "original")
    assert (made.name, made.epochs, made.schedule, made.weight_decay) == (
        "original", 5, "constant", 0.0,
    )  # fmt: skip
    assert not made.augmentation and not made.drop_remainder and made.label_smoothing == 0


@pytest.mark.parametrize(
    ("network", "activation", "from_logits", "optimizer", "rate", "batch", "validation", "size"),
    [
        ("lenet", "sigmoid", False, "sgd", 0.9, 32, "tail", None),
        ("alexnet", "sigmoid", False, "sgd", 0.01, 128, "none", 224),
        ("vgg11", "sigmoid", False, "sgd", 0.05, 128, "none", 224),
        ("nin", None, False, "adam", 1e-7, 128, "none", 224),
        ("googlenet", None, False, "adam", 1e-7, 128, "none", 224),
        ("vgg11_small", None, True, "sgd", 0.05, 128, "test", 224),
        ("baseline", "softmax", False, "adam", 1e-3, 32, "test", None),
        ("lenet5", "softmax", False, "adam", 1e-3, 32, "test", None),
        ("alexnet8", "softmax", False, "adam", 1e-3, 32, "test", None),
        ("vgg16", "softmax", False, "adam", 1e-3, 32, "test", None),
        ("resnet18", "softmax", False, "adam", 1e-3, 32, "test", None),
        ("inception10", "softmax", False, "adam", 1e-3, 1024, "test", None),
    ],
)
def test_originals_repeat_the_table(
    network, activation, from_logits, optimizer, rate, batch, validation, size
):
    made = recipe(network, "original")
    assert made.classifier_activation == activation
    assert made.from_logits is from_logits
    assert (made.optimizer, made.learning_rate, made.batch_size) == (optimizer, rate, batch)
    assert made.validation == validation
    assert made.input_shape == (None if size is None else (size, size, 1))
    assert made.scaling == ("raw" if network == "lenet" else "0..1")
    if optimizer == "sgd":
        assert (made.momentum, made.nesterov) == (0.0, False)
    assert made.network_args.get("freeze_statistics", False) is (network == "inception10")


def test_inception10_had_small_batches_at_28_pixels():
    assert recipe("inception10", "original", size=28).batch_size == 32


def test_a_network_that_no_course_trained_has_no_original():
    with pytest.raises(RecipeError, match="resnet50 has no recipe 'original'"):
        recipe("resnet50", "original")
    with pytest.raises(RecipeError, match="one of default, original, speedrun"):
        recipe("lenet5", "orignal")


@pytest.mark.parametrize("network", ["resnet9", "resnet18"])
def test_a_speedrun_reads_all_images_in_the_fastest_precision(network):
    made = recipe(network, "speedrun")
    assert (made.name, made.precision, made.validation) == ("speedrun", "auto", "none")
    assert made.augmentation["flip"] and made.label_smoothing
    assert networks.outline(network, input_shape=(32, 32, 3), **made.network_args).count_params()


def test_a_network_without_a_speedrun_says_which_have_one():
    with pytest.raises(RecipeError, match=r"lenet5 has no recipe 'speedrun'.*resnet18, resnet9"):
        recipe("lenet5", "speedrun")


def test_a_recipe_says_the_precision_unless_the_training_does():
    half = Recipe(precision="mixed_bfloat16")
    assert settle("lenet5", "digits", recipe=half).config.precision == "mixed_bfloat16"
    assert (
        settle("lenet5", "digits", recipe=half, precision="float32").config.precision == "float32"
    )
    assert settle("lenet5", "digits").config.precision == "float32"


@pytest.mark.parametrize(
    ("channels", "class_names", "expected"),
    [
        (3, ("airplane", "cat"), True),
        (3, tuple("0123456789"), False),
        (3, tuple("abc"), False),
        (1, ("Coat", "Sandal"), False),
    ],
)
def test_only_what_can_be_a_photo_is_mirrored(channels, class_names, expected):
    assert may_be_mirrored(channels, class_names) is expected
    made = recipe("resnet18", images=50_000, mirrored=expected)
    assert made.augmentation.get("flip", False) is expected
    assert not recipe("resnet18", images=5_000, mirrored=True).augmentation.get("flip")


def test_a_training_asks_whether_its_own_images_may_be_mirrored(tmp_path):
    noise = np.random.default_rng(0)
    labels = np.arange(15_000) % 2
    images = noise.integers(0, 256, (15_000, 8, 8, 3), dtype=np.uint8)
    for names, expected in ((["cat", "dog"], True), (["1", "7"], False)):
        path = tmp_path / f"{names[0]}.npz"
        np.savez(path, x_train=images, y_train=labels, class_names=names)
        chosen = settle("resnet9", path, input_shape=(8, 8, 3)).config.recipe
        assert chosen.augmentation.get("flip", False) is expected


def test_residual_networks_learn_many_images_with_momentum_and_few_without():
    many, few = (recipe("resnet18", images=images) for images in (50_000, 5_000))
    assert (many.optimizer, many.nesterov, many.label_smoothing) == ("sgd", True, 0.1)
    assert (few.optimizer, few.label_smoothing) == ("adamw", 0.0)
    assert recipe("lenet5", images=50_000).optimizer == "adamw"


def test_defaults_know_the_size_of_data_and_image():
    few, many = (recipe("resnet18", images=images) for images in (1_000, 50_000))
    assert few.batch_size < many.batch_size
    small, large = (recipe("resnet18", images=50_000, size=size) for size in (8, 64))
    assert small.augmentation["shift"] < large.augmentation["shift"]
