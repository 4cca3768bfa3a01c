import contextlib
import csv
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from cnnblocks import data
from cnnblocks.runs import RunDirectory, RunError
from cnnblocks.training import Run, TrainingError, evaluation
from cnnblocks.training.trained import Hints, ModelFileError, load_trained


@pytest.fixture
def run(trained_run, tmp_path):
    """A copy of the run that tests share."""
    return RunDirectory(shutil.copytree(trained_run, tmp_path / trained_run.name))


@pytest.fixture(scope="module")
def digit_files(tmp_path_factory):
    """Files of the first test images, named by their class."""
    folder = tmp_path_factory.mktemp("digits")
    split = data.load("digits").test
    for position in range(6):
        (pixels,) = split.images([position])
        Image.fromarray(pixels[..., 0]).save(folder / f"{position}-{split.labels[position]}.png")
    return folder


def test_the_figures_agree_with_those_of_training_and_with_each_other(run):
    measured = run.events[-2]
    assert measured["event"] == "evaluation"
    found = evaluation.evaluate(run.path)
    assert found.metrics["accuracy"] == pytest.approx(measured["metrics"]["accuracy"], abs=1e-6)
    assert found.metrics["loss"] == pytest.approx(measured["metrics"]["loss"], rel=1e-4)
    assert (found.weights, found.epoch, found.data, found.split) == ("best", 2, "digits", "test")
    confusion = np.array(found.confusion)
    assert confusion.sum() == found.images == 359
    assert confusion.trace() / 359 == pytest.approx(found.accuracy)
    recalls = confusion.diagonal() / confusion.sum(axis=1)
    assert [score.recall for score in found.per_class] == pytest.approx(recalls.tolist())
    assert [score.images for score in found.per_class] == confusion.sum(axis=1).tolist()
    assert found.accuracy <= found.top_5_accuracy <= 1


def test_the_validation_images_are_those_of_training(run):
    found = evaluation.evaluate(run.path, split="validation")
    best = run.history[found.epoch - 1]
    assert found.accuracy == pytest.approx(best["val_accuracy"], abs=1e-6)
    assert found.loss == pytest.approx(best["val_loss"], rel=1e-4)
    assert found.file_stem == "digits-validation-best"


def test_everything_is_written_into_the_run(run):
    found = evaluation.evaluate(run.path)
    directory = run.path / "evaluation"
    written = json.loads((directory / "digits-best.json").read_text())
    assert written == json.loads(json.dumps(found.to_json()))
    rows = list(csv.reader((directory / "digits-best.csv").open()))
    assert [[int(count) for count in row[1:]] for row in rows[1:]] == found.confusion
    for name in ("digits-best.png", "digits-best-mistakes.png"):
        assert Image.open(directory / name).width > 300
    assert run.events[-1]["event"] == "evaluation"
    assert run.events[-1]["metrics"] == found.metrics


def test_mistakes_are_mistakes_and_the_worst_come_first(run):
    found = evaluation.evaluate(run.path)
    split = data.load("digits").test
    assert found.mistakes
    for mistake in found.mistakes:
        assert mistake.truth == str(split.labels[mistake.position]) != mistake.prediction
    of_truth = [mistake.truth_probability for mistake in found.mistakes]
    assert of_truth == sorted(of_truth)


@pytest.mark.parametrize("weights", ["best", "last"])
def test_checkpoints_of_a_run_without_a_model_are_evaluated(run, weights):
    (run.path / "model.keras").unlink()
    kept = evaluation.evaluate(run.path / "weights.weights.h5", "digits")
    found = evaluation.evaluate(run.path, weights=weights)
    assert found.weights == weights
    assert found.accuracy == pytest.approx(kept.accuracy, abs=0.02)


def test_weights_that_are_not_there_are_told_with_those_that_are(run):
    with pytest.raises(ModelFileError, match=r"no weights called 'epoch-0009'.*best, last"):
        evaluation.evaluate(run.path, weights="epoch-0009")


def test_a_folder_with_the_classes_in_another_order_is_understood(run, tmp_path):
    split = data.load("digits").test
    chosen = np.flatnonzero(split.labels[:40] != 0)
    for position in chosen:
        for part in ("train", "test"):
            folder = tmp_path / "images" / part / str(split.labels[position])
            folder.mkdir(parents=True, exist_ok=True)
            (pixels,) = split.images([position])
            Image.fromarray(pixels[..., 0]).save(folder / f"{position}.png")
    found = evaluation.evaluate(run.path, tmp_path / "images")
    trained = load_trained(run.path)
    pixels = trained.preprocessing(split.images(chosen))
    right = trained.probabilities(pixels).argmax(axis=1) == split.labels[chosen]
    assert found.images == len(chosen)
    assert found.accuracy == pytest.approx(right.mean())
    assert all(mistake.path.endswith(".png") for mistake in found.mistakes)


def test_classes_that_the_model_does_not_know_are_named(run, tmp_path):
    for part in ("train", "test"):
        for name in ("cat", "dog"):
            folder = tmp_path / "animals" / part / name
            folder.mkdir(parents=True)
            for number in range(3):
                Image.new("L", (8, 8), number).save(folder / f"{number}.png")
    with pytest.raises(evaluation.EvaluationError, match="the data have cat, dog as well"):
        evaluation.evaluate(run.path, tmp_path / "animals")


def test_a_split_is_one_of_three(run):
    with pytest.raises(evaluation.EvaluationError, match="test, validation, train"):
        evaluation.evaluate(run.path, split="holdout")


