"""Choosing Keras' backend before Keras is imported."""

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from cnnblocks.errors import CnnblocksError

BACKENDS = ("tensorflow", "jax", "torch")


class BackendError(CnnblocksError, ValueError):
    """The backend asked for is unknown, missing, or cannot be changed any more."""


def select_backend(name: str | None = None) -> str:
    """Settle which backend Keras will use and return its name.

    The first of these that says something: `name`, the environment variable `KERAS_BACKEND`,
    Keras' own configuration file, the first installed of TensorFlow, JAX and PyTorch. Must be
    called before Keras is imported; afterwards only the backend in use is accepted.

    Args:
        name: `"tensorflow"`, `"jax"` or `"torch"`; `None` to decide as above.

    Raises:
        BackendError: The name is unknown, the library is not installed, or Keras already runs on
            another backend.

    Example:

        >>> from cnnblocks.backend import select_backend
        >>> select_backend("jax")  # doctest: +SKIP
        'jax'
    """
    if "keras" in sys.modules:
        return _check_running(name)
    chosen = name or os.environ.get("KERAS_BACKEND") or _configured() or _first_installed()
    if chosen not in BACKENDS:
        raise BackendError(f"The backend must be one of {', '.join(BACKENDS)}. Received: {chosen}")
    if find_spec(chosen) is None:
        raise BackendError(
            f"The backend {chosen} is not installed. Install it with: "
            f"pip install 'cnnblocks{'' if chosen == 'tensorflow' else f'[{chosen}]'}'"
        )
    os.environ["KERAS_BACKEND"] = chosen
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    return chosen


def import_keras(name: str | None = None) -> str:
    """Settle the backend as `select_backend` does, import Keras quietly, return the backend.

    TensorFlow writes to file descriptor 2 while it is imported and when it looks for devices,
    whatever its log level and Python's `sys.stderr` are; those lines are dropped unless the
    import fails.
    """
    chosen = select_backend(name)
    with _file_descriptor_2_aside():
        import_module("keras")
        if chosen == "tensorflow":
            import_module("tensorflow").config.list_physical_devices()
    return chosen


@contextmanager
def _file_descriptor_2_aside() -> Iterator[None]:
    """Keep what is written to stderr, and show it only if there is an error."""
    sys.stderr.flush()
    aside = os.dup(2)
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), 2)
        try:
            yield
        except BaseException:
            kept.seek(0)
            os.write(aside, kept.read())
            raise
        finally:
            os.dup2(aside, 2)
            os.close(aside)


def _check_running(name: str | None) -> str:
    running = sys.modules["keras"].config.backend()
    if name not in (None, running):
        raise BackendError(
            f"Keras already runs on {running} in this process, so the backend cannot become "
            f"{name}. Set KERAS_BACKEND={name} before Keras is imported."
        )
    return running


def _configured() -> str | None:
    home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    try:
        configured = json.loads((home / "keras.json").read_text()).get("backend")
    except (OSError, ValueError):
        return None
    return configured if configured in BACKENDS and find_spec(configured) else None


def _first_installed() -> str:
    for name in BACKENDS:
        if find_spec(name):
            return name
    raise BackendError(
        "Keras needs a backend and none is installed. Install one with: pip install tensorflow"
    )
