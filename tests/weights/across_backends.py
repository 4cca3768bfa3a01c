"""Save models on one backend, then load those that the other backends saved, and compare outputs.

Run by test_across_backends.py: KERAS_BACKEND=... python across_backends.py FOLDER. It saves to
FOLDER/BACKEND, says so, waits for a line that names the folders to load, and loads them.
"""

import sys
from pathlib import Path

import keras
import numpy as np

from cnnblocks import blocks, networks

BLOCKS = {
    "conv_bn_relu": blocks.ConvBNRelu(4, kernel_size=(5, 3), use_bias=True),
    "vgg_block": blocks.VGGBlock(2, 4, use_batch_norm=True),
    "nin_block": blocks.NiNBlock(4, 3),
    "inception_block": blocks.InceptionBlock((2, (3, 4), (2, 3), 4), use_batch_norm=True),
    "resnet_block": blocks.ResnetBlock(8, strides=2),
    "resnet_block_bottleneck": blocks.ResnetBlock(2, bottleneck=True),
}
NETWORKS = {
    "inception10": {},
    "lenet5": {"units": (12, 8)},
    "resnet9": {},
}


def main(folder: Path) -> None:
    # Every weight is given a value below: drawing first ones would take JAX most of the time.
    keras.initializers.VarianceScaling.__call__ = lambda self, shape, dtype=None, **_: (
        keras.ops.zeros(shape, dtype)
    )
    models = {"blocks": of_all_blocks(), **{name: small(name) for name in NETWORKS}}
    ours = folder / keras.config.backend()
    ours.mkdir()
    for name, model in models.items():
        fill(model)
        model.save(ours / f"{name}.keras")
        model.save_weights(ours / f"{name}.weights.h5")
        np.save(ours / f"{name}.npy", compute(model))
    print("saved", flush=True)
    for theirs in map(Path, sys.stdin.readline().split()):
        for name, model in models.items():
            expected = np.load(theirs / f"{name}.npy")
            for weight in model.weights:
                weight.assign(np.zeros(weight.shape))
            model.load_weights(theirs / f"{name}.weights.h5")
            assert_equal(compute(model), expected, theirs, name)
            loaded = keras.models.load_model(theirs / f"{name}.keras")
            assert_equal(compute(loaded), expected, theirs, name)
            print("loaded", theirs.name, name, flush=True)


def of_all_blocks() -> keras.Model:
    image = keras.Input((12, 12, 3))
    return keras.Model(image, {name: block(image) for name, block in BLOCKS.items()})


def small(name: str) -> keras.Model:
    size = max(16, networks.get(name).min_size(**NETWORKS[name]))
    return networks.create(name, input_shape=(size, size, 2), width=0.08, **NETWORKS[name])


def fill(model: keras.Model) -> None:
    """Give every weight values that no other has, and that no activation loses itself in."""
    generator = np.random.default_rng(0)
    for weight in model.weights:
        values = generator.uniform(-1, 1, weight.shape)
        role = weight.path.rpartition("/")[2]
        if role in ("gamma", "moving_variance"):
            values = 1 + 0.3 * values
        elif role == "kernel":
            values = values * (6 / np.prod(weight.shape[:-1])) ** 0.5
        else:
            values = 0.1 * values
        weight.assign(values)


def compute(model: keras.Model) -> np.ndarray:
    """What comes out, end to end in one array."""
    images = np.random.default_rng(1).normal(size=(2, *model.input_shape[1:])).astype("float32")
    outputs = keras.tree.flatten(model(images, training=False))
    return np.concatenate([keras.ops.convert_to_numpy(output).ravel() for output in outputs])


def assert_equal(output: np.ndarray, expected: np.ndarray, theirs: Path, name: str) -> None:
    assert np.ptp(expected) > 1e-3, f"{name} says the same of every image"
    np.testing.assert_allclose(output, expected, rtol=1e-5, atol=1e-5, err_msg=f"{theirs} {name}")


main(Path(sys.argv[1]))
