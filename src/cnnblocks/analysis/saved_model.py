"""From a model file to its layer table."""

import os
from pathlib import Path

import keras

from cnnblocks.analysis.errors import AnalysisError
from cnnblocks.analysis.layer_table import LayerTable
from cnnblocks.analysis.summary import summarize
from cnnblocks.networks.errors import keras_reason


def summarize_file(
    path: str | os.PathLike, batch_size: int = 1, input_shape: tuple[int, ...] | None = None
) -> LayerTable:
    """Take the model in a file apart, as `summarize` does.

    Args:
        path: A model saved by Keras: `.keras` or `.h5`.
        batch_size: Number of images whose activations are counted.
        input_shape: Shape of one image without the batch, for a model that takes images of any
            size.

    Raises:
        AnalysisError: There is no such file, it holds weights alone, Keras cannot load it, or the
            input shape is needed or does not fit.

    Example:

        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "model.keras"
        >>> keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)]).save(path)
        >>> summarize_file(path).totals.parameters
        15
    """
    path = Path(path)
    if not path.is_file():
        raise AnalysisError(f"There is no file {path}.")
    if path.name.endswith(".weights.h5"):
        raise AnalysisError(
            f"{path} holds weights without the model they belong to. See them with: "
            f"cnnblocks weights show {path}"
        )
    try:
        model = keras.models.load_model(path, compile=False)
    except Exception as error:
        # Keras raises whatever its readers meet in a damaged or foreign file.
        reason = keras_reason(error)
        raise AnalysisError(f"Keras cannot load a model from {path}. {reason}") from error
    return summarize(model, batch_size=batch_size, input_shape=input_shape)
