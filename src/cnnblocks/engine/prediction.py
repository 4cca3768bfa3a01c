"""What trained models make of images."""

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnblocks.engine.arrays import save_array
from cnnblocks.engine.registry import Context, method

if TYPE_CHECKING:
    from cnnblocks.training.trained import TrainedModel


@method("predict")
def predict_images(
    context: Context, model: str, images: list[str], top: int = 5, **choices: Any
) -> list[dict]:
    """The most probable classes of image files.

    `choices` are `weights` (of a run) and the fields of `cnnblocks.training.trained.Hints`.
    """
    from cnnblocks.training.evaluation import predict

    answers = []
    for found in predict(_trained(model, choices), images, top=top):
        answers.append(found.to_json())
        context.progress(done=len(answers))
    return answers


@method("feature_maps")
def show_feature_maps(context: Context, model: str, image: str, **choices: Any) -> dict:
    """The image as the network sees it, and the output of every stage.

    The arrays are `float32`, shape `(height, width, channels)` whatever the data format.
    """
    import keras

    from cnnblocks import stage_features

    trained = _trained(model, choices)
    fitted = trained.preprocessing.fit_size(Path(image))
    outputs = stage_features(trained.model)(trained.preprocessing.scale(fitted), training=False)
    maps = {name: keras.ops.convert_to_numpy(value)[0] for name, value in outputs.items()}
    if trained.preprocessing.data_format == "channels_first":
        maps = {name: value.transpose(1, 2, 0) for name, value in maps.items()}
    return {
        "image": save_array(context, fitted[0]),
        "stages": [
            {
                "name": name,
                "shape": list(value.shape),
                "array": save_array(context, value.astype(np.float32)),
            }
            for name, value in maps.items()
        ],
    }


@method("evaluate")
def evaluate_model(
    context: Context,
    model: str,
    data: str | None = None,
    split: str = "test",
    weights: str | None = None,
) -> dict:
    """Accuracy, per-class results and confusion matrix; written into a run's `evaluation/`."""
    from cnnblocks.training.evaluation import evaluate

    def progress(done: int, total: int) -> None:
        context.progress(done=done, total=total)

    return evaluate(model, data, split=split, weights=weights, progress=progress).to_json()


def _trained(model: str, choices: dict[str, Any]) -> "TrainedModel":
    """The model, kept for the next question as long as its files stay as they are."""
    path = Path(model)
    files = [path, path / "model.keras", *path.glob("checkpoints/*.h5")]
    state = tuple(file.stat().st_mtime_ns for file in files if file.exists())
    return _load(model, state, tuple(sorted((k, _frozen(v)) for k, v in choices.items())))


@lru_cache(maxsize=1)
def _load(model: str, state: tuple, choices: tuple) -> "TrainedModel":
    from cnnblocks.training.trained import Hints, load_trained

    chosen = dict(choices)
    weights = chosen.pop("weights", None)
    return load_trained(model, weights=weights, hints=Hints(**chosen))


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
