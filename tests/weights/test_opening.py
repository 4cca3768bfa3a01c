"""Files that real engines wrote, in every format, against what the models say of themselves."""

import json
import os
import shutil
import subprocess
import sys
import tracemalloc
import zipfile

import h5py
import numpy as np
import pytest

from cnnblocks import weights

ROLES = {
    "stem": ("kernel", "bias"),
    "batch_normalization": ("gamma", "beta", "moving_mean", "moving_variance"),
    "inner/separable_conv2d": ("depthwise_kernel", "pointwise_kernel", "bias"),
    "inner/depthwise_conv2d": ("depthwise_kernel", "bias"),
    "conv2d_transpose": ("kernel", "bias"),
    "dense": ("kernel", "bias"),
}
KINDS = [
    "conv2d",
    "batch_normalization",
    "separable_conv2d",
    "depthwise_conv2d",
    "conv2d_transpose",
    "dense",
]
AXES = {
    "stem": ("height", "width", "in", "out"),
    "inner/separable_conv2d": ("height", "width", "in", "multiplier"),
    "inner/depthwise_conv2d": ("height", "width", "in", "multiplier"),
    "conv2d_transpose": ("height", "width", "out", "in"),
    "dense": ("in", "out"),
}


def same_values(table, expected):
    """Compare the tensors of a table, in its order, with a model's weights."""
    assert len(table.weights) == len(expected)
    for tensor, (name, values) in zip(table.weights, expected):
        found = tensor.read()
        assert found.shape == values.shape == tensor.shape, name
        assert np.array_equal(found, values), name


@pytest.mark.parametrize(
    ("name", "format"),
    [
        ("k3.weights.h5", "keras3-weights"),
        ("k3_shards.weights.json", "keras3-weights"),
        ("k3.keras", "keras3-archive"),
        ("k3_whole.h5", "legacy-model"),
    ],
)
def test_a_model_of_keras_3(real_files, name, format):
    with weights.open(real_files / name) as table:
        assert table.format == format
        same_values(table, real_files.weights("keras3"))
        found = {layer.name: tuple(t.role for t in layer.tensors) for layer in table.structure}
        assert found == ROLES
        assert list(found) == list(ROLES)
        assert [layer.kind for layer in table.structure] == KINDS
        assert {x.name: x.tensors[0].axes for x in table.structure if x.tensors[0].axes} == AXES
        assert table.totals == weights.Totals(15, 550, 2200)
        assert table.optimizer_totals.tensors > 20
        assert {t.role for t in table.tensors[15:]} == {"optimizer"}


@pytest.mark.parametrize(
    ("name", "format"),
    [
        ("tfk.h5", "legacy-weights"),
        ("tfk_whole.h5", "legacy-model"),
        ("tfk.ckpt", "tf-checkpoint"),
    ],
)
def test_a_model_of_tf_keras(real_files, name, format):
    with weights.open(real_files / name) as table:
        assert table.format == format
        same_values(table, real_files.weights("tf_keras"))
        found = [
            (layer.name.split("/")[-1], tuple(t.role for t in layer.tensors))
            for layer in table.structure
        ]
        assert found == [(layer.split("/")[-1], roles) for layer, roles in ROLES.items()]
        assert [layer.kind for layer in table.structure] == KINDS
        recorded = [tensor.name.removesuffix(":0") for tensor in table.weights]
        assert recorded[:3] == ["stem/kernel", "stem/bias", "batch_normalization/gamma"]


def test_keras_3_weights_of_tf_keras(real_files):
    """Written by the older engine: no layer's name, and the state of metrics."""
    with weights.open(real_files / "tfk.weights.h5") as table:
        assert table.format == "keras3-weights"
        assert table.totals.parameters == 550
        by_path = {layer.path: layer for layer in table.structure}
        stem = by_path["layers/conv2d"].roles["kernel"]
        assert np.array_equal(stem.read(), dict(real_files.weights("tf_keras"))["stem/kernel:0"])
        assert table.structure[-1].name == "metrics/mean"


def test_the_dump_of_a_course(real_files):
    with weights.open(real_files / "tfk.txt") as table:
        assert table.format == "text"
        expected = dict(real_files.weights("tf_keras"))
        for tensor in table.tensors:
            assert np.allclose(tensor.read(), expected[tensor.name], rtol=0, atol=1e-8)
        assert "moving_mean" not in {tensor.role for tensor in table.tensors}


