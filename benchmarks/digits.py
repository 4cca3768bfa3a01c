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

TRAININGS = {
    "lenet": ((28, 28, 1), 15),
    "lenet5": ((28, 28, 1), 15),
    "baseline": ((16, 16, 1), 15),
    "inception10": ((8, 8, 1), 15),
    "resnet9": ((8, 8, 1), 10),
    "resnet18": ((8, 8, 1), 10),
    "vgg11_small": ((32, 32, 1), 12),
    "vgg16": ((8, 8, 1), 15),
    "alexnet8": ((24, 24, 1), 8),
    "googlenet": ((32, 32, 1), 10),
    "nin": ((67, 67, 1), 15),
    "vgg13": ((8, 8, 1), 15),
    "vgg19": ((8, 8, 1), 15),
    "resnet34": ((8, 8, 1), 10),
    "resnet50": ((8, 8, 1), 10),
    "alexnet": ((67, 67, 1), 10),
    "vgg11": ((32, 32, 1), 8),
}
"""The input of each network, as small as it allows or little larger, and the epochs it needs."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=list(TRAININGS), choices=TRAININGS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--no-report", action="store_true", help="print only")
    arguments = parser.parse_args()
    import_keras()
    results: dict[str, list[tuple[int, float, float]]] = {name: [] for name in arguments.networks}
    for seed in arguments.seeds:
        for network in arguments.networks:
            results[network].append(_train(network, seed))
            print(seed, *_row(network, results[network]), sep="  ", flush=True)
        if not arguments.no_report:
            _report(results, arguments.seeds)


def _report(results: dict[str, list[tuple[int, float, float]]], seeds: list[int]) -> None:
    headers = ("network", "input", "parameters", "epochs", "seconds", "test accuracy", "lowest")
    done = len(next(iter(results.values())))
    body = (
        "Recipe `default`, 1,294 training images at most, 144 for validation, 359 for the test, "
        "which is read once, after training. Seconds are the median of a training from start to "
        f"end, files included. Seeds {', '.join(map(str, seeds[:done]))}.\n\n"
    )
    rows = [_row(network, found) for network, found in results.items()]
    report.write("digits", "Every network on the digits", body + report.table(headers, rows))


def _train(network: str, seed: int) -> tuple[int, float, float]:
    """Parameters, seconds and test accuracy of one training."""
    import keras

    import cnnblocks

    keras.utils.clear_session()
    shape, epochs = TRAININGS[network]
    with tempfile.TemporaryDirectory() as runs:
        began = time.perf_counter()
        run = cnnblocks.train(
            network,
            "digits",
            input_shape=shape,
            epochs=epochs,
            seed=seed,
            tune="off",
            runs_dir=runs,
        )
        seconds = time.perf_counter() - began
        tests = [event for event in run.events if event["event"] == "evaluation"]
        return run.model().count_params(), seconds, tests[-1]["metrics"]["accuracy"]


def _row(network: str, results: list[tuple[int, float, float]]) -> list[str]:
    shape, epochs = TRAININGS[network]
    accuracies = [accuracy for _, _, accuracy in results]
    return [
        network,
        "x".join(map(str, shape)),
        f"{results[0][0]:,}",
        str(epochs),
        f"{statistics.median(seconds for _, seconds, _ in results):.0f}",
        ", ".join(f"{accuracy:.4f}" for accuracy in accuracies),
        f"{min(accuracies):.4f}",
    ]


if __name__ == "__main__":
    main()
