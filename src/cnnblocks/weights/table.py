"""The one table that every weight file is read into."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from cnnblocks.weights.slicing import normalize, parse
from cnnblocks.weights.values import Values

ROLES = (
    "kernel",
    "bias",
    "gamma",
    "beta",
    "moving_mean",
    "moving_variance",
    "depthwise_kernel",
    "pointwise_kernel",
    "optimizer",
    "seed_state",
    "other",
)
SLAB_BYTES = 1 << 20


@dataclass(frozen=True, eq=False)
class Tensor:
    """One array of a weight file; its values stay in the file until they are asked for.

    Attributes:
        path: where it lies in the file (`layers/conv2d/vars/0`).
        name: the name the file records (`conv2d_3/kernel:0`). Keras 3 records the layers' names
            only, so there it is the layer's name and the role (`stem/kernel`).
        layer: the layer it belongs to, by the user's name where the file has it; the names of
            nested models and blocks come first (`inner/conv2d`).
        role: one of `ROLES`.
        shape: its shape.
        axes: a name for each axis where the role gives it one, such as
            `("height", "width", "in", "out")`, else `()`.
        dtype: its dtype by name, `bfloat16` among them.
        trainable: whether the layer trains it, `None` where the file does not say.
    """

    path: str
    name: str
    layer: str
    role: str
    shape: tuple[int, ...]
    axes: tuple[str, ...]
    dtype: str
    trainable: bool | None
    values: Values = field(repr=False)

    @property
    def size(self) -> int:
        """How many values it has."""
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        """How many bytes its values take, unpacked."""
        return self.size * (2 if self.dtype == "bfloat16" else np.dtype(self.dtype).itemsize)

    def read(self) -> np.ndarray:
        """Return all values as an array of `shape`; bfloat16 comes as float32.

        Raises:
            WeightFileError: the values cannot be read.
        """
        return self.values.read((slice(None),) * len(self.shape))

    def read_slice(self, expression: str) -> np.ndarray:
        """Return the values that a slice such as `"[:, :, 0, 3]"` picks, and read no others.

        Args:
            expression: integers, slices and `...`, as NumPy writes them.

        Raises:
            SliceError: the expression is none, or does not fit the shape.
            WeightFileError: the values cannot be read.
        """
        return self.values.read(normalize(parse(expression), self.shape))

    def to_json(self) -> dict[str, Any]:
        """Return all that is known of it, but its values, as JSON can hold it."""
        return {
            "path": self.path,
            "name": self.name,
            "layer": self.layer,
            "role": self.role,
            "shape": list(self.shape),
            "axes": list(self.axes),
            "dtype": self.dtype,
            "bytes": self.bytes,
            "trainable": self.trainable,
        }

    def slabs(
        self, max_bytes: int = SLAB_BYTES, buffer: np.ndarray | None = None
    ) -> Iterator[np.ndarray]:
        """Yield all values in C order as flat arrays of at most `max_bytes` in the file.

        A slab may lie in a buffer that the next one overwrites: use it before asking for more.

        Args:
            max_bytes: size of a slab.
            buffer: a flat `uint8` array to read into, in place of a new one of `max_bytes`.

        Raises:
            WeightFileError: the values cannot be read.
        """
        if buffer is None:
            buffer = np.empty(min(max_bytes, max(self.bytes, 16)), np.uint8)
        return self.values.slabs(buffer)


@dataclass(frozen=True)
class Totals:
    """What some tensors come to.

    Attributes:
        tensors: how many there are.
        parameters: how many values they hold, seed states and metrics left out, so that it is
            what Keras' `count_params` says.
        bytes: how many bytes their values take.
    """

    tensors: int
    parameters: int
    bytes: int


@dataclass(frozen=True, eq=False)
class Layer:
    """The tensors of one layer, together.

    Attributes:
        name: the layer, as in `Tensor.layer`.
        path: its group in the file, `""` where the format has none.
        kind: what it is, in snake case (`conv2d`, `batch_normalization`), from the file's own
            word where it has one, else from the names and shapes; `None` if neither tells.
        class_name: its class by the model's configuration, where the file has that.
        number: the counter of an automatic name (`conv2d` 0, `conv2d_17` 17), which grows in
            order of creation; `None` for a name that the user gave.
        group: the top-level layer whose weights Keras stores in one group with this one's, which
            differs from `name` where a nested model or a block was flattened.
        tensors: its tensors, in the file's own order where that means something.
        guessed: whether `kind` is no more than a guess from the shapes.
    """

    name: str
    path: str
    kind: str | None
    class_name: str | None
    number: int | None
    group: str
    tensors: tuple[Tensor, ...]
    guessed: bool = False

    @property
    def roles(self) -> dict[str, Tensor]:
        """The tensors by role; of two with the same role, the first."""
        return {tensor.role: tensor for tensor in reversed(self.tensors)}


class WeightTable:
    """All tensors of a weight file of any format, in the order of the model's layers.

    Args:
        path: the file that was opened.
        format: `keras3-weights`, `keras3-archive`, `legacy-weights`, `legacy-model`,
            `tf-checkpoint`, `text` or `hdf5`.
        tensors: every tensor, those of the optimizer last.
        structure: the layers, in order.
        metadata: what the file says of itself. `keras_version`, `backend`, `has_model_config`
            and `training_config` are always there (`None` or false if the file is silent), others
            by format: `date_saved`, `shards`, `skipped`.
        model_config: the saved configuration of the model, as a dict, where there is one.
        close: called when the table is closed.

    Example:

        >>> with weights.open("lenet.weights.h5") as table:
        ...     for tensor in table.tensors:
        ...         print(tensor.name, tensor.shape, tensor.read().mean())
    """

    def __init__(
        self,
        path: Path,
        format: str,
        tensors: list[Tensor],
        structure: list[Layer],
        metadata: dict[str, Any],
        model_config: dict[str, Any] | None = None,
        close: Callable[[], None] = lambda: None,
    ) -> None:
        self.path = path
        self.format = format
        self.tensors = tensors
        self.structure = structure
        self.metadata = {
            "keras_version": None,
            "backend": None,
            "has_model_config": model_config is not None,
            "training_config": None,
            **metadata,
        }
        self.model_config = model_config
        self._close = close

    def __enter__(self) -> WeightTable:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; values can no longer be read."""
        self._close()

    def __repr__(self) -> str:
        return f"<WeightTable {self.path} {self.format} tensors={len(self.tensors)}>"

    def to_json(self) -> dict[str, Any]:
        """Return the table as JSON can hold it: the object that `weights show --json` prints."""
        return {
            "schema": 1,
            "path": str(self.path),
            "format": self.format,
            "tensors": [tensor.to_json() for tensor in self.tensors],
            "totals": asdict(self.totals),
            "optimizer": asdict(self.optimizer_totals),
            "metadata": json_safe(self.metadata),
        }

    def __getitem__(self, key: str) -> Tensor:
        """Return the tensor with this path or, failing that, this name.

        Raises:
            KeyError: no tensor has it.
        """
        for tensor in self.tensors:
            if tensor.path == key:
                return tensor
        for tensor in self.tensors:
            if tensor.name == key:
                return tensor
        raise KeyError(key)

    @property
    def weights(self) -> list[Tensor]:
        """The tensors that are not the optimizer's."""
        return [tensor for tensor in self.tensors if tensor.role != "optimizer"]

    @property
    def totals(self) -> Totals:
        """What all tensors but the optimizer's come to."""
        return total(self.weights)

    @property
    def optimizer_totals(self) -> Totals:
        """What the optimizer's tensors come to."""
        return total([tensor for tensor in self.tensors if tensor.role == "optimizer"])


def total(tensors: list[Tensor]) -> Totals:
    """Return what `tensors` come to."""
    return Totals(
        tensors=len(tensors),
        parameters=sum(t.size for t in tensors if not _is_bookkeeping(t)),
        bytes=sum(t.bytes for t in tensors),
    )


def _is_bookkeeping(tensor: Tensor) -> bool:
    return tensor.role == "seed_state" or tensor.layer.split("/")[0] == "metrics"


def json_safe(value: Any) -> Any:
    """Return `value` with `None` for NaN and infinities, which JSON cannot hold."""
    if isinstance(value, dict):
        return {str(key): json_safe(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_safe(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