@pytest.mark.parametrize("name", ["subclassed.h5", "subclassed.ckpt"])
def test_a_subclassed_model(real_files, name):
    expected = {
        (name.split("/")[-2].split("_")[0], name.split("/")[-1]): values
        for name, values in real_files.weights("subclassed")
    }
    with weights.open(real_files / name) as table:
        layers = {layer.kind: layer for layer in table.structure if layer.kind}
        assert sorted(layers) == ["batch_normalization", "conv2d", "dense"]
        assert all(layer.number is not None for layer in layers.values())
        for kind in ("conv2d", "dense"):
            kernel = layers[kind].roles["kernel"]
            assert kernel.name.removesuffix(":0").startswith(f"subclassed/{kind}")
            assert np.array_equal(kernel.read(), expected[kind, "kernel:0"])


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision(real_files, dtype):
    with weights.open(real_files / f"{dtype}.weights.h5") as table:
        assert {tensor.dtype for tensor in table.weights} == {dtype}
        assert table.totals.bytes == 1100
        for tensor, (name, values) in zip(table.weights, real_files.weights(dtype)):
            assert np.array_equal(tensor.read().astype(np.float32), values), name
            slab = np.concatenate([slab.copy() for slab in tensor.slabs(64)])
            assert np.array_equal(slab.astype(np.float32), values.ravel())
            assert np.array_equal(tensor.read_slice("[-1]").astype(np.float32), values[-1])


def test_blocks_and_branches_come_in_the_models_order(real_files):
    order = json.loads((real_files / "inception10.json").read_text())
    with weights.open(real_files / "inception10.weights.h5") as table:
        tops = list(dict.fromkeys(layer.group for layer in table.structure))
        assert tops == [name for name in order if name in tops]
        assert any(layer.name.count("/") == 2 for layer in table.structure)
        values = {t.path: t.read() for t in table.weights}
        assert sum(v.size for v in values.values()) == table.totals.parameters
        expected = real_files.weights("inception10")
        assert table.totals.parameters == sum(values.size for _, values in expected)


def test_lists_of_names_that_are_split(real_files):
    with weights.open(real_files / "split.h5") as table:
        assert [tensor.name for tensor in table.tensors] == ["last/kernel:0", "last/bias:0"]
    with h5py.File(real_files / "split.h5") as file:
        assert "layer_names1" in file.attrs


def test_what_a_file_says_of_itself(real_files):
    with weights.open(real_files / "k3.keras") as table:
        assert table.metadata["keras_version"].startswith("3.")
        assert table.metadata["has_model_config"]
        assert table.metadata["training_config"]["loss"] == "sparse_categorical_crossentropy"
        assert [layer.class_name for layer in table.structure][:2] == [
            "Conv2D",
            "BatchNormalization",
        ]
    with weights.open(real_files / "tfk_whole.h5") as table:
        assert table.metadata["backend"] == "tensorflow"
        assert table.model_config["class_name"] == "Sequential"
    with weights.open(real_files / "k3.weights.h5") as table:
        assert not table.metadata["has_model_config"]
        assert table.metadata["keras_version"] is None


@pytest.mark.parametrize("name", ["k3.keras", "tfk_whole.h5"])
def test_what_is_trained(real_files, name):
    with weights.open(real_files / name) as table:
        trained = {(t.layer, t.role): t.trainable for t in table.weights}
    assert trained["stem", "kernel"] is False
    assert trained["dense", "kernel"] is True
    assert trained["batch_normalization", "moving_mean"] is False


