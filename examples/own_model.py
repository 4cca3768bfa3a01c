"""A model of your own from the blocks, in plain Keras code.

Shows: the blocks are Keras layers like any others. They mix with Keras' own in a Functional model,
are trained with `fit`, and the saved model loads wherever `cnnblocks` is imported.
Takes: about 15 seconds on two CPU cores.
"""

import tempfile
from pathlib import Path

import keras
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import cnnblocks


def own_model() -> keras.Model:
    """A little of ResNet, a little of GoogLeNet."""
    # Eight epochs of so few images are under 200 steps: the moving statistics must follow quickly.
    norm = {"batch_norm_momentum": 0.9}
    inputs = keras.Input((8, 8, 1))
    x = cnnblocks.ConvBNRelu(16, **norm)(inputs)
    x = cnnblocks.ResnetBlock(32, strides=2, **norm)(x)
    x = cnnblocks.InceptionBlock((16, (16, 24), (8, 12), 12), use_batch_norm=True, **norm)(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    outputs = keras.layers.Dense(10, activation="softmax")(x)
    return keras.Model(inputs, outputs, name="own_model")


def main() -> None:
    keras.utils.set_random_seed(1)
    digits = load_digits()
    images = digits.images[..., None].astype("float32") / 16
    train_x, test_x, train_y, test_y = train_test_split(
        images, digits.target, test_size=0.2, stratify=digits.target, random_state=1
    )

    model = own_model()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(train_x, train_y, batch_size=64, epochs=8, verbose=2)
    print(cnnblocks.summarize(model).to_text(depth=0))

    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "own_model.keras")
        loaded = keras.models.load_model(Path(folder) / "own_model.keras")
    assert np.array_equal(loaded.predict(test_x, verbose=0), model.predict(test_x, verbose=0))
    _, accuracy = loaded.evaluate(test_x, test_y, verbose=0)
    print(f"Test accuracy of the reloaded model: {accuracy:.3f}")


if __name__ == "__main__":
    main()
