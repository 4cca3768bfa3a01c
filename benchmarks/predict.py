"""Inference: a network with its normalisation folded against plain Keras' `predict`.

The peer is the same network written plainly (`plain_networks.py`) and asked by `predict` with its
defaults. Ours is `cnnblocks.fold_batch_norm(network)` asked by `predict` with the batch size below.
Both take turns in one process; the fastest turn of each counts, since what else a machine does only
adds.

    python benchmarks/predict.py                       # every small network on TensorFlow
    python benchmarks/predict.py --backend jax --networks lenet5
"""

import argparse
import os
import statistics
import time
from functools import partial

import report
from plain_networks import INPUT_SHAPE, PLAIN

IMAGES = {"vgg16": 1_000, "resnet18": 1_000, "alexnet8": 2_000}
BATCH = 64
ROUNDS = 5


def seconds(ask):
    start = time.perf_counter()
    ask()
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=list(PLAIN), choices=list(PLAIN))
    parser.add_argument("--backend", default="tensorflow", choices=("tensorflow", "jax", "torch"))
    options = parser.parse_args()
    os.environ["KERAS_BACKEND"] = options.backend
    from cnnblocks.backend import import_keras

    import_keras()
    import keras
    import numpy as np

    import cnnblocks

    file_name = "predict" if options.backend == "tensorflow" else f"predict-{options.backend}"
    rows = []
    for name in options.networks:
        count = IMAGES.get(name, 10_000)
        images = np.random.default_rng(0).random((count, *INPUT_SHAPE), "float32")
        plain = PLAIN[name](keras)
        ours = cnnblocks.fold_batch_norm(cnnblocks.create(name, input_shape=INPUT_SHAPE))
        contestants = (
            partial(plain.predict, images, verbose=0),
            partial(ours.predict, images, batch_size=BATCH, verbose=0),
        )
        for ask in contestants:
            ask()
        times = [[seconds(ask) for ask in contestants] for _ in range(ROUNDS)]
        plainly, folded = map(min, zip(*times, strict=True))
        rows.append([name, count, count / plainly, count / folded, plainly / folded])
        # After each row, so that a run that is stopped keeps what it measured.
        path = report.write(file_name, "Inference", body(options.backend, rows), show=False)
    print(path.read_text())


def body(backend, rows):
    """The result in Markdown."""
    headers = ["network", "images", "plain predict: images/s", "cnnblocks: images/s", "ratio"]
    text = f"Images of 32x32x3, backend {backend}.\n\n" + report.table(headers, rows)
    return f"{text}\n\nGeometric mean: {statistics.geometric_mean(row[4] for row in rows):.2f}."


if __name__ == "__main__":
    main()
