"""Load the models in a folder in a process that only imports the package, and compare outputs.

Run by test_saving.py: python load_saved.py FOLDER
"""

import sys
from pathlib import Path

import cnnblocks

assert "keras" not in sys.modules
import keras  # noqa: E402
import numpy as np  # noqa: E402

# What is saved must not depend on the format that happens to be the default here.
keras.config.set_image_data_format("channels_first")

for path in sorted(Path(sys.argv[1]).glob("*.keras")):
    model = keras.models.load_model(path)
    with np.load(path.with_suffix(".npz")) as saved:
        output = keras.ops.convert_to_numpy(model(saved["images"]))
        np.testing.assert_allclose(output, saved["output"], rtol=1e-5, atol=1e-6)
    stages = list(cnnblocks.networks.stages(model))
    print(path.stem, *stages)
