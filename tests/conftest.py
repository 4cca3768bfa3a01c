"""Settings that every test shares."""

import os

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
