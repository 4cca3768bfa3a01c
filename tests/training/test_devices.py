"""Devices and precisions that are not there, or not known, are told of."""

import os
from contextlib import suppress

import pytest

from cnnblocks.training import DeviceError, devices, precision


@pytest.mark.parametrize("device", ["auto", "cpu", "gpu", "all", "gpu:0", "gpu:0,3"])
def test_known_devices(device):
    assert devices.check(device) == device


@pytest.mark.parametrize("device", ["", "tpu", "gpu:", "gpu:a", "gpu:0,", "cuda:0", "cpu:0"])
def test_unknown_devices(device):
    with pytest.raises(DeviceError, match="Received"):
        devices.check(device)


def test_a_gpu_that_is_not_there_is_an_error_that_says_how_to_get_one(monkeypatch):
    monkeypatch.setattr(devices, "_found", [])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    with pytest.raises(DeviceError) as error:
        devices.use("gpu", "tensorflow")
    assert "tensorflow sees no GPU" in str(error.value)
    assert "pip install 'cnnblocks[gpu]'" in str(error.value)


@pytest.mark.parametrize("device", ["auto", "cpu", "all"])
def test_without_a_gpu_the_cpu_is_used(device, monkeypatch):
    monkeypatch.setattr(devices, "_found", [])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert devices.use(device, "tensorflow") == ["cpu:0"]


@pytest.mark.parametrize(
    ("shown", "device", "then"),
    [(None, "gpu:1", "1"), ("4,7", "gpu:1", "7"), ("4,7", "auto", "4"), ("4,7", "cpu", "-1")],
)
def test_numbers_count_among_the_gpus_that_a_scheduler_shows(shown, device, then, monkeypatch):
    monkeypatch.setattr(devices, "_found", [])
    if shown is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", shown)
    for _ in range(2):
        with suppress(DeviceError):
            devices.use(device, "tensorflow")
        assert os.environ["CUDA_VISIBLE_DEVICES"] == then
    devices.restore()
    assert os.environ.get("CUDA_VISIBLE_DEVICES") == shown


def test_precision_auto_is_float32_on_a_cpu():
    assert precision.resolve("auto", ["cpu:0"]) == "float32"
    assert precision.resolve("mixed_bfloat16", ["cpu:0"]) == "mixed_bfloat16"
    with pytest.raises(precision.PrecisionError, match="float16"):
        precision.resolve("float16", ["cpu:0"])
