"""Sharing every batch among devices, and among the processes of several machines.

TensorFlow shares among the devices of one machine (`tf.distribute.MirroredStrategy`), JAX among
those of any number of processes (`keras.distribution.DataParallel`). Every process runs the same
training on its rows of each batch, in step with the others; the first one alone writes the run.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cnnblocks.backend import import_keras, select_backend
from cnnblocks.training import devices
from cnnblocks.training.errors import TrainingError

_SECONDS_BETWEEN_AGREEMENTS = 1.0
_MOST_STEPS_BETWEEN = 256
_LONGEST_TEXT = 4096
_LOSS = re.compile(r"gloo|nccl|coordination|heartbeat|connection|UNAVAILABLE|DEADLINE", re.I)
_PORTS = range(61440, 65536)


class DistributionError(TrainingError):
    """Training cannot be shared in the way asked for."""


@dataclass(frozen=True)
class Cluster:
    """Processes that train together.

    Attributes:
        coordinator: `HOST:PORT` of the first process, where the others find it.
        processes: How many there are.
        process: Which one this is, from 0.

    Raises:
        DistributionError: The numbers make no sense.
    """

    coordinator: str
    processes: int
    process: int

    def __post_init__(self) -> None:
        if not re.fullmatch(r".+:\d+", self.coordinator):
            raise DistributionError(
                f"The coordinator must be HOST:PORT. Received: {self.coordinator}"
            )
        if not 0 <= self.process < self.processes:
            raise DistributionError(
                f"With {self.processes} processes, --process-id must be 0 to {self.processes - 1}."
                f" Received: {self.process}"
            )


def find_cluster(
    coordinator: str | None = None,
    processes: int | None = None,
    process: int | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Cluster | None:
    """The processes that this one is to train with.

    What is not given is read from the variables of a scheduler: those of Slurm's `srun`, or
    `MASTER_ADDR`, `MASTER_PORT`, `WORLD_SIZE` and `RANK`, which many launchers set.

    Args:
        coordinator: `HOST:PORT` of process 0.
        processes: How many there are.
        process: Which one this is, from 0.
        environment: The variables.

    Returns:
        The cluster, or `None` for a process on its own.

    Raises:
        DistributionError: Only a part is known.

    Example:

        >>> find_cluster("10.0.0.1:9999", processes=2, process=1, environment={}).process
        1
    """
    scheduled = _of_slurm(environment) or _of_launcher(environment)
    given = (coordinator, processes, process)
    if scheduled is None and all(value is None for value in given):
        return None
    known = scheduled or (None, None, None)
    whole = [ours if ours is not None else theirs for ours, theirs in zip(given, known)]
    if None in whole:
        raise DistributionError(
            "Training with several processes needs --coordinator HOST:PORT, --num-processes and "
            "--process-id, and no scheduler's variables say the rest."
        )
    cluster = Cluster(str(whole[0]), int(str(whole[1])), int(str(whole[2])))
    return cluster if cluster.processes > 1 else None


def _of_slurm(environment: Mapping[str, str]) -> tuple[str, int, int] | None:
    names = ("SLURM_JOB_ID", "SLURM_STEP_NODELIST", "SLURM_STEP_NUM_TASKS", "SLURM_PROCID")
    if not all(name in environment for name in names):
        return None
    job, nodes, tasks, process = (environment[name] for name in names)
    if int(tasks) < 2:
        return None
    port = _PORTS[int(job) % len(_PORTS)]
    return f"{_first_host(nodes)}:{port}", int(tasks), int(process)


def _first_host(nodes: str) -> str:
    """The first of Slurm's node names, such as `gpu-03` of `gpu-[03-07,11],login`."""
    found = re.match(r"([^\[,]*)(?:\[(\w+))?", nodes)
    return (found[1] + (found[2] or "")) if found else nodes


def _of_launcher(environment: Mapping[str, str]) -> tuple[str, int, int] | None:
    names = ("MASTER_ADDR", "MASTER_PORT", "WORLD_SIZE", "RANK")
    if not all(name in environment for name in names) or int(environment["WORLD_SIZE"]) < 2:
        return None
    host, port, processes, process = (environment[name] for name in names)
    return f"{host}:{port}", int(processes), int(process)


