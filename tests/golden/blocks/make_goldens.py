"""Write what this version of the blocks saves, for every later version to be tested against.

    python tests/golden/blocks/make_goldens.py v1

A version's files are written once. The script refuses to touch a folder that exists: a block that
has changed in what it saves gets a folder of its own, and the older ones must go on loading.
"""

import json
import sys
from pathlib import Path

import h5py
import keras
import numpy as np

import cnnblocks

HERE = Path(__file__).parent
BLOCKS = {
    "conv_bn_relu": (cnnblocks.ConvBNRelu(4, activation="gelu"), (6, 6, 3)),
    "conv_bn_relu_valid": (
        cnnblocks.ConvBNRelu(
            4, (5, 3), strides=2, padding="valid", use_bias=True, freeze_statistics=True
        ),
        (8, 8, 3),
    ),
    "vgg_block": (cnnblocks.VGGBlock(2, 4), (6, 6, 3)),
    "vgg_block_normalized": (
        cnnblocks.VGGBlock(
            3, 4, use_batch_norm=True, use_bias=True, dropout=0.2, pool_padding="same"
        ),
        (7, 5, 3),
    ),
    "nin_block": (
        cnnblocks.NiNBlock(4, 5, strides=2, padding="valid", kernel_initializer="he_normal"),
        (8, 8, 3),
    ),
    "inception_block": (cnnblocks.InceptionBlock((2, (3, 4), (5, 6), 7)), (6, 6, 3)),
    "inception_block_normalized": (
        cnnblocks.InceptionBlock(3, strides=2, use_batch_norm=True, use_bias=True),
        (7, 7, 3),
    ),
    "resnet_block": (
        cnnblocks.ResnetBlock(4, kernel_regularizer=keras.regularizers.L2(1e-4)),
        (6, 6, 4),
    ),
    "resnet_block_projected": (cnnblocks.ResnetBlock(4, strides=2, drop_path=0.2), (6, 6, 3)),
    "resnet_block_bottleneck": (
        cnnblocks.ResnetBlock(2, bottleneck=True, batch_norm_epsilon=1e-5),
        (6, 6, 3),
    ),
}


def main(version: str) -> None:
    folder = HERE / version
    if folder.exists():
        raise SystemExit(f"{folder} exists, and what it holds must never change.")
    folder.mkdir()
    for name, (block, image_shape) in BLOCKS.items():
        write_block(folder / name, block, image_shape)
    write_model(folder / "model")


def write_block(path: Path, block: keras.layers.Layer, image_shape: tuple[int, ...]) -> None:
    """Write a block's configuration (.json) and its weights, an input and its output (.npz)."""
    model = with_random_weights(keras.Sequential([keras.Input(image_shape), block]))
    weights = saved_weights(model, path.with_suffix(".weights.h5"))
    images = np.random.default_rng(1).normal(size=(2, *image_shape)).astype("float32")
    record = {
        "class": block.__class__.__name__,
        "config": block.get_config(),
        "input_shape": image_shape,
        "weights": {name: value.shape for name, value in weights.items()},
        "variables": [variable.path.split("/", 2)[2] for variable in model.weights],
    }
    path.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n")
    output = keras.ops.convert_to_numpy(model(images))
    np.savez_compressed(path.with_suffix(".npz"), images=images, output=output, **weights)


def write_model(path: Path) -> None:
    """Write one model of all five blocks in each of Keras' formats."""
    model = keras.Sequential(
        [
            keras.Input((12, 12, 3)),
            cnnblocks.ConvBNRelu(4, use_bias=True),
            cnnblocks.VGGBlock(2, 4, use_batch_norm=True, dropout=0.1),
            cnnblocks.NiNBlock(4, 3),
            cnnblocks.InceptionBlock((2, (2, 3), (2, 3), 2), use_batch_norm=True),
            cnnblocks.ResnetBlock(4, strides=2),
            cnnblocks.ResnetBlock(2, bottleneck=True, drop_path=0.1),
        ]
    )
    with_random_weights(model)
    model.save(path.with_suffix(".keras"))
    model.save_weights(path.with_suffix(".weights.h5"))
    model.save(path.with_suffix(".h5"))
    images = np.random.default_rng(1).normal(size=(2, 12, 12, 3)).astype("float32")
    output = keras.ops.convert_to_numpy(model(images))
    np.savez_compressed(path.with_suffix(".npz"), images=images, output=output)


def with_random_weights(model: keras.Model) -> keras.Model:
    rng = np.random.default_rng(0)
    model.set_weights([rng.uniform(0.1, 0.5, size=weight.shape) for weight in model.weights])
    return model


def saved_weights(model: keras.Model, path: Path) -> dict[str, np.ndarray]:
    """Return what `model` saves, by its path in a `.weights.h5` file."""
    weights = {}

    def keep(name: str, item: h5py.HLObject) -> None:
        if isinstance(item, h5py.Dataset):
            weights[name] = item[()]

    model.save_weights(path)
    with h5py.File(path) as file:
        file.visititems(keep)
    path.unlink()
    return weights


if __name__ == "__main__":
    main(*sys.argv[1:])
