"""Train every network on the built-in digits with recipe `default` and tabulate the test accuracy.

About an hour a seed on two cores: `python benchmarks/digits.py`. One network, one seed:
`python benchmarks/digits.py --networks lenet5 --seeds 0`. The runs are kept in `digits-runs/`; what
is finished there is not trained again, and counts in the table.
"""

import argparse
import statistics
from pathlib import Path

import report

from cnnblocks.backend import import_keras
from cnnblocks.runs import RunDirectory

TRAININGS = {
    "lenet": ((28, 28, 1), 15),
    "lenet5": ((28, 28, 1), 15),
    "baseline": ((16, 16, 1), 15),
    "alexnet": ((67, 67, 1), 5),
    "alexnet8": ((24, 24, 1), 5),
    "vgg11": ((32, 32, 1), 7),
    "vgg11_small": ((32, 32, 1), 10),
    "vgg13": ((8, 8, 1), 6),
    "vgg16": ((8, 8, 1), 7),
    "vgg19": ((8, 8, 1), 15),
    "nin": ((67, 67, 1), 15),
    "googlenet": ((32, 32, 1), 10),
    "inception10": ((8, 8, 1), 15),
    "resnet9": ((8, 8, 1), 4),
    "resnet18": ((8, 8, 1), 4),
    "resnet34": ((8, 8, 1), 4),
    "resnet50": ((8, 8, 1), 5),
}
"""The input of each network, as small as it allows or little larger, and the epochs it needs."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=list(TRAININGS), choices=TRAININGS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--runs-dir", type=Path, default=Path("digits-runs"))
    arguments = parser.parse_args()
    import_keras()
    for seed in arguments.seeds:
        for network in arguments.networks:
            if (network, seed) not in _finished(arguments.runs_dir):
                _train(network, seed, arguments.runs_dir)
            finished = _finished(arguments.runs_dir)
            if (network, seed) not in finished:
                raise SystemExit("Stopped. The same command goes on with what is missing.")
            print(network, seed, finished[network, seed], flush=True)
    _report(_finished(arguments.runs_dir))


def _train(network: str, seed: int, runs_dir: Path) -> None:
    import keras

    import cnnblocks

    keras.utils.clear_session()
    shape, epochs = TRAININGS[network]
    cnnblocks.train(
        network, "digits", input_shape=shape, epochs=epochs, seed=seed, runs_dir=runs_dir
    )


def _finished(runs_dir: Path) -> dict[tuple[str, int], tuple[float, float]]:
    """Seconds and test accuracy of every network and seed that was trained as `TRAININGS` says."""
    found = {}
    for path in sorted(runs_dir.glob("*/config.json")):
        run = RunDirectory(path.parent)
        config = run.config
        settings = tuple(config["input_shape"]), config["recipe"]["epochs"]
        if run.state == "finished" and settings == TRAININGS[config["network"]]:
            test = next(event for event in run.events if event["event"] == "evaluation")
            seconds = sum(event["seconds"] for event in run.events if event["event"] == "epoch_end")
            found[config["network"], config["seed"]] = (seconds, test["metrics"]["accuracy"])
    return found


def _report(found: dict[tuple[str, int], tuple[float, float]]) -> None:
    headers = ("network", "input", "parameters", "epochs", "seconds", "test accuracy", "lowest")
    seeds = sorted({seed for _, seed in found})
    body = (
        "Recipe `default`: 1,295 images to train on, 143 for validation, 359 for the test, which "
        "is read once, after training. Seconds are those of all epochs, the median over the seeds. "
        f"Seeds {', '.join(map(str, seeds))}.\n\n"
    )
    trained = [name for name in TRAININGS if any((name, seed) in found for seed in seeds)]
    rows = [_row(name, [found[name, s] for s in seeds if (name, s) in found]) for name in trained]
    report.write("digits", "Every network on the digits", body + report.table(headers, rows))


def _row(network: str, results: list[tuple[float, float]]) -> list[str]:
    from cnnblocks import networks

    shape, epochs = TRAININGS[network]
    accuracies = [accuracy for _, accuracy in results]
    return [
        network,
        "x".join(map(str, shape)),
        f"{networks.outline(network, input_shape=shape).count_params():,}",
        str(epochs),
        f"{statistics.median(seconds for seconds, _ in results):.0f}",
        ", ".join(f"{accuracy:.4f}" for accuracy in accuracies),
        f"{min(accuracies):.4f}",
    ]


if __name__ == "__main__":
    main()
