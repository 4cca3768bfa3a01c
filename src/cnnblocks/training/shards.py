"""Parts of a batch side by side on TensorFlow's CPU device, each operation on one thread.

The operations of a small network are too short to be shared by threads: LeNet-5 takes as long on
two cores as on one. Its batches can be shared instead. Weights are then updated by the mean of what
the parts say, which is what the whole batch says, but for the order of sums. A network whose layers
mix the images of a batch, as batch normalization does, or draw for each image, as dropout does,
would compute something else, so it is left whole.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any

_SMALL = 1_000_000
"""Up to how many weights: convolutions of large networks are shared by threads well enough."""

_LEAST_ROWS = 8
"""Images of a part: with fewer, what it costs to have one more is more than it saves."""


_dedicated = False


def dedicate_process() -> None:
    """Say that this process is there for one training, which may settle TensorFlow's threads."""
    global _dedicated
    _dedicated = True


def process_is_dedicated() -> bool:
    """Whether `dedicate_process` was called."""
    return _dedicated


def most(network: Any, images: int, batch_size: int) -> int:
    """Into how many parts batches may be split on this machine; 1 where they must stay whole.

    Args:
        network: A model, or its outline.
        images: Of the training.
        batch_size: Images in a batch.
    """
    if network.non_trainable_variables or network.count_params() > _SMALL:
        return 1
    parts = min(os.cpu_count() or 1, batch_size // _LEAST_ROWS)
    rest = images % batch_size
    # No part of the last batch may be empty.
    return parts if parts > 1 and (rest == 0 or rest >= parts) else 1


def use_threads_for(parts: int) -> bool:
    """Let TensorFlow compute each operation on one thread, and so many operations at a time.

    Returns:
        Whether it does; not, once it has started otherwise.
    """
    import tensorflow as tf

    threading = tf.config.threading
    with suppress(RuntimeError):
        threading.set_intra_op_parallelism_threads(1)
        threading.set_inter_op_parallelism_threads(parts)
    return bool(threading.get_intra_op_parallelism_threads() == 1)


def train_step(
    model: Any, data: tuple[Any, ...], count: int, carried_out: Callable[[Any], Any]
) -> dict[str, Any]:
    """What Keras' `train_step` does, on `count` parts of a batch.

    Args:
        model: The compiled model.
        data: Images, or plans of images, labels and, if there are any, weights of the images.
        count: How many parts.
        carried_out: From such a part of the batch to one with images.

    Returns:
        The metrics.
    """
    import keras
    import tensorflow as tf

    weights, optimizer = model.trainable_variables, model.optimizer
    losses, gradients, outputs = [], [], []
    for part, share in _split(data, count):
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(carried_out(part))
        with tf.GradientTape() as tape:
            y_pred = model(x, training=True)
            loss = share * model.compute_loss(x, y, y_pred, sample_weight, training=True)
            scaled = optimizer.scale_loss(loss)
        gradients.append(tape.gradient(scaled, weights))
        losses.append(loss)
        outputs.append(y_pred)
    summed = [tf.add_n(parts) for parts in zip(*gradients)]
    optimizer.apply_gradients(zip(summed, weights))
    return _measured(model, data, tf.concat(outputs, 0), tf.add_n(losses))


def test_step(
    model: Any, data: tuple[Any, ...], count: int, carried_out: Callable[[Any], Any]
) -> dict[str, Any]:
    """What Keras' `test_step` does, on `count` parts of a batch; see `train_step`."""
    import keras
    import tensorflow as tf

    def predicted(parts: list[tuple[Any, ...]]) -> Any:
        return tf.concat([model(carried_out(part)[0], training=False) for part in parts], 0)

    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    # TensorFlow's kernels refuse a part without images.
    y_pred = tf.cond(
        tf.shape(x)[0] < count,
        lambda: predicted([data]),
        lambda: predicted([part for part, _ in _split(data, count)]),
    )
    loss = model.compute_loss(x, y, y_pred, sample_weight, training=False)
    return _measured(model, data, y_pred, loss)


def _split(batch: tuple[Any, ...], count: int) -> list[tuple[tuple[Any, ...], Any]]:
    """Parts of a batch, each with its share of the rows."""
    import tensorflow as tf

    rows = tf.shape(batch[0])[0]
    sizes = [(rows + number) // count for number in range(count)]
    given = (column for column in batch if column is not None)
    columns = (tf.split(column, sizes, num=count) for column in given)
    shares = [tf.cast(size / rows, "float32") for size in sizes]
    return list(zip(zip(*columns), shares))


def _measured(model: Any, batch: tuple[Any, ...], y_pred: Any, loss: Any) -> dict[str, Any]:
    """Update the model's metrics, and return them."""
    import keras
    import tensorflow as tf

    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(batch)
    tracker = next(metric for metric in model.metrics if metric.name == "loss")
    tracker.update_state(loss, sample_weight=tf.shape(y_pred)[0])
    result: dict[str, Any] = model.compute_metrics(x, y, y_pred, sample_weight=sample_weight)
    return result
