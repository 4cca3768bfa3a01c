"""From a recipe to Keras' own optimizer, schedule and loss, and the moving average of weights."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cnnblocks.training.recipes import Recipe

_ONE_CYCLE_START = 1 / 25


def schedule(recipe: Recipe, steps: int) -> Any:
    """The learning rate of a recipe as Keras takes it: a number, or a function of the step.

    Args:
        recipe: The recipe.
        steps: Steps of the whole training.

    Returns:
        A float for the schedule `constant` without warm-up, else a Keras schedule. It depends on
        the optimizer's step alone, so it goes on where it was when the optimizer is restored.
    """
    import keras

    if recipe.schedule == "constant":
        return recipe.learning_rate
    warmup_steps = round(recipe.warmup * steps)
    if warmup_steps == 0:
        return keras.optimizers.schedules.CosineDecay(recipe.learning_rate, steps)
    start = _ONE_CYCLE_START if recipe.schedule == "one-cycle" else 0.0
    return keras.optimizers.schedules.CosineDecay(
        start * recipe.learning_rate,
        decay_steps=max(1, steps - warmup_steps),
        warmup_target=recipe.learning_rate,
        warmup_steps=warmup_steps,
    )


def optimizer(recipe: Recipe, model: Any, steps: int, precision: str = "float32") -> Any:
    """The optimizer of a recipe, built for a model's trainable variables.

    Args:
        recipe: The recipe.
        model: A built Keras model.
        steps: Steps of the whole training, which the schedule spans.
        precision: The run's; with `"mixed_float16"` losses are scaled, so that small gradients
            are not lost.

    Returns:
        A Keras optimizer. Its weight decay leaves biases and normalisation alone.
    """
    import keras

    kinds = _kinds(model)
    common: dict[str, Any] = {
        "learning_rate": schedule(recipe, steps),
        "weight_decay": recipe.weight_decay or None,
        "global_clipnorm": recipe.clip_norm,
        "use_ema": recipe.ema is not None,
        "ema_momentum": recipe.ema or 0.99,
    }
    if recipe.optimizer == "sgd":
        # Nesterov's look-ahead means nothing without momentum, and Keras says so with an error.
        common |= {"momentum": recipe.momentum, "nesterov": recipe.nesterov and recipe.momentum > 0}
        made = (kinds if recipe.momentum else keras.optimizers).SGD(**common)
    elif recipe.optimizer == "adamw":
        made = kinds.AdamW(**common | {"weight_decay": recipe.weight_decay})
    else:
        made = kinds.Adam(**common)
    vectors = [variable for variable in model.trainable_variables if len(variable.shape) < 2]
    if recipe.weight_decay:
        made.exclude_from_weight_decay(var_list=vectors)
    # Keras looks at the model's own policy, which is float32 where the layers have one each.
    return keras.optimizers.LossScaleOptimizer(made) if precision == "mixed_float16" else made


def _kinds(model: Any) -> Any:
    """The module with the optimizers that are fastest for a model."""
    import keras

    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        if not tf.distribute.has_strategy():
            from cnnblocks.training import tensorflow_optimizers

            return tensorflow_optimizers
    elif backend == "torch" and all(v.value.is_cpu for v in model.trainable_variables):
        from cnnblocks.training import torch_optimizers

        return torch_optimizers
    return keras.optimizers


def loss(recipe: Recipe) -> Any:
    """The loss that fits a recipe's output: cross-entropy over probabilities or logits.

    With label smoothing it takes one-hot targets, else class numbers.
    """
    import keras

    if recipe.label_smoothing:
        return keras.losses.CategoricalCrossentropy(
            from_logits=recipe.from_logits, label_smoothing=recipe.label_smoothing
        )
    return keras.losses.SparseCategoricalCrossentropy(from_logits=recipe.from_logits)


@contextmanager
def averaged_weights(model: Any) -> Iterator[None]:
    """Let a model have the moving average of its weights for the duration of a block.

    The weights come back bit by bit, unlike with Keras' `SwapEMAWeights`, which swaps by adding
    and subtracting. Nothing happens when the optimizer keeps no average.
    """
    averages = _averages(model.optimizer)
    if not averages:
        yield
        return
    import keras

    weights = model.trainable_variables
    # `numpy()` of a CPU tensor may share its memory, which the next lines overwrite.
    raw = [keras.ops.convert_to_numpy(weight).copy() for weight in weights]
    try:
        for weight, average in zip(weights, averages, strict=True):
            # A copy: on JAX the two would share memory that the next step gives away.
            weight.assign(keras.ops.convert_to_numpy(average))
        yield
    finally:
        for weight, value in zip(weights, raw, strict=True):
            weight.assign(value)


def _averages(made: Any) -> list[Any]:
    """The moving averages that an optimizer keeps, in the order of the trainable variables."""
    inner = getattr(made, "inner_optimizer", made)
    if not inner.use_ema:
        return []
    return [variable for variable in inner.variables if variable.path.endswith("_average")]
