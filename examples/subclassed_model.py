"""A block inside a subclassed model.

Shows: blocks as attributes of a `keras.Model`, used twice in one call with the same weights, and
what such a model needs to be saved. The model sees two digits and says whether they are the same.
Takes: about 20 seconds on two CPU cores.
"""

import tempfile
from pathlib import Path

import keras
import numpy as np
from sklearn.datasets import load_digits

import cnnblocks


@keras.saving.register_keras_serializable(package="examples")
class SameDigit(keras.Model):
    """The probability that two images show the same digit."""

    def __init__(self, filters: int = 24, **kwargs) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.features = cnnblocks.VGGBlock(2, filters, use_batch_norm=True)
        self.more_features = cnnblocks.ResnetBlock(2 * filters)
        self.flatten = keras.layers.Flatten()
        self.describe = keras.layers.Dense(32)
        self.decide = keras.layers.Dense(1, activation="sigmoid")

    def call(self, pairs, training=None):
        first = self.description(pairs[:, 0], training)
        second = self.description(pairs[:, 1], training)
        return self.decide(keras.ops.abs(first - second))

    def description(self, images, training):
        x = self.features(images, training=training)
        x = self.more_features(x, training=training)
        return self.describe(self.flatten(x))

    def get_config(self):
        return {**super().get_config(), "filters": self.filters}


def pairs_of(images, labels, count, rng):
    """`count` pairs, half of them of the same digit."""
    firsts = rng.integers(len(images), size=count)
    seconds = rng.integers(len(images), size=count)
    for place in range(0, count, 2):
        seconds[place] = rng.choice(np.flatnonzero(labels == labels[firsts[place]]))
    return np.stack([images[firsts], images[seconds]], axis=1), labels[firsts] == labels[seconds]


def main() -> None:
    keras.utils.set_random_seed(1)
    rng = np.random.default_rng(1)
    digits = load_digits()
    images = digits.images[..., None].astype("float32") / 16
    train_x, train_y = pairs_of(images[:1400], digits.target[:1400], 6000, rng)
    test_x, test_y = pairs_of(images[1400:], digits.target[1400:], 1000, rng)

    model = SameDigit()
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    model.fit(train_x, train_y, batch_size=64, epochs=3, verbose=2)

    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "same_digit.keras")
        loaded = keras.models.load_model(Path(folder) / "same_digit.keras")
    _, accuracy = loaded.evaluate(test_x, test_y, verbose=0)
    print(f"Test accuracy of the reloaded model: {accuracy:.3f}")


if __name__ == "__main__":
    main()
