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

import report
from plain_networks import INPUT_SHAPE, PLAIN

NETWORKS = [name for name in PLAIN if name != "lenet5"]  # LeNet-5 has no blocks
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
    rows = []
    for name in options.networks:
        makers = (
            lambda name=name: PLAIN[name](keras),
            lambda name=name: cnnblocks.create(name, input_shape=INPUT_SHAPE),
        )
        unrolled_build, blocks_build = map(build_seconds, makers)
        for jit_compile in compiled:
            contestants = [Contestant(make(), jit_compile, batch) for make in makers]
            assert len({contestant.model.count_params() for contestant in contestants}) == 1
            unrolled, blocks = compare_steps(*contestants)
            row = [name, "yes" if jit_compile else "no", 1000 * unrolled, 1000 * blocks]
            rows.append([*row, unrolled / blocks, blocks_build, blocks_build / unrolled_build])
            print(*rows[-1], flush=True)
    headers = ["network", "compiled", "unrolled: ms a step", "blocks: ms a step"]
    headers += ["unrolled / blocks", "blocks: s to build", "blocks / unrolled: build"]
    body = f"Batch of {BATCH} images of 32x32x3, backend {options.backend}.\n\n"
    body += report.table(headers, rows)
    body += f"\n\nGeometric mean of the steps: {statistics.geometric_mean(r[4] for r in rows):.3f}."
    name = "blocks" if options.backend == "tensorflow" else f"blocks-{options.backend}"
    report.write(name, "What the blocks cost", body)


if __name__ == "__main__":
    main()
