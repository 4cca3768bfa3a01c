"""Settings that every test shares."""

import os
import subprocess
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("MPLBACKEND", "agg")

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "cnnblocks",
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("cnnblocks")


@pytest.fixture(autouse=True)
def user_directories(tmp_path_factory, monkeypatch):
    """Every test has cache, state and configuration directories of its own."""
    home = tmp_path_factory.mktemp("user")
    for kind in ("cache", "state", "config"):
        monkeypatch.setenv(f"CNNBLOCKS_{kind.upper()}_DIR", str(home / kind))
    return home


@pytest.fixture(scope="session")
def trained_run(tmp_path_factory):
    """The directory of a finished run, LeNet-5 after two epochs of the digits.

    Trained once for all workers: copy it to change it.
    """
    base = tmp_path_factory.getbasetemp()
    place = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "trained"
    try:
        place.mkdir()
    except FileExistsError:
        return _trained_by_another_worker(place)
    train = [sys.executable, "-m", "cnnblocks", "train", "lenet5", "--data", "digits"]
    how = ["--epochs", "2", "--seed", "1", "--tune", "off", "--quiet", "--runs-dir", str(place)]
    state = {"CNNBLOCKS_STATE_DIR": str(place / ".state")}
    subprocess.run([*train, *how], env=os.environ | state, check=True, timeout=600)
    (place / "ready").touch()
    return _trained_by_another_worker(place)


def _trained_by_another_worker(place):
    deadline = time.monotonic() + 600
    while not (place / "ready").exists():
        assert time.monotonic() < deadline, "no worker trained the run that tests share"
        time.sleep(0.2)
    (run,) = place.glob("*-lenet5-*")
    return run
