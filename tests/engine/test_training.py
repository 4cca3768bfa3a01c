"""What the engine tells of recipes and of what a training needs, and the runs it makes."""

from cnnblocks.cli.train import _prepare, train
from cnnblocks.data import Augmentation
from cnnblocks.runs import RunDirectory


def test_recipe_has_every_value(engine):
    recipe = engine.ask("recipes.show", network="lenet5", name="original")
    assert recipe["optimizer"] == "adam"
    assert recipe["epochs"] == 5


def test_estimate_counts_memory_and_steps(engine):
    recipe = engine.ask("recipes.show", network="lenet5", name="original")
    asked = {"network": "lenet5", "input_shape": [32, 32, 3], "num_classes": 10}
    needs = engine.ask("estimate", **asked, train_images=50_000, recipe=recipe)
    assert needs["parameters"] == 62_006
    assert needs["steps"] == 5 * 1563
    assert needs["memory"] > 4 * 4 * 62_006


def test_a_wrong_value_of_a_recipe_is_the_users_to_mend(engine):
    asked = {"network": "lenet5", "input_shape": [32, 32, 3], "num_classes": 10}
    error = engine.error("estimate", **asked, train_images=100, recipe={"learning_rate": -1})
    assert error["kind"] == "user"
    assert "learning_rate" in error["message"]


def test_a_recipe_is_told_as_these_images_are_trained_on(engine):
    photos = {"data_shape": [32, 32, 3], "class_names": ["cat", "dog"], "train_images": 45_000}
    recipe = engine.ask("recipes.show", network="resnet18", **photos)
    assert recipe["augmentation"] == {"shift": 4, "flip": True}
    larger = engine.ask("recipes.show", network="resnet18", **photos, input_shape=[64, 64, 3])
    assert larger["augmentation"] == {"shift": 8, "flip": True}
    original = engine.ask("recipes.show", network="alexnet", name="original", **photos)
    assert original["input_shape"] == [224, 224, 1]


def test_a_run_has_exactly_the_recipe_of_the_form(engine, tmp_path):
    recipe = engine.ask("recipes.show", network="lenet5", train_images=1295)
    assert recipe["augmentation"]
    recipe |= {"augmentation": {}, "epochs": 3}
    wanted = {"network": "lenet5", "data": "digits", "options": {"recipe": recipe, "csv": True}}
    run = RunDirectory(engine.ask("runs.create", runs_dir=str(tmp_path), **wanted)["path"])
    assert run.config["recipe"] == recipe
    assert run.config["csv"]


def test_the_backend_of_a_run_need_not_be_the_engines(engine, tmp_path):
    options = {"backend": "torch"}
    wanted = {"network": "lenet5", "data": "digits", "options": options}
    run = RunDirectory(engine.ask("runs.create", runs_dir=str(tmp_path), **wanted)["path"])
    assert run.config["backend"] == "torch"


def test_the_command_line_says_what_differs_and_takes_entries_out(engine):
    base = engine.ask("recipes.show", network="resnet9", name="speedrun")
    recipe = base | {"augmentation": {"shift": 2}, "network_args": {}, "clip_norm": 1.0}
    settings = {"seed": 0, "freeze": None, "images": 500, "csv": True, "tune": "off"}
    options = {"recipe": recipe, "precision": base["precision"], **settings}
    asked = {"network": "resnet9", "data": "cifar10", "options": options, "base": base}
    words = engine.ask("runs.command", **asked)["command"].split()
    assert words[:7] == "cnnblocks train resnet9 --data cifar10 --recipe speedrun".split()
    told = " ".join(sorted(" ".join(words[7:]).replace("--", "\n--").split("\n")))
    for expected in (
        "--set augmentation.shift=2",
        "--set augmentation.flip=False",
        "--set augmentation.cutout=0",
        "--network-arg batch_norm_momentum=",
        "--clip-norm 1.0",
        "--train-images 500",
        "--csv",
        "--tune off",
    ):
        assert expected in told
    assert "--epochs" not in told
    assert "--precision" not in told


def test_the_command_line_makes_the_recipe_of_the_form(engine):
    base = engine.ask("recipes.show", network="lenet5", train_images=1295, data_shape=[8, 8, 1])
    recipe = base | {"augmentation": {"cutout": 2}, "ema": 0.99, "nesterov": False, "epochs": 1}
    asked = {"network": "lenet5", "data": "digits", "options": {"recipe": recipe}, "base": base}
    words = engine.ask("runs.command", **asked)["command"].split()
    context = train.make_context("train", [*words[2:], "--detach"])
    options = dict(context.params)
    network, data = options.pop("network"), options.pop("data")
    made = _prepare(context, network, data, options).config.recipe.to_dict()
    assert Augmentation(**made.pop("augmentation")) == Augmentation(**recipe.pop("augmentation"))
    assert made == recipe
