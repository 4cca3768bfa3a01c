"""The configuration of a run: everything to repeat it, as its `config.json` holds it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from importlib.metadata import PackageNotFoundError, version
from platform import python_version
from typing import Any

from cnnblocks.training.errors import TrainingError
from cnnblocks.training.recipes import Recipe

_PACKAGES = ("cnnblocks", "keras", "tensorflow", "jax", "torch", "numpy", "h5py")


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """What a run trains, on what, and how.

    Attributes:
        network: A registered network.
        data: `source` as the user named it, `name`, `images` (how many of the training images to
            use, `None` for all), and the counts and class names found.
        recipe: How it is trained.
        seed: Of initial weights, shuffling, augmentation, dropout and held-out images.
        input_shape: Height, width and channels of the network's input.
        preprocessing: The way from an image to the network's input.
        precision: A Keras dtype policy.
        device: As the user asked, such as `"auto"`.
        backend: Keras' backend.
        deterministic: Whether the backend's deterministic kernels are used on every device.
        weights: A file of weights to start from.
        freeze: `"backbone"` to train the head only.
        checkpoint_every: Also keep the checkpoint of every so many epochs.
        keep: Whether `model.keras` holds the `"best"` epoch or the `"last"`.
        tensorboard: Whether Keras' `TensorBoard` writes to `tensorboard/`.
        csv: Whether Keras' `CSVLogger` writes `log.csv`.
        dump_weights: Whether `weights.txt` is written at the end.
        input: Where the images are during training: `"host"`, `"device"`, or `"auto"`, which is
            settled when training starts; see `cnnblocks.training.input.settle_input`.
        tune: `"auto"` to measure what is fastest, `"off"` to take what usually is.
        tuning: What was chosen and why; filled in when training starts.
        versions: Of the libraries when the run was made.
    """

    network: str
    data: dict[str, Any]
    recipe: Recipe
    seed: int
    input_shape: tuple[int, int, int]
    preprocessing: dict[str, Any]
    precision: str = "float32"
    device: str = "auto"
    backend: str = "tensorflow"
    deterministic: bool = False
    weights: str | None = None
    freeze: str | None = None
    checkpoint_every: int | None = None
    keep: str = "best"
    tensorboard: bool = False
    csv: bool = False
    dump_weights: bool = False
    input: str = "auto"
    tune: str = "auto"
    tuning: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def num_classes(self) -> int:
        """Number of classes of the data."""
        return len(self.data["class_names"])

    def with_epochs(self, epochs: int) -> "TrainingConfig":
        """The same training over another number of epochs in all."""
        return replace(self, recipe=self.recipe.override({"epochs": epochs}))

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON can hold them, and `epochs`, which lists of runs show."""
        values = asdict(self) | {"recipe": self.recipe.to_dict()}
        return {"epochs": self.recipe.epochs, **values, "input_shape": list(self.input_shape)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "TrainingConfig":
        """The configuration that `to_dict` described.

        Raises:
            TrainingError: Something is missing.
        """
        known = {entry.name for entry in fields(cls)}
        chosen = {name: value for name, value in values.items() if name in known}
        try:
            chosen["recipe"] = Recipe.from_dict(chosen["recipe"])
            chosen["input_shape"] = tuple(chosen["input_shape"])
            return cls(**chosen)
        except (KeyError, TypeError) as error:
            raise TrainingError(f"This is no configuration of a training: {error}") from error


def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that decide what is computed."""
    found = {"python": python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
