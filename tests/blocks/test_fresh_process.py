import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).with_name("load_saved.py")


@pytest.mark.slow
def test_saved_models_load_where_only_the_package_is_imported(cases, randomize, to_numpy, tmp_path):
    for name, case in cases.items():
        model = randomize(case.model())
        path = tmp_path / f"{name}.keras"
        images = case.images()
        model.save(path)
        model.save(path.with_suffix(".h5"))
        model.save_weights(path.with_suffix(".weights.h5"))
        path.with_suffix(".json").write_text(model.to_json())
        np.savez(path.with_suffix(".npz"), images=images, output=to_numpy(model(images)))
    for first in ("cnnblocks", "keras"):
        finished = subprocess.run(
            [sys.executable, SCRIPT, first, tmp_path], capture_output=True, text=True
        )
        assert finished.returncode == 0, finished.stderr
        assert finished.stdout.split() == sorted(cases)
