"""Writes weight files with the real engines: `python real_files.py DIRECTORY`.

Beside them lies `expected.json`: what the model says of each weight, and `expected.npz`: its
values.
"""

import json
import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np
import tf_keras

import cnnblocks

IMAGES = np.random.default_rng(0).random((4, 8, 8, 3), dtype=np.float32)
LABELS = np.array([0, 1, 2, 0])


def small(engine, **dtype):
    """A model with a layer of every kind that has weights, one of them frozen, one nested."""
    make = engine.layers
    start = make.InputLayer((8, 8, 3))
    inner = [make.SeparableConv2D(5, 3), make.DepthwiseConv2D(3, padding="same")]
    model = engine.Sequential(
        [
            start,
            make.Conv2D(4, 3, name="stem", trainable=False),
            make.BatchNormalization(),
            engine.Sequential(inner, name="inner"),
            make.Conv2DTranspose(2, 3),
            make.Flatten(),
            make.Dropout(0.5),
            make.Dense(3),
        ],
        name="net",
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(IMAGES, LABELS, verbose=0)
    return model


class Subclassed(tf_keras.Model):
    def __init__(self):
        super().__init__()
        self.c1 = tf_keras.layers.Conv2D(4, 3)
        self.head = [tf_keras.layers.Flatten(), tf_keras.layers.Dense(3)]
        self.b1 = tf_keras.layers.BatchNormalization()

    def call(self, x):
        x = self.b1(self.c1(x))
        for layer in self.head:
            x = layer(x)
        return x


def split_names():
    """A model whose list of layers is too long for one HDF5 attribute."""
    layers = [tf_keras.layers.InputLayer((3,))]
    layers += [tf_keras.layers.Activation("linear", name=f"{'x' * 250}{n}") for n in range(280)]
    return tf_keras.Sequential([*layers, tf_keras.layers.Dense(2, name="last")])


def dump(model, path):
    """As the courses do."""
    np.set_printoptions(threshold=np.inf)
    with path.open("w") as stream:
        for variable in model.trainable_variables:
            stream.write(str(variable.name) + "\n")
            stream.write(str(variable.shape) + "\n")
            stream.write(str(variable.numpy()) + "\n")


def main(directory):
    models = {}

    def keep(name, model):
        models[name] = [
            (getattr(v, "path", v.name), np.asarray(v.numpy(), np.float32)) for v in model.weights
        ]

    model = small(keras)
    keep("keras3", model)
    model.save_weights(directory / "k3.weights.h5")
    model.save(directory / "k3.keras")
    model.save(directory / "k3_whole.h5")
    model.save_weights(directory / "k3_shards.weights.json", max_shard_size=3e-6)
    tower = cnnblocks.create("inception10", input_shape=(32, 32, 3), num_classes=3)
    keep("inception10", tower)
    tower.save_weights(directory / "inception10.weights.h5")
    (directory / "inception10.json").write_text(json.dumps([v.name for v in tower.layers]))
    for dtype in ("bfloat16", "float16"):
        keras.config.set_dtype_policy(dtype)
        half = small(keras)
        keep(dtype, half)
        half.save_weights(directory / f"{dtype}.weights.h5")
    keras.config.set_dtype_policy("float32")

    model = small(tf_keras)
    keep("tf_keras", model)
    model.save_weights(directory / "tfk.h5")
    model.save(directory / "tfk_whole.h5")
    model.save_weights(directory / "tfk.ckpt")
    model.save_weights(directory / "tfk.weights.h5")
    dump(model, directory / "tfk.txt")
    subclassed = Subclassed()
    subclassed(IMAGES)
    keep("subclassed", subclassed)
    subclassed.save_weights(directory / "subclassed.h5")
    subclassed.save_weights(directory / "subclassed.ckpt")
    split_names().save_weights(directory / "split.h5")

    arrays = {}
    names = {}
    for name, weights in models.items():
        names[name] = [path for path, _ in weights]
        arrays.update({f"{name}/{i}": values for i, (_, values) in enumerate(weights)})
    np.savez(directory / "expected.npz", **arrays)
    (directory / "expected.json").write_text(json.dumps(names))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
