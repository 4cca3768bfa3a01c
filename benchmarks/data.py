"""Images a second from files and from memory to batches a network takes, beside plain Keras.

The peer for folders is `keras.utils.image_dataset_from_directory`, for arrays a `tf.data` pipeline,
both with Keras' own preprocessing layers. Ours and the peer's epochs alternate.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
import report
import tensorflow as tf
from PIL import Image
from sklearn.datasets import load_sample_images

from cnnblocks import data
from cnnblocks.data import Augmentation, Batches, Preprocessing

BATCH = 128
CIFAR = (32, 32, 3)
PHOTO = (224, 224, 3)


def make_folder(root, count, height, width):
    """Write crops of scikit-learn's two photographs, one class each."""
    generator = np.random.default_rng(0)
    for name, photo in zip(("china", "flower"), load_sample_images().images):
        (root / name).mkdir(parents=True)
        for i in range(count // 2):
            y = generator.integers(0, photo.shape[0] - height + 1)
            x = generator.integers(0, photo.shape[1] - width + 1)
            crop = Image.fromarray(photo[y : y + height, x : x + width])
            crop.save(root / name / f"{i:05}.jpg", quality=90)
    return root


def seconds(batches):
    start = time.perf_counter()
    for images, _ in batches:
        np.asarray(images)
    return time.perf_counter() - start


def rates(count, ours, peer, epochs):
    """Images a second of both over some epochs, taken in turns."""
    spent = np.zeros(2)
    for epoch in range(1, epochs + 1):
        spent += seconds(ours(epoch)), seconds(peer())
    return count * epochs / spent


def folder_row(name, root, shape, epochs, memory):
    """The whole of `epochs` epochs, opening, decoding once and resizing included."""
    count = sum(1 for _ in root.rglob("*.jpg"))

    def ours():
        dataset = data.load(root, validation="none", memory=memory)
        parts = [  # all images, as the peer reads all
            Batches(split, BATCH, preprocessing=Preprocessing(shape), shuffle=True)
            for split in (dataset.train, dataset.test)
        ]
        for epoch in range(1, epochs + 1):
            for part in parts:
                yield from part.at_epoch(epoch)

    def peer():
        files = keras.utils.image_dataset_from_directory(
            root, image_size=shape[:2], batch_size=BATCH, seed=0, verbose=False
        )
        scale = keras.layers.Rescaling(1 / 255)
        scaled = files.map(lambda images, labels: (scale(images), labels))
        if memory is None:
            scaled = scaled.cache()
        for _ in range(epochs):
            yield from scaled.prefetch(tf.data.AUTOTUNE)

    seconds(peer())
    mine, theirs = seconds(ours()), seconds(peer())
    return [name, count * epochs / mine, count * epochs / theirs, theirs / mine]


def array_row(name, split, augmentation, layers, epochs):
    batches = Batches(
        split, BATCH, preprocessing=Preprocessing(CIFAR), augmentation=augmentation, shuffle=True
    )
    scale = keras.Sequential([*layers, keras.layers.Rescaling(1 / 255)])
    peer = (
        tf.data.Dataset.from_tensor_slices((split.array, split.labels))
        .shuffle(len(split))
        .batch(BATCH)
        .map(lambda x, y: (scale(x, training=True), y), num_parallel_calls=tf.data.AUTOTUNE)
        .prefetch(tf.data.AUTOTUNE)
    )
    seconds(peer)
    mine, theirs = rates(len(split), batches.at_epoch, lambda: peer, epochs)
    return [name, mine, theirs, mine / theirs]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="Fewer images.")
    parser.add_argument("--folder", type=Path, help="Your own folder of images, as well.")
    options = parser.parse_args()
    scale = 1 if options.short else 5
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["CNNBLOCKS_CACHE_DIR"] = str(Path(scratch) / "cache")
        small = make_folder(Path(scratch) / "small", 2000 * scale, 32, 32)
        large = make_folder(Path(scratch) / "large", 100 * scale, 375, 500)
        rows = [
            folder_row("32 px JPEG files, five epochs, first run", small, CIFAR, 5, None),
            folder_row("32 px JPEG files, five epochs, later runs", small, CIFAR, 5, None),
            folder_row("32 px JPEG files, streamed", small, CIFAR, 1, 0),
            folder_row("500 x 375 JPEG files to 224 px, streamed", large, PHOTO, 1, 0),
        ]
        if options.folder:
            name = f"{options.folder.name}, five epochs"
            rows.append(folder_row(name, options.folder, CIFAR, 5, None))
    pixels = np.random.default_rng(0).integers(0, 256, (10_000 * scale, *CIFAR), dtype=np.uint8)
    labels = np.arange(len(pixels)) % 10
    split = data.Split(data.images.ArrayImages(pixels), labels, [str(i) for i in range(10)])
    crop = [keras.layers.RandomTranslation(4 / 32, 4 / 32, fill_mode="constant")]
    flip = [keras.layers.RandomFlip("horizontal")]
    rows += [
        array_row("array, as it is", split, None, [], 3),
        array_row("array, flip", split, Augmentation(flip=True), flip, 3),
        array_row("array, shift and flip", split, Augmentation(4, True), crop + flip, 3),
    ]
    body = report.table(["source, batches of 128", "cnnblocks img/s", "Keras img/s", "ratio"], rows)
    report.write("data", "Input pipeline against plain Keras", body)


if __name__ == "__main__":
    main()
