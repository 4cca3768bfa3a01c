"""Recipes, what a training needs, and run directories for it."""

from typing import Any

from cnnblocks.engine.registry import Context, method


@method("recipes.show")
def show_recipe(
    context: Context, network: str, name: str = "default", train_images: int = 50_000
) -> dict:
    """Every value of a recipe, and what each field may be."""
    from cnnblocks.training import recipe

    return recipe(network, name, images=train_images).to_dict()


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