_joined: list[Cluster] = []


def leads() -> bool:
    """Whether this process is on its own, or the first of those that `join` met."""
    return not _joined or _joined[0].process == 0


def join(cluster: Cluster, backend: str | None = None, device: str = "auto") -> None:
    """Meet the other processes; to be called once, before anything is computed.

    Args:
        cluster: Who they are.
        backend: Keras' backend; only JAX can do this.
        device: What each process uses; see `cnnblocks.training.devices.use`.

    Raises:
        DistributionError: The backend cannot, or the others cannot be reached.
    """
    backend = select_backend(backend)
    if backend != "jax":
        raise DistributionError(
            f"Keras 3 cannot train across processes on the {backend} backend. "
            "Use --backend jax, or several devices of one machine with --device all."
        )
    devices.show(device, backend)
    import_keras(backend)
    import keras

    try:
        keras.distribution.initialize(cluster.coordinator, cluster.processes, cluster.process)
    except (RuntimeError, ValueError) as error:
        raise DistributionError(
            f"Process {cluster.process} of {cluster.processes} cannot meet the others at "
            f"{cluster.coordinator}: {error}"
        ) from error
    _joined.append(cluster)


def tell(text: str) -> str:
    """The text that the first process gives, in all of them; they wait for each other here."""
    if not _joined:
        return text
    from jax.experimental import multihost_utils

    content = np.zeros(_LONGEST_TEXT, np.uint8)
    encoded = text.encode()[:_LONGEST_TEXT]
    content[: len(encoded)] = np.frombuffer(encoded, np.uint8)
    told = np.asarray(multihost_utils.broadcast_one_to_all(content), np.uint8)
    return told.tobytes().rstrip(b"\0").decode()


