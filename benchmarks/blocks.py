"""What the blocks cost: networks of blocks against the same layers unrolled, same settings.

Both are built and trained in one process, taking turns, so that whatever else the machine does
meets both. A ratio is unrolled over blocks: 1 means that blocks cost nothing, below 1 that they do.

    python benchmarks/blocks.py                # TensorFlow; two minutes
    python benchmarks/blocks.py --backend torch
"""

import argparse
import os
import statistics
import time
from functools import partial

import report
from plain_networks import INPUT_SHAPE, PLAIN

NETWORKS = [name for name in PLAIN if name != "lenet5"]  # LeNet-5 has no blocks
ARGUMENTS = {"inception10": {"freeze_statistics": False}}  # as the peer has it
BATCH = 32
ROUNDS = 7
SECONDS_A_ROUND = 1.0


def build_seconds(make):
    """Fewest seconds to build a network, after a first one that is not counted."""
    import keras

    times = []
    for _ in range(6):
        keras.utils.clear_session()
        start = time.perf_counter()
        make()
        times.append(time.perf_counter() - start)
    return min(times[1:])


class Contestant:
    """A compiled network and how long its steps take.

    The fastest tenth of them counts: what else a machine does only adds.
    """

    def __init__(self, model, jit_compile, batch):
        self.model, self.batch, self.times = model, batch, []
        model.compile(
            "adam", "sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=jit_compile
        )
        for _ in range(3):
            model.train_on_batch(*batch)

    def step(self):
        start = time.perf_counter()
        self.model.train_on_batch(*self.batch)
        self.times.append(time.perf_counter() - start)

    @property
    def seconds(self):
        return sorted(self.times)[len(self.times) // 10]


def compare_steps(unrolled, blocks):
    """Let two networks step in turns and return the seconds of a step of each."""
    unrolled.step()
    steps = max(1, round(SECONDS_A_ROUND / unrolled.times[0]))
    for _ in range(ROUNDS):
        for contestant in (unrolled, blocks):
            for _ in range(steps):
                contestant.step()
    return unrolled.seconds, blocks.seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=NETWORKS, choices=NETWORKS)
    parser.add_argument("--backend", default="tensorflow", choices=("tensorflow", "jax", "torch"))
    options = parser.parse_args()
    os.environ["KERAS_BACKEND"] = options.backend
    from cnnblocks.backend import import_keras

    import_keras()
    import keras
    import numpy as np

    import cnnblocks

    generator = np.random.default_rng(0)
    images = generator.random((BATCH, *INPUT_SHAPE), "float32")
    batch = images, generator.integers(0, 10, BATCH)
    compiled = {"tensorflow": (False, True), "jax": (True,), "torch": (False,)}[options.backend]
    file_name = "blocks" if options.backend == "tensorflow" else f"blocks-{options.backend}"
    rows = []
    for name in options.networks:
        arguments = ARGUMENTS.get(name, {})
        makers = (
            partial(PLAIN[name], keras),
            partial(cnnblocks.create, name, input_shape=INPUT_SHAPE, **arguments),
        )
        unrolled_build, blocks_build = map(build_seconds, makers)
        for jit_compile in compiled:
            contestants = [Contestant(make(), jit_compile, batch) for make in makers]
            assert len({contestant.model.count_params() for contestant in contestants}) == 1
            unrolled, blocks = compare_steps(*contestants)
            row = [name, "yes" if jit_compile else "no", 1000 * unrolled, 1000 * blocks]
            rows.append([*row, unrolled / blocks, blocks_build, blocks_build / unrolled_build])
            # After each row, so that a run that is stopped keeps what it measured.
            text = body(options.backend, rows)
            path = report.write(file_name, "What the blocks cost", text, show=False)
    print(path.read_text())


def body(backend, rows):
    """The result in Markdown."""
    headers = ["network", "compiled", "unrolled: ms a step", "blocks: ms a step"]
    headers += ["unrolled / blocks", "blocks: s to build", "blocks / unrolled: build"]
    text = f"Batch of {BATCH} images of 32x32x3, backend {backend}.\n\n"
    text += report.table(headers, rows)
    mean = statistics.geometric_mean(row[4] for row in rows)
    return f"{text}\n\nGeometric mean of the steps: {mean:.3f}."


if __name__ == "__main__":
    main()
