"""What this machine offers, and what is missing, for `cnnblocks doctor`."""

import ctypes
import locale
import os
import platform
import shutil
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from cnnblocks.backend import BackendError, import_keras, select_backend
from cnnblocks.runs.files import SCHEMA
from cnnblocks.runs.places import runs_directory, user_directories
from cnnblocks.training import devices

_PACKAGES = (
    "cnnblocks",
    "keras",
    "tensorflow",
    "jax",
    "torch",
    "numpy",
    "h5py",
    "textual",
    "scikit-learn",
    "matplotlib",
    "nvidia-ml-py",
)

_CUDA_LIBRARIES = (
    "libcuda.so.1",
    "libcudart.so.12",
    "libcublas.so.12",
    "libcudnn.so.9",
    "libcufft.so.11",
    "libcusolver.so.11",
    "libcusparse.so.12",
    "libnvrtc.so.12",
)

_INSTALL_GPU = {
    "tensorflow": "pip install 'cnnblocks[gpu]'",
    "jax": "pip install 'jax[cuda12]'",
    "torch": "pip install torch, of a build with CUDA",
}


def diagnose(
    backend: str | None = None, runs_dir: str | os.PathLike | None = None
) -> dict[str, Any]:
    """Look at the installation and the machine.

    Args:
        backend: The backend to try; `None` for the one that would be used.
        runs_dir: The directory of runs to look at; see `cnnblocks.runs.runs_directory`.

    Returns:
        A JSON object with `versions`, `backend`, `devices`, `cuda` (`driver`, `libraries`),
        `directories`, `terminal`, and `problems`, a list of sentences that is empty when all is
        well.
    """
    chosen, found, problems = _backend(backend)
    cuda = _cuda()
    directories = _directories(runs_dir)
    if cuda["gpu"] and not any(name.startswith("gpu") for name in found):
        problems.append(
            f"This machine has an NVIDIA GPU that {chosen or 'no backend'} does not use. "
            f"Install: {_INSTALL_GPU.get(chosen or 'tensorflow')}"
        )
    problems += [
        f"The {name} directory {entry['path']} cannot be written."
        for name, entry in directories.items()
        if not entry["writable"]
    ]
    return {
        "schema": SCHEMA,
        "versions": _versions(),
        "backend": chosen,
        "devices": found,
        "cuda": cuda,
        "directories": directories,
        "terminal": _terminal(),
        "problems": problems,
    }


def _versions() -> dict[str, str | None]:
    versions: dict[str, str | None] = {
        "python": platform.python_version(),
        "platform": platform.platform(),
    }
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = None
    return versions


def _backend(name: str | None) -> tuple[str | None, list[str], list[str]]:
    """The backend in use, its devices, and what is wrong with them."""
    try:
        chosen = select_backend(name)
    except BackendError as error:
        return None, [], [str(error)]
    try:
        found = devices.use("all", chosen)
        import_keras(chosen)
    except Exception as error:
        # Whatever a broken installation raises is what the user came here to read.
        return chosen, [], [f"{chosen} does not work: {type(error).__name__}: {error}"]
    return chosen, found, []


def _cuda() -> dict[str, Any]:
    """Whether there is an NVIDIA GPU, and which CUDA libraries can be loaded."""
    if sys.platform != "linux":
        return {"gpu": False, "libraries": {}}
    return {
        "gpu": Path("/proc/driver/nvidia/version").exists() or Path("/dev/nvidiactl").exists(),
        "libraries": {name: _find_library(name) for name in _CUDA_LIBRARIES},
    }


def _find_library(name: str) -> str | None:
    """Where a library would be loaded from: pip's `nvidia-*` packages, else the system."""
    for directory in sys.path:
        for path in Path(directory or ".").glob(f"nvidia/*/lib/{name}"):
            return str(path)
    try:
        ctypes.CDLL(name)
    except OSError:
        return None
    return "system"


def _directories(runs_dir: str | os.PathLike | None) -> dict[str, dict[str, Any]]:
    places = {**user_directories(), "runs": runs_directory(runs_dir)}
    return {name: {"path": str(path), "writable": _writable(path)} for name, path in places.items()}


def _writable(path: Path) -> bool:
    """Whether a directory can be written, or made where it is not yet."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return path.is_dir() and os.access(path, os.W_OK)


def _terminal() -> dict[str, Any]:
    columns, lines = shutil.get_terminal_size()
    return {
        "interactive": sys.stdout.isatty(),
        "size": f"{columns}x{lines}",
        "term": os.environ.get("TERM", ""),
        "colors": os.environ.get("COLORTERM", ""),
        "no_color": bool(os.environ.get("NO_COLOR")),
        "encoding": locale.getpreferredencoding(False),
    }
