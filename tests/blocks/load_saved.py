"""Run by test_fresh_process.py: load models in a process that has made none."""

import sys
from pathlib import Path

import numpy as np


def main(first: str, folder: str) -> None:
    if first == "cnnblocks":
        import keras

        import cnnblocks
    else:
        import keras

        import cnnblocks  # noqa: F401
    for saved in sorted(Path(folder).glob("*.keras")):
        model = keras.models.load_model(saved)
        legacy = keras.models.load_model(saved.with_suffix(".h5"), compile=False)
        rebuilt = keras.models.model_from_json(saved.with_suffix(".json").read_text())
        rebuilt.load_weights(saved.with_suffix(".weights.h5"))
        with np.load(saved.with_suffix(".npz")) as file:
            for copy in (model, legacy, rebuilt):
                output = keras.ops.convert_to_numpy(copy(file["images"]))
                np.testing.assert_array_equal(output, file["output"])
        print(saved.stem)


main(*sys.argv[1:])
