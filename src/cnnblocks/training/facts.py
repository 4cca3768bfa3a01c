"""What a model file says of itself, so that anybody can give it an image.

Keras' files hold layers and weights. The names of the classes and the way from an image to the
network's input travel beside them: as one more member of a `.keras` archive, as an attribute of a
`.weights.h5`. Keras passes over both.
"""

import json
import zipfile
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from cnnblocks.runs import SCHEMA
from cnnblocks.training.errors import TrainingError

MEMBER = "cnnblocks.json"
ATTRIBUTE = "cnnblocks"


@dataclass(frozen=True)
class Facts:
    """What has to be known of a trained model beside its layers and weights.

    Attributes:
        network: The registered network.
        network_args: Its further arguments.
        classifier_activation: Of its output; `None` for logits.
        class_names: The classes in the order of the output.
        preprocessing: The way from an image to its input; see `cnnblocks.data.Preprocessing`.
        run: The run that trained it.
    """

    network: str
    class_names: list[str]
    preprocessing: dict[str, Any]
    network_args: dict[str, Any] = field(default_factory=dict)
    classifier_activation: str | None = "softmax"
    run: str = ""

    @classmethod
    def of(cls, config: Any, run: str = "") -> "Facts":
        """The facts of a run's model.

        Args:
            config: The run's `TrainingConfig`.
            run: The run's id.
        """
        return cls(
            network=config.network,
            network_args=dict(config.recipe.network_args),
            classifier_activation=config.recipe.classifier_activation,
            class_names=list(config.data["class_names"]),
            preprocessing=dict(config.preprocessing),
            run=run,
        )


def attach(path: Path, facts: Facts) -> None:
    """Write facts into a `.keras` or `.weights.h5` file that Keras has just written.

    Raises:
        OSError: The file cannot be written.
    """
    content = json.dumps({"schema": SCHEMA, **asdict(facts)})
    if path.suffix == ".keras":
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(MEMBER, content)
        return
    import h5py

    with h5py.File(path, "r+") as file:
        file.attrs[ATTRIBUTE] = content


def read(path: Path) -> Facts | None:
    """The facts in a model file; `None` when it holds none.

    Raises:
        TrainingError: They were written by a later version of cnnblocks.
    """
    content = _content(path)
    if content is None:
        return None
    found = json.loads(content)
    if found.get("schema") != SCHEMA:
        raise TrainingError(
            f"{path} was written by a newer cnnblocks (schema {found.get('schema')}, this version "
            f"reads {SCHEMA}). Upgrade: pip install --upgrade cnnblocks"
        )
    known = {entry.name for entry in fields(Facts)}
    return Facts(**{name: value for name, value in found.items() if name in known})


def _content(path: Path) -> str | bytes | None:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return archive.read(MEMBER) if MEMBER in archive.namelist() else None
    import h5py

    if not h5py.is_hdf5(path):
        return None
    try:
        with h5py.File(path, "r", locking=False) as file:
            return file.attrs.get(ATTRIBUTE)
    except OSError as error:
        raise TrainingError(f"{path} cannot be read: {error}") from error