@dataclass
class Team:
    """The devices and processes that train together.

    Attributes:
        backend: Keras' backend.
        devices: How many devices there are in all.
        process: Which process this is, from 0.
        processes: How many processes there are.
        strategy: TensorFlow's strategy, or the distribution of Keras for JAX; `None` for one
            device.
    """

    backend: str = ""
    devices: int = 1
    process: int = 0
    processes: int = 1
    strategy: Any = None
    _steps: int = field(default=0, repr=False)
    _pace: int = field(default=1, repr=False)

    @property
    def several(self) -> bool:
        """Whether batches are shared at all."""
        return self.strategy is not None

    @property
    def leads(self) -> bool:
        """Whether this process is the one that writes the run."""
        return self.process == 0

    @property
    def shard(self) -> tuple[int, int]:
        """Which rows of a batch this process reads; see `cnnblocks.data.Batches`."""
        return self.process, self.processes

    @property
    def equal_shares(self) -> bool:
        """Whether all devices need the same number of rows."""
        return self.several and self.backend == "jax"

    @property
    def copies(self) -> int:
        """How often this process repeats a row, so that all devices together hold whole copies."""
        return self.devices // self.processes if self.equal_shares else 1

    def check_batch_size(self, batch_size: int) -> None:
        """Raise `DistributionError` when a batch cannot be shared evenly."""
        if self.several and batch_size % self.devices:
            fitting = max(1, round(batch_size / self.devices)) * self.devices
            raise DistributionError(
                f"Batches of {batch_size} images cannot be shared by {self.devices} devices. "
                f"Use a multiple of {self.devices}, such as --batch-size {fitting}."
            )

    @contextmanager
    def scope(self) -> Iterator[None]:
        """Where a shared model is built and trained."""
        if self.strategy is None:
            yield
        elif self.backend == "tensorflow":
            with self.strategy.scope():
                yield
        else:
            with _distribution(self.strategy):
                yield

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Where one process does something without the others.

        Keras makes variables even while it saves, and variables of a distribution are made by all
        processes together.
        """
        if self.several and self.backend == "jax":
            with _distribution(None):
                yield
        else:
            yield

    def meets(self) -> bool:
        """Whether this step is one after which all processes agree on what to do.

        Agreeing costs a message, so it is done about once a second; see `agree_on_pace`.
        """
        self._steps += 1
        return self._steps % self._pace == 0

    def agree(self, wishes: Iterable[str], vocabulary: tuple[str, ...]) -> list[str]:
        """What any process wishes, told to all of them, so that all do the same.

        Args:
            wishes: What this process wishes.
            vocabulary: All there is to wish.
        """
        if self.processes == 1:
            return list(wishes)
        from jax.experimental import multihost_utils

        wanted = set(wishes)
        ours = [float(wish in wanted) for wish in vocabulary]
        all_of_them = np.asarray(multihost_utils.process_allgather(np.array(ours, np.float32)))
        return [
            wish for wish, column in zip(vocabulary, all_of_them.T, strict=True) if column.any()
        ]

    def agree_on_pace(self, seconds_a_step: float) -> None:
        """Settle after how many steps to agree again, from how long a step takes."""
        if self.processes == 1:
            return
        from jax.experimental import multihost_utils

        steps = _SECONDS_BETWEEN_AGREEMENTS / max(seconds_a_step, 1e-6)
        gathered = multihost_utils.process_allgather(np.float32(steps))
        self._pace = int(np.clip(np.min(gathered), 1, _MOST_STEPS_BETWEEN))
        self._steps = 0


@contextmanager
def _distribution(chosen: Any) -> Iterator[None]:
    import keras

    earlier = keras.distribution.distribution()
    keras.distribution.set_distribution(chosen)
    try:
        yield
    finally:
        keras.distribution.set_distribution(earlier)


def gather(device: str, backend: str, names: list[str]) -> Team:
    """The team for a training: the devices it uses, and the processes that `join` met.

    Args:
        device: As the user asked; `"all"` and several numbered GPUs share batches.
        backend: Keras' backend.
        names: The devices of this process, as `cnnblocks.training.devices.use` named them.

    Raises:
        DistributionError: The backend cannot share batches.
    """
    if backend == "tensorflow":
        return _mirrored(device, names)
    if backend == "jax":
        return _data_parallel(device, names)
    if len(names) > 1:
        raise DistributionError(
            "Keras 3 trains on one device with the torch backend. Use --device gpu:0, or --backend "
            "jax or tensorflow for all of them."
        )
    return Team(backend)


def _mirrored(device: str, names: list[str]) -> Team:
    import tensorflow as tf

    if device == "all" and names[0].startswith("cpu"):
        names = [entry.name for entry in tf.config.list_logical_devices("CPU")]
    if len(names) < 2:
        return Team("tensorflow")
    strategy = tf.distribute.MirroredStrategy([name.upper().split("DEVICE:")[-1] for name in names])
    return Team("tensorflow", len(names), strategy=strategy)


def _data_parallel(device: str, names: list[str]) -> Team:
    import jax
    import keras

    processes, process = jax.process_count(), jax.process_index()
    if processes == 1 and device == "all" and names[0].startswith("cpu"):
        names = [f"cpu:{entry.id}" for entry in jax.local_devices()]
    if processes == 1 and len(names) < 2:
        return Team("jax")
    shared = keras.distribution.list_devices() if processes > 1 else names
    strategy = keras.distribution.DataParallel(devices=shared, auto_shard_dataset=False)
    return Team("jax", len(shared), process, processes, strategy)


def is_loss_of_a_process(error: BaseException) -> bool:
    """Whether an error means that another process is gone, rather than a mistake in this one.

    JAX raises what its transport says, in exceptions of several kinds.
    """
    return isinstance(error, RuntimeError | ValueError) and bool(_LOSS.search(str(error)))


class Bystander:
    """Stands in for a `TrainingSession` in the processes that do not write the run."""

    resumed = False

    def event(self, name: str, /, **fields: Any) -> None:
        """Nothing: the first process writes the events."""

    def update(self, **fields: Any) -> None:
        """Nothing: the first process writes the status."""

    def save(self, **fields: Any) -> None:
        """Nothing: the first process writes the status."""

    def end(self, state: str, reason: str = "") -> None:
        """Nothing: the first process writes the end."""

    def abandon(self, reason: str) -> None:
        """Nothing: the first process writes the reason."""

    def asked(self) -> list[str]:
        """Nothing: the first process is asked, and tells the others."""
        return []

    def done(self, *commands: str) -> None:
        """Nothing: the first process takes commands back."""

    def __enter__(self) -> "Bystander":
        return self

    def __exit__(self, *_: object) -> None:
        pass
