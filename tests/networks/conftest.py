"""Models that several test modules share, and weights that are the same everywhere."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import functools

import keras
import numpy as np
import pytest

from cnnblocks import networks

SMALL_HEADS = {"lenet": (12, 8), "lenet5": (12, 8)}


def small_arguments(name):
    """Arguments of a thin form of a network on images of its smallest size, or 16 pixels."""
    spec = networks.get(name)
    size = max(spec.min_size(), 16)
    arguments = {"input_shape": (size, size, 2), "width": 0.08}
    if "units" in spec.arguments:
        arguments["units"] = SMALL_HEADS.get(name, 16)
    return arguments


def small(name, **arguments):
    return networks.create(name, **{**small_arguments(name), **arguments})


def fill(model):
    """Give every weight values that depend on its place and size alone."""
    for place, weight in enumerate(model.weights):
        count = int(np.prod(weight.shape))
        wave = np.sin(0.7 * np.arange(count) + place).reshape(weight.shape)
        role = weight.path.rpartition("/")[2]
        if role in ("gamma", "moving_variance"):
            wave = 1.0 + 0.3 * wave
        elif role == "kernel":
            wave = wave * (2.0 / np.prod(weight.shape[:-1])) ** 0.5
        else:
            wave = 0.2 + 0.1 * wave
        weight.assign(wave.astype("float32"))
    return model


def images(model, count=2):
    shape = (count, *model.input_shape[1:])
    return (0.5 + 0.5 * np.sin(np.arange(np.prod(shape)))).reshape(shape).astype("float32")


@pytest.fixture(scope="session")
def small_network():
    return small


@pytest.fixture(scope="session")
def fill_weights():
    return fill


@pytest.fixture(scope="session")
def images_for():
    return images


@pytest.fixture(scope="session")
def compute():
    """From a model and images to a NumPy array, in inference."""
    return lambda model, x: keras.ops.convert_to_numpy(model(x, training=False))


@pytest.fixture(scope="session")
def outline():
    """Networks without values, each built once."""

    @functools.cache
    def cached(name, **arguments):
        return networks.outline(name, **arguments)

    return cached
