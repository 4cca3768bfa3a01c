"""What the engine tells of networks."""

import cnnblocks


def test_list_has_every_network_with_its_story(engine):
    facts = {entry["name"]: entry for entry in engine.ask("networks.list")}
    assert list(facts) == cnnblocks.list_networks()
    assert facts["resnet18"]["paper"]["year"] == 2015
    assert facts["alexnet8"]["min_size"] == 21
    assert all(entry["idea"] for entry in facts.values())


def test_summary_follows_the_input_and_the_classes(engine):
    table = engine.ask("networks.summary", network="lenet5", input_shape=[28, 28, 1])
    assert table["totals"]["parameters"] == 44_426
    table = engine.ask("networks.summary", network="vgg11", num_classes=1000)
    assert table["totals"]["parameters"] == 128_806_154 + 4097 * 990


def test_too_small_an_image_is_the_users_to_mend(engine):
    error = engine.error("networks.summary", network="alexnet", input_shape=[32, 32, 3])
    assert error["kind"] == "user"
    assert "67" in error["message"]


def test_a_model_file_and_a_run_have_layers(engine, tmp_path):
    cnnblocks.create("lenet5", (28, 28, 1)).save(tmp_path / "model.keras")
    table = engine.ask("models.summary", model=str(tmp_path / "model.keras"))
    assert table["totals"]["parameters"] == 44_426
    wanted = {"network": "lenet5", "data": "digits", "options": {"epochs": 1}}
    run = engine.ask("runs.create", runs_dir=str(tmp_path), **wanted)
    table = engine.ask("models.summary", model=run["path"], batch_size=2)
    assert table["batch_size"] == 2
    assert [row["name"] for row in table["rows"]][1] == "stage1_conv"


def test_a_file_of_weights_has_no_layers(engine, tmp_path):
    cnnblocks.create("lenet5").save_weights(tmp_path / "only.weights.h5")
    error = engine.error("models.summary", model=str(tmp_path / "only.weights.h5"))
    assert error["kind"] == "user"
    assert "weights without the model" in error["message"]
