"""Train every network on the built-in digits with recipe `default` and tabulate the test accuracy.

About half an hour on two cores: `python benchmarks/digits.py`. One network, one seed:
`python benchmarks/digits.py --networks lenet5 --seeds 0`.
"""

import argparse
import statistics
import tempfile
import time

import report

from cnnblocks.backend import import_keras

INPUTS = {
    "alexnet": (67, 67, 1),
    "alexnet8": (24, 24, 1),
    "baseline": (8, 8, 1),
    "googlenet": (32, 32, 1),
    "inception10": (8, 8, 1),
    "lenet": (28, 28, 1),
    "lenet5": (32, 32, 1),
    "nin": (67, 67, 1),
    "resnet9": (8, 8, 1),
    "resnet18": (8, 8, 1),
    "resnet34": (8, 8, 1),
    "resnet50": (8, 8, 1),
    "vgg11": (32, 32, 1),
    "vgg11_small": (32, 32, 1),
    "vgg13": (16, 16, 1),
    "vgg16": (16, 16, 1),
    "vgg19": (16, 16, 1),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=list(INPUTS), choices=INPUTS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--no-report", action="store_true", help="print only")
    arguments = parser.parse_args()
    import_keras()
    rows = []
    for network in arguments.networks:
        results = [_train(network, seed, arguments.epochs) for seed in arguments.seeds]
        rows.append(_row(network, arguments.epochs, results))
        print("  ".join(rows[-1]), flush=True)
    headers = ("network", "input", "parameters", "epochs", "seconds", "test accuracy", "lowest")
    body = (
        "Recipe `default`, 15 epochs at most, 1,294 training images, 143 for validation, "
        "360 for the test, which is read once. Seconds are the median of a run's training; "
        f"seeds {', '.join(map(str, arguments.seeds))}.\n\n" + report.table(headers, rows)
    )
    if not arguments.no_report:
        report.write("digits", "Every network on the digits", body)


def _train(network: str, seed: int, epochs: int) -> tuple[int, float, float]:
    """Parameters, seconds and test accuracy of one training."""
    import keras

    import cnnblocks

    keras.utils.clear_session()
    with tempfile.TemporaryDirectory() as runs:
        began = time.perf_counter()
        run = cnnblocks.train(
            network,
            "digits",
            input_shape=INPUTS[network],
            epochs=epochs,
            seed=seed,
            runs_dir=runs,
        )
        seconds = time.perf_counter() - began
        accuracy = run.events[-2]["metrics"]["accuracy"]
        return run.model().count_params(), seconds, accuracy


def _row(network: str, epochs: int, results: list[tuple[int, float, float]]) -> list[str]:
    accuracies = [accuracy for _, _, accuracy in results]
    return [
        network,
        "x".join(map(str, INPUTS[network])),
        f"{results[0][0]:,}",
        str(epochs),
        f"{statistics.median(seconds for _, seconds, _ in results):.0f}",
        ", ".join(f"{accuracy:.4f}" for accuracy in accuracies),
        f"{min(accuracies):.4f}",
    ]


if __name__ == "__main__":
    main()
