"""Saved blocks are found whichever of Keras and cnnblocks is imported first."""

import subprocess
import sys

import pytest

CHECK = """
config = {"class_name": "cnnblocks>ConvBNRelu", "config": {"filters": 3}}
layer = keras.saving.deserialize_keras_object(
    {"module": None, "registered_name": "cnnblocks>ConvBNRelu", **config}
)
assert layer.filters == 3
"""


@pytest.mark.parametrize(
    "imports",
    [
        "import cnnblocks, keras",
        "import keras, cnnblocks",
        "import cnnblocks; from keras import saving; import keras",
        "import cnnblocks, importlib.util; importlib.util.find_spec('keras'); import keras",
    ],
)
def test_blocks_are_registered(imports):
    result = subprocess.run(
        [sys.executable, "-c", f"{imports}\n{CHECK}"], capture_output=True, text=True, timeout=300
    )
    assert result.returncode == 0, result.stderr


def test_a_keras_that_cannot_be_imported_fails_in_its_own_words(tmp_path):
    (tmp_path / "keras.py").write_text("raise ImportError('this Keras is broken')")
    code = f"import sys, cnnblocks; sys.path.insert(0, {str(tmp_path)!r})\n"
    code += (
        "for _ in range(2):\n    try: import keras\n    except ImportError as error: print(error)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=True
    )
    assert result.stdout.splitlines() == ["this Keras is broken"] * 2
