"""What the engine tells of recipes and of what a training needs."""


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