def test_an_archive_that_was_packed_again(real_files, tmp_path):
    packed = tmp_path / "packed.keras"
    with (
        zipfile.ZipFile(real_files / "k3.keras") as source,
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for name in source.namelist():
            target.writestr(name, source.read(name))
    with weights.open(packed) as table:
        same_values(table, real_files.weights("keras3"))


def test_every_way_to_name_a_checkpoint(real_files, tmp_path):
    for file in real_files.directory.glob("tfk.ckpt*"):
        shutil.copy(file, tmp_path)
    state = 'model_checkpoint_path: "/somewhere/else/tfk.ckpt"\n'
    (tmp_path / "checkpoint").write_text(state)
    names = ["tfk.ckpt", "tfk.ckpt.index", "tfk.ckpt.data-00000-of-00001", "checkpoint", ""]
    for name in names:
        with weights.open(tmp_path / name) as table:
            assert (table.format, table.totals.parameters) == ("tf-checkpoint", 550)
    saved = tmp_path / "saved" / "variables"
    saved.mkdir(parents=True)
    for file in tmp_path.glob("tfk.ckpt*"):
        file.rename(saved / file.name.replace("tfk.ckpt", "variables"))
    with weights.open(tmp_path / "saved") as table:
        assert table.totals.parameters == 550


def test_a_directory_of_several_checkpoints_asks_which(real_files, tmp_path):
    for number in (1, 2):
        shutil.copy(real_files / "tfk.ckpt.index", tmp_path / f"epoch-{number}.index")
    with pytest.raises(weights.WeightFileError, match="epoch-1, epoch-2"):
        weights.open(tmp_path)


def test_a_checkpoint_without_its_data(real_files, tmp_path):
    shutil.copy(real_files / "tfk.ckpt.index", tmp_path)
    with pytest.raises(weights.WeightFileError, match="missing"):
        weights.open(tmp_path / "tfk.ckpt")


def test_the_format_is_found_by_content(real_files, tmp_path):
    for name, format in [("k3.keras", "keras3-archive"), ("tfk.h5", "legacy-weights")]:
        odd = tmp_path / "weights.bin"
        shutil.copy(real_files / name, odd)
        with weights.open(odd) as table:
            assert table.format == format


def test_names_as_bytes(tmp_path):
    """As Keras 1 and 2.0 wrote them."""
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    with h5py.File(tmp_path / "old.h5", "w") as file:
        file.attrs["layer_names"] = np.array([b"input_1", b"dense_1"])
        file.create_group("input_1").attrs["weight_names"] = np.array([], "S1")
        group = file.create_group("dense_1")
        group.attrs["weight_names"] = np.array([b"dense_1_W", b"dense_1_b"])
        group["dense_1_W"] = values
        group["dense_1_b"] = values[0]
    with weights.open(tmp_path / "old.h5") as table:
        assert [t.role for t in table.tensors] == ["kernel", "bias"]
        assert [t.layer for t in table.tensors] == ["dense_1", "dense_1"]
        assert np.array_equal(table["dense_1_W"].read(), values)


@pytest.mark.parametrize("dtype", ["<f4", ">f4", "f2", "f8", "i1", "u4", ">i8", "?"])
@pytest.mark.parametrize("chunks", [None, (2, 3)])
def test_any_hdf5_file_is_a_tree_of_arrays(tmp_path, dtype, chunks):
    values = np.arange(-10, 32).reshape(6, 7).astype(dtype)
    path = tmp_path / "any.h5"
    with h5py.File(path, "w", userblock_size=512) as file:
        file.create_dataset("a/b/kernel", data=values, chunks=chunks, compression=chunks and 4)
        file["scalar"] = np.dtype(dtype).type(1)
        file.create_dataset("empty", (0, 3), dtype)
    with weights.open(path) as table:
        assert table.format == "hdf5"
        assert [t.path for t in table.tensors] == ["a/b/kernel", "empty", "scalar"]
        kernel, empty, scalar = table.tensors
        assert kernel.layer == "a/b"
        assert np.array_equal(kernel.read(), values)
        assert np.array_equal(kernel.read_slice("[::-2, 1]"), values[::-2, 1])
        slabs = [slab.copy() for slab in kernel.slabs(16)]
        assert max(slab.nbytes for slab in slabs) <= 16
        assert np.array_equal(np.concatenate(slabs), values.ravel())
        assert empty.read().shape == (0, 3)
        assert scalar.read() == 1


def test_a_file_without_arrays(tmp_path):
    with h5py.File(tmp_path / "x.weights.h5", "w") as file:
        file.create_group("layers/flatten/vars")
    with weights.open(tmp_path / "x.weights.h5") as table:
        assert (table.format, table.tensors) == ("keras3-weights", [])


def test_a_tensor_by_path_or_name(real_files):
    with weights.open(real_files / "tfk.h5") as table:
        assert table["stem/stem/kernel:0"] is table["stem/kernel:0"]
        with pytest.raises(KeyError):
            table["nothing"]


NAMES = ["k3.keras", "k3.weights.h5", "k3_shards.weights.json", "tfk.h5", "tfk.ckpt", "tfk.txt"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("way", ["read", "slabs", "read_slice"])
def test_a_closed_table_gives_no_values_of_the_next(real_files, tmp_path, name, way):
    with weights.open(real_files / name) as table:
        tensors = table.tensors
        tensors[0].read()
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["x"] = np.zeros(100_000)
    with weights.open(tmp_path / "x.h5"):
        for tensor in tensors:
            with pytest.raises(weights.WeightFileError, match="was closed before"):
                closed_read(tensor, way)


def closed_read(tensor, way):
    if way == "slabs":
        return list(tensor.slabs())
    return tensor.read() if way == "read" else tensor.read_slice("[...]")


def test_reading_takes_no_second_copy(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["x"] = np.zeros(1_000_000)
    with weights.open(tmp_path / "x.h5") as table:
        tracemalloc.start()
        try:
            table.tensors[0].read()
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 12_000_000


def test_opening_needs_no_engine(real_files):
    script = (
        "import sys; from cnnblocks import weights\n"
        "for path in sys.argv[1:]: weights.statistics(weights.open(path))\n"
        "loaded = {'keras', 'tensorflow', 'jax', 'torch', 'tf_keras'} & set(sys.modules)\n"
        "assert not loaded, loaded"
    )
    names = ["k3.keras", "k3.weights.h5", "tfk.h5", "tfk.ckpt", "tfk.txt"]
    paths = [str(real_files / name) for name in names]
    subprocess.run([sys.executable, "-c", script, *paths], check=True, timeout=120)


@pytest.mark.skipif(not hasattr(os, "preadv"), reason="as systems without preadv read")
def test_systems_that_cannot_read_at_an_offset(real_files):
    script = (
        "import os, sys; del os.preadv\n"
        "from cnnblocks import weights\n"
        "print([row.mean for row in weights.statistics(weights.open(sys.argv[1]))])"
    )
    for name in ("k3.weights.h5", "k3.keras", "tfk.ckpt", "tfk.txt"):
        path = str(real_files / name)
        done = subprocess.run(
            [sys.executable, "-c", script, path],
            check=True,
            capture_output=True,
            text=True,
            timeout=120,
        )
        with weights.open(path) as table:
            assert json.loads(done.stdout) == [row.mean for row in weights.statistics(table)]