def test_predictions_come_in_order_and_sum_to_one(run, digit_files):
    found = list(evaluation.predict(run.path, [digit_files], top=10))
    assert [prediction.path for prediction in found] == sorted(map(str, digit_files.iterdir()))
    for prediction in found:
        shares = [share for _, share in prediction.classes]
        assert shares == sorted(shares, reverse=True)
        assert sum(shares) == pytest.approx(1, abs=1e-5)
    assert len(next(evaluation.predict(run.path, [digit_files])).classes) == 5


def test_an_image_that_cannot_be_read_hides_no_other(run, digit_files, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_text("no image")
    good = sorted(digit_files.iterdir())[0]
    found = list(evaluation.predict(run.path, [broken, tmp_path / "gone.png", good]))
    assert [bool(prediction.problem) for prediction in found] == [True, True, False]
    assert "broken.png" in found[0].problem
    assert found[2].classes


def test_a_folder_without_images_is_an_error(run, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(data.DataError, match="no images in"):
        list(evaluation.predict(run.path, [tmp_path / "empty"]))


def test_files_that_say_everything_themselves_agree(run, digit_files):
    names = (run.path, run.path / "model.keras", run.path / "weights.weights.h5")
    of_run, of_model, of_weights = (
        [prediction.classes for prediction in evaluation.predict(name, [digit_files])]
        for name in names
    )
    assert of_run == of_model == of_weights


@pytest.fixture(scope="module")
def model_file(tmp_path_factory):
    """A model of plain Keras layers, which says nothing of images."""
    import keras

    path = tmp_path_factory.mktemp("foreign") / "plain.keras"
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(10, name="classifier"),
        ]
    )
    model.save(path)
    return path


def test_how_pixels_reach_a_foreign_model_must_be_said(model_file):
    with pytest.raises(ModelFileError, match=r"--input-range: 0\.\.1, -1\.\.1, or raw"):
        load_trained(model_file)


def test_for_a_model_of_plain_layers_an_input_range_is_enough(model_file):
    trained = load_trained(model_file, hints=Hints(input_range="-1..1"))
    assert trained.logits
    assert trained.preprocessing.input_shape == (8, 8, 1)
    found = evaluation.evaluate(model_file, "digits", hints=Hints(input_range="-1..1"))
    assert found.images == 359


def test_names_must_be_as_many_as_classes(model_file):
    with pytest.raises(ModelFileError, match="10 classes apart, but 2 names"):
        load_trained(model_file, hints=Hints(input_range="0..1", class_names=["a", "b"]))


def test_logits_and_other_outputs_become_distributions(model_file):
    trained = load_trained(model_file, hints=Hints(input_range="0..1"))
    images = trained.preprocessing(data.load("digits").test.images(range(3)))
    logits = trained.model.predict_on_batch(images)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    expected = powers / powers.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(trained.probabilities(images), expected, rtol=1e-4)


def test_weights_alone_need_their_network(run, tmp_path):
    import keras

    keras.models.load_model(run.path / "model.keras").save_weights(tmp_path / "w.weights.h5")
    with pytest.raises(ModelFileError, match=r"--network NAME.*cnnblocks weights identify"):
        load_trained(tmp_path / "w.weights.h5")
    hints = Hints(
        network="lenet5",
        input_shape=(32, 32, 1),
        input_range="0..1",
        class_names=[str(digit) for digit in range(10)],
    )
    trained = load_trained(tmp_path / "w.weights.h5", hints=hints)
    np.testing.assert_array_equal(
        trained.model.get_weights()[0], load_trained(run.path).model.get_weights()[0]
    )


def test_a_run_that_goes_on_shows_what_it_has_now_and_not_the_model_of_its_earlier_end(run):
    shutil.copy(
        run.path / "checkpoints" / "last.weights.h5", run.path / "checkpoints" / "best.weights.h5"
    )
    replace(run.status, state="stopped").write(run.path / "status.json")
    found = load_trained(run.path)
    last = load_trained(run.path, weights="last")
    for mine, theirs in zip(found.model.get_weights(), last.model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert (found.weights, found.epoch) == ("best", last.epoch)
    with pytest.raises(RunError, match="no model yet: its state is stopped"):
        Run(run.path).model()


def test_a_large_photo_is_seen_as_training_saw_it(run, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    Image.fromarray(pixels).resize((1600, 1200)).save(tmp_path / "large.jpg")
    trained = load_trained(run.path)
    (expected,) = trained.probabilities(trained.preprocessing(tmp_path / "large.jpg"))
    (found,) = evaluation.predict(trained, [tmp_path / "large.jpg"], top=10)
    shares = dict(found.classes)
    assert [shares[name] for name in trained.class_names] == pytest.approx(expected.tolist())


def test_a_file_cut_short_is_told_in_a_sentence(run, tmp_path):
    whole = (run.path / "weights.weights.h5").read_bytes()
    (tmp_path / "cut.weights.h5").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(TrainingError, match=r"cut\.weights\.h5 cannot be read"):
        load_trained(tmp_path / "cut.weights.h5")


def test_a_folder_of_the_same_name_is_not_the_runs_own(trained_run, tmp_path):
    run = RunDirectory(shutil.copytree(trained_run, tmp_path / trained_run.name))
    (tmp_path / "here" / "photos").mkdir(parents=True)
    source = {"source": str(tmp_path / "elsewhere" / "photos"), "name": "photos"}
    run.write_config(run.config | {"data": run.config["data"] | source})
    with contextlib.chdir(tmp_path / "here"), pytest.raises(data.DataError) as error:
        evaluation.evaluate(run.path, "photos")
    assert "elsewhere" not in str(error.value)


@pytest.mark.parametrize("name", ["gone.keras", "broken.keras", "broken.h5"])
def test_files_that_are_no_models_are_told_in_a_sentence(tmp_path, name):
    if name.startswith("broken"):
        (tmp_path / name).write_text("no model")
    with pytest.raises(ModelFileError, match=name):
        load_trained(tmp_path / name)
