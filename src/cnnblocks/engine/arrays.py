"""Arrays on their way to a user interface."""

import uuid

import numpy as np

from cnnblocks.engine.registry import Context


def save_array(context: Context, array: np.ndarray) -> str:
    """Write an array to the engine's folder as `.npy` and return its path."""
    path = context.folder / f"{uuid.uuid4().hex}.npy"
    np.save(path, array)
    return str(path)
