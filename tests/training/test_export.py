import json
from importlib.util import find_spec

import keras
import numpy as np
import pytest

from cnnblocks import data
from cnnblocks.training.export import ExportError, export
from cnnblocks.training.trained import load_trained

tensorflow_only = pytest.mark.skipif(
    keras.config.backend() != "tensorflow", reason="exports through TensorFlow"
)


@pytest.fixture
def images():
    return data.load("digits").test.images(range(4))


@pytest.fixture
def expected(trained_run, images):
    trained = load_trained(trained_run)
    return trained.probabilities(trained.preprocessing(images))


@pytest.mark.parametrize("to", ["keras", "weights"])
def test_keras_own_formats_come_back_whole(trained_run, tmp_path, images, expected, to):
    path = tmp_path / {"keras": "m.keras", "weights": "m.weights.h5"}[to]
    assert export(trained_run, to, path) == path
    trained = load_trained(path)
    assert trained.class_names == [str(digit) for digit in range(10)]
    np.testing.assert_array_equal(trained.probabilities(trained.preprocessing(images)), expected)


@tensorflow_only
def test_a_saved_model_serves_and_carries_its_classes(trained_run, tmp_path, images, expected):
    import tensorflow as tf

    path = export(trained_run, "savedmodel", tmp_path / "served")
    pixels = load_trained(trained_run).preprocessing(images)
    loaded = tf.saved_model.load(str(path))
    np.testing.assert_allclose(loaded.serve(pixels), expected, rtol=1e-4, atol=1e-6)
    about = json.loads((path / "assets.extra" / "cnnblocks.json").read_text())
    assert about["class_names"] == [str(digit) for digit in range(10)]
    assert about["preprocessing"]["scaling"] == "standardize"
    assert [entry.name for entry in tmp_path.iterdir()] == ["served"]


@tensorflow_only
def test_litert_agrees_and_has_its_classes_beside_it(trained_run, tmp_path, images, expected):
    import tensorflow as tf

    path = export(trained_run, "litert", tmp_path / "m.tflite")
    interpreter = tf.lite.Interpreter(model_path=str(path))
    (entry,) = interpreter.get_input_details()
    pixels = load_trained(trained_run).preprocessing(images)
    interpreter.resize_tensor_input(entry["index"], pixels.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(entry["index"], pixels)
    interpreter.invoke()
    (output,) = interpreter.get_output_details()
    got = interpreter.get_tensor(output["index"])
    np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-5)
    assert json.loads((tmp_path / "m.tflite.json").read_text())["outputs"] == "probabilities"


@tensorflow_only
@pytest.mark.skipif(
    not all(map(find_spec, ("onnx", "tf2onnx", "onnxruntime"))), reason="takes further packages"
)
def test_onnx_agrees(trained_run, tmp_path, images, expected):
    from onnxruntime import InferenceSession

    session = InferenceSession(str(export(trained_run, "onnx", tmp_path / "m.onnx")))
    pixels = load_trained(trained_run).preprocessing(images)
    (got,) = session.run(None, {session.get_inputs()[0].name: pixels})
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.skipif(
    bool(find_spec("tf2onnx")) or keras.config.backend() != "tensorflow",
    reason="the packages are there",
)
def test_a_missing_package_is_named(trained_run, tmp_path):
    with pytest.raises(ExportError, match=r"needs onnx and tf2onnx.*pip install onnx tf2onnx"):
        export(trained_run, "onnx", tmp_path / "m.onnx")


def test_nothing_is_replaced_unless_asked_for(trained_run, tmp_path):
    path = tmp_path / "m.keras"
    path.write_text("mine")
    with pytest.raises(ExportError, match=r"there already.*--force"):
        export(trained_run, "keras", path)
    assert path.read_text() == "mine"
    export(trained_run, "keras", path, force=True)
    assert load_trained(path).num_classes == 10


def test_a_directory_that_is_no_saved_model_is_never_replaced(trained_run, tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mine.txt").write_text("mine")
    with pytest.raises(ExportError, match="is a directory and no SavedModel"):
        export(trained_run, "savedmodel", tmp_path / "models", force=True)
    assert (tmp_path / "models" / "mine.txt").read_text() == "mine"


def test_formats_and_names_are_checked(trained_run, tmp_path):
    with pytest.raises(ExportError, match="must be one of savedmodel, onnx"):
        export(trained_run, "caffe")
    with pytest.raises(ExportError, match=r"ends with \.weights\.h5"):
        export(trained_run, "weights", tmp_path / "m.h5")
