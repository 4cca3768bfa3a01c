"""What the engine lets a trained model say of images."""

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    import cnnblocks

    runs = tmp_path_factory.mktemp("runs")
    return cnnblocks.train("lenet5", "digits", epochs=2, seed=1, runs_dir=runs)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    digits = load_digits()
    for number in range(4):
        pixels = (digits.images[number] * (255 / 16)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{digits.target[number]}.png")
    return sorted(folder.iterdir())


def test_predict_names_classes_with_probabilities(engine, run, images):
    answers = engine.ask("predict", model=str(run.path), images=[str(images[0])], top=10)
    classes = answers[0]["predictions"]
    assert answers[0]["path"] == str(images[0])
    assert {entry["class"] for entry in classes} == {str(digit) for digit in range(10)}
    assert sum(entry["probability"] for entry in classes) == pytest.approx(1, abs=1e-5)


def test_an_image_that_cannot_be_read_is_said_so(engine, run, images, tmp_path):
    (broken := tmp_path / "broken.png").write_bytes(b"no image")
    asked = [str(broken), str(images[1])]
    first, second = engine.ask("predict", model=str(run.path), images=asked)
    assert "broken.png" in first["problem"]
    assert second["predictions"]


def test_feature_maps_are_those_of_the_stages(engine, run, images):
    answer = engine.ask("feature_maps", model=str(run.path), image=str(images[2]))
    assert np.load(answer["image"]).dtype == np.uint8
    shapes = {stage["name"]: np.load(stage["array"]).shape for stage in answer["stages"]}
    assert list(shapes) == ["stage1", "stage2"]
    assert shapes["stage2"][-1] == 16


def test_evaluation_comes_with_a_confusion_matrix(engine, run):
    message, progress = engine.answer(engine.send("evaluate", model=str(run.path)))
    report = message["result"]
    # Not every step is told of, but the first one is.
    done = [entry["done"] for entry in progress]
    assert 0 < done[0] <= done[-1] <= report["images"]
    assert {entry["total"] for entry in progress} == {report["images"]}
    assert np.sum(report["confusion"]) == report["images"]
    assert 0 <= report["metrics"]["accuracy"] <= 1


def test_a_run_that_does_not_exist_is_the_users_to_mend(engine, images):
    error = engine.error("predict", model="/nowhere/at-all", images=[str(images[0])])
    assert error["kind"] == "user"
    assert "at-all" in error["message"]


def test_devices_are_told_with_their_use(engine):
    found = engine.ask("devices")
    assert found["cpu"]["cores"] >= 1
    assert 0 < found["memory"]["use"] <= 1
