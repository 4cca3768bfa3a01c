"""Write what this version of the networks saves, for every later version to be tested against.

    python tests/golden/networks/make_goldens.py v1

A version's files are written once. The script refuses to touch a folder that exists: a network that
has changed in what it saves gets a folder of its own, and the older ones must go on loading.

Each network has NAME.json: `layers` are the variables of the network as it comes, with their
shapes; the rest is of a small form, built with `arguments`: its configuration, the paths and shapes
in its .weights.h5, and its output for weights and images that are sine waves (see
tests/networks/conftest.py). A few small models are saved whole as well.
"""

import json
import sys
import tempfile
from pathlib import Path

import h5py
import numpy as np

from cnnblocks import networks

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "networks"))

from conftest import fill, images, small_arguments  # noqa: E402

WHOLE = ("inception10", "lenet5")


def main(version: str) -> None:
    folder = HERE / version
    if folder.exists():
        raise SystemExit(f"{folder} exists, and what it holds must never change.")
    folder.mkdir()
    for name in networks.list_networks():
        record = recorded(name)
        (folder / f"{name}.json").write_text(json.dumps(record, separators=(",", ":")) + "\n")
    for name in WHOLE:
        fill(networks.create(name, **small_arguments(name))).save(folder / f"{name}.keras")


def recorded(name: str) -> dict:
    arguments = small_arguments(name)
    model = fill(networks.create(name, **arguments))
    outline = networks.outline(name)
    return {
        "arguments": arguments,
        "layers": [[weight.path, list(weight.shape)] for weight in outline.weights],
        "config": json.loads(model.to_json())["config"],
        "weights": weights_of(model),
        "output": np.asarray(model(images(model), training=False)).tolist(),
    }


def weights_of(model) -> dict[str, list[int]]:
    found = {}

    def visit(path, item):
        if isinstance(item, h5py.Dataset):
            found[path] = list(item.shape)

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "saved.weights.h5"
        model.save_weights(path)
        with h5py.File(path) as file:
            file.visititems(visit)
    return found


if __name__ == "__main__":
    main(*sys.argv[1:])
