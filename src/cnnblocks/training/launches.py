"""Several training steps in one launch, with JAX.

Keras' own `steps_per_execution` launches each step by itself on JAX: the time that takes on the
host is what a small network on a fast device then waits for. (With TensorFlow, Keras does loop on
the device; with PyTorch, it takes one step at a time only.)
"""

from collections.abc import Callable, Iterator
from itertools import groupby, islice
from typing import Any, Protocol


class Resident(Protocol):
    """Images on the device and the way from a plan to a batch of them."""

    pixels: Any

    def __call__(self, pixels: Any, plan: Any) -> Any:
        """Carry out a plan."""


def several_steps(
    step: Callable[[Any, Any], tuple[Any, Any]], resident: Resident, most: int
) -> Callable[[Any, Iterator[Any]], tuple[Any, Any]]:
    """A function that takes up to `most` steps at once.

    How many it takes changes nothing in what a step computes, nor what is compiled.

    Args:
        step: One step of Keras' JAX trainer: from a state and a batch to logs and the next state.
        resident: The images that the plans of the batches choose from.
        most: Steps in a launch.

    Returns:
        What Keras' JAX trainer calls as its train or test function: from a state and an iterator
        over batches `(plan, ...)` to the last step's logs and the next state.
    """
    import jax
    from jax import numpy as jnp

    def launch(state: Any, batches: list[Any], count: int, pixels: Any) -> tuple[Any, Any]:
        stacked = jax.tree.map(lambda *parts: jnp.stack(parts), *batches)

        def batch(number: Any) -> tuple[Any, ...]:
            plan, *rest = jax.tree.map(lambda parts: parts[number], stacked)
            return (resident(pixels, plan), *rest)

        def one(number: Any, carried: tuple[Any, Any]) -> tuple[Any, Any]:
            return step(carried[1], batch(number))

        logs, _ = jax.eval_shape(step, state, batch(0))
        nothing = jax.tree.map(lambda log: jnp.zeros(log.shape, log.dtype), logs)
        return jax.lax.fori_loop(0, count, one, (nothing, state))

    compiled = jax.jit(launch, donate_argnums=0)

    def execute(state: Any, iterator: Iterator[Any]) -> tuple[Any, Any]:
        # At least one, so that Keras learns of an empty iterator the way it expects.
        batches = [next(iterator), *islice(iterator, most - 1)]
        logs = None
        for _, alike in groupby(batches, key=lambda batch: batch[0].shape):
            these = list(alike)
            filled = these + these[-1:] * (most - len(these))
            logs, state = compiled(state, filled, len(these), resident.pixels)
        return logs, state

    return execute
