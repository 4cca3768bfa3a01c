"""Recipe `default` against the courses' own settings on CIFAR-10, five epochs each.

`python benchmarks/cifar10.py --data ./FOLDER` (`train/<class>/`, `test/<class>/`, or `cifar10` for
Keras' download); about twenty minutes on two cores.
"""

import argparse
import tempfile
import time

import report

from cnnblocks.backend import import_keras

TRAININGS = (
    ("lenet5", None, 0.463),
    ("inception10", 10_000, 0.444),
)
"""Network, how many training images, and what the courses' own code reached with all of them."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="a folder of images, or cifar10")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--networks", nargs="+", choices=[entry[0] for entry in TRAININGS])
    arguments = parser.parse_args()
    import_keras()
    rows = []
    for network, images, theirs in TRAININGS:
        if arguments.networks and network not in arguments.networks:
            continue
        for recipe in ("default", "original"):
            row = _train(network, recipe, arguments.data, images, arguments.epochs)
            rows.append([*row, f"{theirs:.3f}" if theirs else ""])
            print(*rows[-1], sep="  ", flush=True)
    headers = (
        *("network", "recipe", "training images", "epochs", "seconds"),
        *("test accuracy", "the courses' own code, all images"),
    )
    note = (
        "Seed 0. `default` holds out a tenth of the training images and keeps the best epoch by "
        "validation loss; `original` validates on the test images, as the courses did, so its "
        "figure is that of the best of five looks at them.\n\n"
    )
    report.write("cifar10", "CIFAR-10 in five epochs", note + report.table(headers, rows))


def _train(network: str, recipe: str, data: str, images: int | None, epochs: int) -> list[str]:
    import keras

    import cnnblocks

    keras.utils.clear_session()
    with tempfile.TemporaryDirectory() as runs:
        began = time.perf_counter()
        run = cnnblocks.train(
            network, data, recipe=recipe, images=images, epochs=epochs, runs_dir=runs
        )
        seconds = time.perf_counter() - began
        tests = [event for event in run.events if event["event"] == "evaluation"]
        used = run.config["data"]["splits"]["train"]
        accuracy = tests[-1]["metrics"]["accuracy"]
    return [network, recipe, f"{used:,}", str(epochs), f"{seconds:.0f}", f"{accuracy:.4f}"]


if __name__ == "__main__":
    main()
