"""The stages of a network as a backbone.

Shows: `cnnblocks.stage_features` gives a model with every stage's output, here of a narrow
VGG-11. A small head of plain Keras layers joins them, coarse to fine, and points out where in a
picture a digit lies: a map of 16x16 places for pictures of 32x32 pixels.
Takes: about 20 seconds on two CPU cores.
"""

import keras
import numpy as np
from sklearn.datasets import load_digits

import cnnblocks

SIZE = 32
GRID = 16


def pictures(digits: np.ndarray, rng: np.random.Generator):
    """Each digit somewhere in a noisy picture, and the place of its middle on the grid."""
    corners = rng.integers(SIZE - 8, size=(len(digits), 2))
    images = rng.uniform(0, 0.4, size=(len(digits), SIZE, SIZE, 1)).astype("float32")
    for image, digit, (top, left) in zip(images, digits, corners):
        image[top : top + 8, left : left + 8, 0] += digit / 16
    row, column = ((corners + 4) * GRID // SIZE).T
    return images, row * GRID + column


def locator() -> keras.Model:
    """The probability of every place on the grid."""
    network = cnnblocks.create("vgg11", (SIZE, SIZE, 1), include_top=False, width=0.25)
    backbone = cnnblocks.stage_features(network)
    for stage, output in backbone.output.items():
        print(f"{stage}: {output.shape[1:]}")
    inputs = keras.Input((SIZE, SIZE, 1))
    stages = backbone(inputs)
    x = keras.layers.Conv2D(16, 1)(stages["stage5"])
    for stage in ("stage4", "stage3", "stage2", "stage1"):
        x = keras.layers.UpSampling2D()(x)
        x = keras.layers.Add()([x, keras.layers.Conv2D(16, 1)(stages[stage])])
    x = keras.layers.Conv2D(1, 3, padding="same")(x)
    return keras.Model(inputs, keras.layers.Softmax()(keras.layers.Flatten()(x)))


def main() -> None:
    keras.utils.set_random_seed(1)
    rng = np.random.default_rng(1)
    digits = load_digits().images
    train_x, train_y = pictures(digits[:1400], rng)
    test_x, test_y = pictures(digits[1400:], rng)

    model = locator()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(train_x, train_y, batch_size=32, epochs=4, verbose=2)

    found = model.predict(test_x, verbose=0).argmax(axis=1)
    distance = np.hypot(found // GRID - test_y // GRID, found % GRID - test_y % GRID)
    print(f"Digits found to within one place of the grid: {np.mean(distance < 2):.3f}")


if __name__ == "__main__":
    main()
