"""Recipes, what a training needs, and run directories for it."""

from typing import Any

from cnnblocks.engine.registry import Context, method


@method("recipes.show")
def show_recipe(
    context: Context,
    network: str,
    name: str = "default",
    train_images: int = 50_000,
    data_shape: list[int] | None = None,
    class_names: list[str] | None = None,
    input_shape: list[int] | None = None,
) -> dict:
    """Every value of a recipe, as a training on such data takes them.

    `data_shape` is the input's if neither `input_shape` nor the recipe names one.
    """
    from cnnblocks.training import recipe
    from cnnblocks.training.recipes import may_be_mirrored

    shape = input_shape or recipe(network, name).input_shape or data_shape
    if not shape:
        return recipe(network, name, images=train_images).to_dict()
    mirrored = class_names is not None and may_be_mirrored(shape[2], class_names)
    chosen = recipe(network, name, images=train_images, size=shape[0], mirrored=mirrored)
    return chosen.to_dict()


@method("estimate")
def estimate(
    context: Context,
    network: str,
    input_shape: list[int],
    num_classes: int,
    train_images: int,
    recipe: dict[str, Any],
    precision: str = "float32",
) -> dict:
    """Parameters, memory and steps of a training."""
    from cnnblocks import analysis, networks
    from cnnblocks.training import Recipe

    chosen = Recipe.from_dict(recipe)
    model = networks.outline(
        network,
        input_shape=tuple(input_shape),
        num_classes=num_classes,
        dtype=precision,
        **chosen.network_args,
    )
    return analysis.estimate_requirements(
        analysis.summarize(model, batch_size=chosen.batch_size),
        optimizer=chosen.optimizer,
        ema=chosen.ema is not None,
        images=train_images,
        epochs=chosen.epochs,
    ).to_json()
