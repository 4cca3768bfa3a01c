"""Keras' data sets, read through Keras, and what is said when they cannot be had."""

import os
import subprocess
import sys

import numpy as np
import pytest

from cnnblocks.data.keras_datasets import DOWNLOADS

SCRIPT = """
import sys
from cnnblocks import data
from cnnblocks.backend import select_backend
select_backend()
for name in sys.argv[1:]:
    try:
        dataset = data.load(name, validation="none")
        print(name, len(dataset.train), len(dataset.test), *dataset.class_names[-2:], sep="|")
    except data.DataError as error:
        print(name, error, sep="|")
"""


def test_from_keras_directory_and_offline(tmp_path, write_idx, make_arrays):
    x, y = make_arrays(50, (28, 28), classes=10)
    folder = tmp_path / "datasets" / "fashion-mnist"
    write_idx(folder / "train-images-idx3-ubyte.gz", x[:40])
    write_idx(folder / "train-labels-idx1-ubyte.gz", np.arange(40) % 10)
    write_idx(folder / "t10k-images-idx3-ubyte.gz", x[40:])
    write_idx(folder / "t10k-labels-idx1-ubyte.gz", y[40:])
    (tmp_path / "cifar100").mkdir()
    nowhere = "http://127.0.0.1:9"
    environment = {
        **os.environ, "KERAS_HOME": str(tmp_path), "http_proxy": nowhere, "https_proxy": nowhere,
        "no_proxy": "",
    }  # fmt: skip
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT, "fashion_mnist", "mnist", "cifar100"],
        capture_output=True, text=True, env=environment, check=True, cwd=tmp_path,
    )  # fmt: skip
    fashion, mnist, cifar100 = result.stdout.splitlines()
    assert fashion == "fashion_mnist|40|10|Bag|Ankle boot"
    assert "mnist is not on this machine and cannot be downloaded" in mnist
    assert "tf-keras-datasets/mnist.npz and save it as" in mnist
    assert str(tmp_path / "datasets" / "mnist.npz") in mnist
    assert str(tmp_path / "datasets" / "cifar-100-python-target_archive") in cifar100
    assert "For the cifar100 in this folder, write ./cifar100." in cifar100
    assert "in this folder" not in mnist


@pytest.mark.parametrize(("name", "classes"), [("cifar10", 10), ("cifar100", 100), ("mnist", 10)])
def test_class_names(name, classes):
    names = DOWNLOADS[name].class_names
    assert len(set(names)) == classes
    if name.startswith("cifar"):
        assert list(names) == sorted(names)  # the publishers number them alphabetically
