"""Which networks a weight file belongs to, and the commands identify, check and convert."""

import json
import shutil
import subprocess
import sys

import h5py
import keras
import numpy as np
import pytest
from click.testing import CliRunner

import cnnblocks
from cnnblocks import networks, weights
from cnnblocks.cli import cnnblocks as command
from cnnblocks.networks.candidates import candidates


def identified(path):
    with weights.open(path) as table:
        return weights.identify(table, candidates(weights.table_structure(table)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with files of several networks."""
    folder = tmp_path_factory.mktemp("files")
    generator = np.random.default_rng(0)
    for name, arguments in FILES.items():
        network = name.split("-")[0]
        model = cnnblocks.create(network, **arguments)
        for weight in model.weights:
            weight.assign(generator.uniform(0.5, 1.5, weight.shape))
        model.save_weights(folder / f"{name}.weights.h5")
    custom = keras.Sequential([keras.Input((9, 9, 2)), keras.layers.Conv2D(3, 2)])
    custom.save_weights(folder / "unknown.weights.h5")
    return folder


FILES = {
    "lenet5": {"input_shape": (28, 28, 1)},
    "resnet18-narrow": {"width": 0.0625, "num_classes": 7, "input_shape": (32, 32, 1)},
    "resnet18-stem": {"width": 0.0625, "stem": "imagenet"},
    "vgg16-large": {"width": 0.0625, "units": 32, "input_shape": (64, 64, 4), "num_classes": 3},
    "alexnet8-headless": {"width": 0.125, "include_top": False},
    "inception10": {"width": 0.5},
}


@pytest.mark.parametrize(
    ("name", "network", "fit", "arguments"),
    [
        ("lenet5", "lenet5", "exact", {"input_shape": (28, 28, 1), "num_classes": 10}),
        (
            "resnet18-narrow",
            "resnet18",
            "exact",
            {"input_shape": (32, 32, 1), "num_classes": 7, "width": 0.0625},
        ),
        (
            "resnet18-stem",
            "resnet18",
            "exact",
            {
                "input_shape": (32, 32, 3),
                "num_classes": 10,
                "stem": "imagenet",
                "width": 0.0625,
            },
        ),
        (
            "vgg16-large",
            "vgg16",
            "exact",
            {"input_shape": (33, 33, 4), "num_classes": 3, "width": 0.0625, "units": 32},
        ),
        (
            "alexnet8-headless",
            "alexnet8",
            "except head",
            {"input_shape": (32, 32, 3), "width": 0.125},
        ),
        (
            "inception10",
            "inception10",
            "exact",
            {"input_shape": (32, 32, 3), "num_classes": 10, "width": 0.5},
        ),
    ],
)
def test_network_width_classes_and_channels_are_found(name, network, fit, arguments, folder):
    found = {one.candidate.network: one for one in identified(folder / f"{name}.weights.h5")}
    assert found[network].fit == fit
    assert found[network].candidate.arguments == arguments
    model = networks.outline(network, **found[network].candidate.arguments)
    assert weights.model_structure(model) == found[network].candidate.structure


def test_networks_of_the_same_layers_are_all_named(folder):
    found = identified(folder / "lenet5.weights.h5")
    assert [(one.candidate.network, one.fit) for one in found] == [
        ("lenet", "exact"),
        ("lenet5", "exact"),
    ]


def test_a_file_of_no_network_fits_none(folder):
    assert identified(folder / "unknown.weights.h5") == []


def test_shapes_without_order_are_ambiguous(folder, tmp_path):
    """The arrays of a network, in layers whose names tell nothing."""
    path = tmp_path / "x.weights.h5"
    with h5py.File(folder / "inception10.weights.h5") as source, h5py.File(path, "w") as target:
        arrays = {}
        source.visititems(lambda name, item: arrays.update({name: item}))
        for name, item in arrays.items():
            layer, _, index = name.partition("/vars/")
            if isinstance(item, h5py.Dataset) and layer.startswith("layers/"):
                scrambled = "".join(chr(97 + byte % 26) for byte in layer.encode()[::-1])
                target[f"net/{scrambled}/vars/{index}"] = item[...]
    with weights.open(path) as table:
        assert table.format == "keras3-weights"
    assert {one.candidate.network: one.fit for one in identified(path)} == {
        "inception10": "ambiguous"
    }
    assert run("identify", path).exit_code == 1


# --- commands -----------------------------------------------------------------------------------


def run(*arguments):
    return CliRunner().invoke(command, ["weights", *map(str, arguments)])


def test_identify_command(folder):
    done = run("identify", folder / "resnet18-narrow.weights.h5", "--json")
    assert done.exit_code == 0
    found = json.loads(done.stdout)
    assert found["schema"] == 1 and found["format"] == "keras3-weights"
    assert found["matches"] == [
        {
            "network": "resnet18",
            "arguments": {"input_shape": [32, 32, 1], "num_classes": 7, "width": 0.0625},
            "fit": "exact",
            "parameters": found["parameters"],
        }
    ]
    several = run("identify", folder)
    assert several.exit_code == 1
    assert "unknown.weights.h5: fits no registered network" in several.stdout
    assert "alexnet8" in several.stdout and "but for the head" in several.stdout


def test_check_command(folder):
    path = folder / "inception10.weights.h5"
    done = run("check", path, "--network", "inception10", "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["complete"] and found["arguments"]["width"] == 0.5
    assert len(found["loaded"]) == 51
    other = run("check", path, "--network", "inception10", "--num-classes", "4")
    assert other.exit_code == 1
    assert "skipped     1 layer" in other.stdout
    wrong = run("check", path, "--network", "lenet5")
    assert wrong.exit_code == 1 and "missing" in wrong.stdout


@pytest.mark.parametrize("ending", [".weights.h5", ".keras", ".npz", ".txt"])
def test_convert_command(ending, folder, tmp_path):
    output = tmp_path / f"new{ending}"
    source = folder / "lenet5.weights.h5"
    arguments = ["--network", "lenet5", "--network-arg", "classifier_activation=None"]
    done = run("convert", source, *arguments, "-o", output)
    assert done.exit_code == 0, done.output
    assert done.stdout == f"{output}\n"
    model = cnnblocks.create("lenet5", **FILES["lenet5"])
    cnnblocks.load_weights(model, source)
    wanted = [keras.ops.convert_to_numpy(v) for v in model.weights]
    if ending == ".npz":
        converted = list(np.load(output).values())
    else:
        fresh = cnnblocks.create("lenet5", **FILES["lenet5"])
        assert cnnblocks.load_weights(fresh, output).complete
        converted = [keras.ops.convert_to_numpy(v) for v in fresh.weights]
    for one, other in zip(wanted, converted, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-8)
    if ending == ".keras":
        model = keras.saving.load_model(output)
        assert model.layers[-1].activation is keras.activations.linear


def test_convert_replaces_a_file_only_if_told(folder, tmp_path):
    source = tmp_path / "x.weights.h5"
    shutil.copy(folder / "lenet5.weights.h5", source)
    before = source.read_bytes()
    command = ["convert", source, "--network", "lenet5", "-o", source]
    refused = run(*command)
    assert refused.exit_code == 2 and "give --force to replace it" in refused.stderr
    assert source.read_bytes() == before
    assert run(*command, "--force").exit_code == 0
    assert weights.diff(source, folder / "lenet5.weights.h5").equal


@pytest.fixture
def channels_first():
    before = keras.config.image_data_format()
    keras.config.set_image_data_format("channels_first")
    yield
    keras.config.set_image_data_format(before)


def test_shapes_are_channels_last_whatever_keras_is_set_to(folder, tmp_path, channels_first):
    source, output = folder / "lenet5.weights.h5", tmp_path / "new.keras"
    found = json.loads(run("identify", source, "--networks", "lenet5", "--json").stdout)
    assert found["matches"][0]["arguments"]["input_shape"] == [28, 28, 1]
    assert run("check", source, "--network", "lenet5").exit_code == 0
    assert run("convert", source, "--network", "lenet5", "-o", output).exit_code == 0
    assert keras.saving.load_model(output).input_shape == (None, 28, 28, 1)


def test_convert_refuses_what_does_not_fit(folder, tmp_path):
    source, output = folder / "lenet5.weights.h5", tmp_path / "new.weights.h5"
    done = run("convert", source, "--network", "lenet5", "--num-classes", "4", "-o", output)
    assert done.exit_code == 1
    assert "classifier" in done.stderr and not output.exists()
    partly = run(
        "convert", source, "--network", "lenet5", "--num-classes", "4", "--partial", "-o", output
    )
    assert partly.exit_code == 0 and output.exists()
    suffix = run("convert", source, "--network", "lenet5", "-o", tmp_path / "new.pickle")
    assert suffix.exit_code == 2 and "expected a name ending in" in suffix.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["new.weights.h5"]


def test_trouble_is_one_line_and_status_2(tmp_path):
    broken = tmp_path / "broken.h5"
    broken.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    long = tmp_path / f"{'x' * 300}.npz"
    for arguments in (
        ["identify", broken],
        ["check", broken, "--network", "lenet"],
        ["extract", broken, "-o", long],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "cnnblocks", "weights", *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 2
        assert done.stderr.startswith("Error: ") and done.stderr.count("\n") == 1
