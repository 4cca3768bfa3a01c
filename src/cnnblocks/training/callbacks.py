"""What happens between the steps of a training: events, checkpoints, and doing as asked."""

import math
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import keras
import numpy as np

from cnnblocks.runs import RunDirectory, TrainingSession, record_epoch
from cnnblocks.runs.control import COMMANDS
from cnnblocks.training import checkpoint, devices
from cnnblocks.training.checkpoint import Progress
from cnnblocks.training.config import TrainingConfig
from cnnblocks.training.distribution import Bystander, Team
from cnnblocks.training.errors import Ended
from cnnblocks.training.input import BatchStream
from cnnblocks.training.interrupts import Interrupts
from cnnblocks.training.lifecycle import Observer
from cnnblocks.training.optimizers import averaged_weights

_REPORT_EVERY = 0.25
_DEVICES_EVERY = 2.0
_CHECKPOINT_EVERY = 300.0
_CHECKPOINT_SHARE = 0.05
_PLATEAU = 5
_STARVED = 0.9
_SIGNALS = ("SIGINT", "SIGTERM")
_NONSENSE, _SAVE = "nonsense", "save"
_WISHES = (*_SIGNALS, _NONSENSE, _SAVE, *COMMANDS)


class Reporter:
    """Tells the run's event log, and whoever watches in this process, what happens.

    Args:
        session: The session that holds the run.
        observer: Called with every event's name and fields.
    """

    def __init__(self, session: TrainingSession | Bystander, observer: Observer | None = None):
        self.session = session
        self.observer = observer

    def event(self, name: str, /, **fields: Any) -> None:
        self.session.event(name, **fields)
        if self.observer:
            try:
                self.observer(name, fields)
            except OSError:
                # Whoever watched is gone, with the terminal or the pipe. Training goes on.
                self.observer = None

    def warning(self, kind: str, message: str) -> None:
        self.event("warning", kind=kind, message=message)


class Recorder(keras.callbacks.Callback):
    """Records a training in its run directory and obeys what is asked of it.

    Args:
        run: The run.
        config: Its configuration.
        reporter: Where events go.
        stream: The training batches.
        interrupts: Signals that came.
        progress: Where training is; kept up to date here.
        rate: From the number of a step, over all epochs, to the learning rate.
        team: The processes that do the same in step; only the first writes.
    """

    def __init__(
        self,
        run: RunDirectory,
        config: TrainingConfig,
        reporter: Reporter,
        stream: BatchStream,
        interrupts: Interrupts,
        progress: Progress,
        rate: Callable[[int], float],
        team: Team,
    ):
        super().__init__()
        self.run = run
        self.recipe = config.recipe
        self.config = config
        self.reporter = reporter
        self.session = reporter.session
        self.stream = stream
        self.interrupts = interrupts
        self.progress = progress
        self.rate = rate
        self.team = team
        self._average = ExitStack()
        self._reported = self._read_devices = 0.0
        self._saved = time.monotonic()
        self._saving_took = 0.0
        self._plateau_told = False

    @property
    def epoch(self) -> int:
        """The epoch under way, from 1."""
        return self.progress.epoch + 1

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.first_step = self.progress.step
        self.stream.at(self.epoch, self.first_step)
        checkpoint.load_metrics(self.model, self.progress)
        self._epoch_began = self._training_ended = self._last_look = time.monotonic()
        self._seconds_before = self.progress.seconds
        self._last_step = self.first_step
        self.reporter.event(
            "epoch_start", epoch=self.epoch, epochs=self.recipe.epochs, steps=self.stream.steps
        )
        self.session.update(
            epoch=self.progress.epoch,
            epochs=self.recipe.epochs,
            step=self.first_step,
            steps=self.stream.steps,
            epoch_started=time.time(),
        )

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if keras.config.backend() == "torch":
            _seed_torch(self.config.seed, self.epoch, self.first_step + batch)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        # The last execution of an epoch may have had fewer steps than Keras counts.
        self.progress.step = min(self.first_step + batch + 1, self.stream.steps)
        now = time.monotonic()
        if self.progress.step == self.stream.steps:
            self._training_ended = now
        reporting = now - self._reported >= _REPORT_EVERY
        if reporting:
            self._report(now, _numbers(logs))
        if self.team.processes == 1:
            self._obey(self._wishes(now, look_closely=reporting, logs=logs), logs)
        elif self.team.meets():
            wishes = self._wishes(now, look_closely=True, logs=logs)
            self._obey(self.team.agree(wishes, _WISHES), logs)

    def on_test_begin(self, logs: Any = None) -> None:
        self._remember_metrics()
        self._average.enter_context(averaged_weights(self.model))

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        if self.interrupts.received is None or self.team.processes > 1:
            return
        _sync(self.model)
        self._average.close()
        self._save("last", self._save_everything)
        raise Ended("stopped", f"{self.interrupts.received.name} was received")

    def on_test_end(self, logs: Any = None) -> None:
        self._average.close()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        metrics = _numbers(logs)
        self._refuse_nonsense(metrics)
        completed = self.epoch
        improved = self._is_better(metrics)
        if improved:
            value = metrics[self._watched(metrics)]
            best = {"epoch": completed, "metric": self._watched(metrics), "value": value}
            self.progress.best = best
        self._record(completed, metrics)
        self.progress.epoch, self.progress.step, self.progress.metrics = completed, 0, []
        self.progress.seconds = 0.0
        if improved:
            self._save_averaged("best")
        every = self.config.checkpoint_every
        if every and completed % every == 0:
            self._save_averaged(f"epoch-{completed:04d}")
        self.save_last()
        self._warn(completed)
        self._obey_after_epoch(completed)

    def save_last(self) -> None:
        """Write the checkpoint from which training can go on."""
        _sync(self.model)
        if self.progress.step:
            self._remember_metrics()
        if not checkpoint.is_finite(self.model):
            self._end_as_nonsense("weights became NaN or infinite")
        began = time.monotonic()
        self._save("last", self._save_everything)
        self._saved = time.monotonic()
        self._saving_took = self._saved - began

    @property
    def _patience(self) -> float:
        """Seconds between checkpoints within an epoch: writing them may take a small share."""
        return max(_CHECKPOINT_EVERY, self._saving_took / _CHECKPOINT_SHARE)

    def _save_averaged(self, name: str) -> None:
        with averaged_weights(self.model):
            self._save(name, self._save_weights)

    def _remember_metrics(self) -> None:
        self.progress.metrics = checkpoint.values(self.model.metrics_variables)
        self.progress.seconds = self._seconds_before + time.monotonic() - self._epoch_began

    def _save_everything(self, path: Any) -> None:
        checkpoint.save(path, self.model, self.progress)

    def _save_weights(self, path: Any) -> None:
        checkpoint.save_weights(path, self.model, self.progress)

    def _save(self, name: str, write: Callable[[Any], None]) -> None:
        if not self.team.leads:
            return
        path = self.run.path / "checkpoints" / f"{name}.weights.h5"
        began = time.monotonic()
        with self.team.alone():
            write(path)
        self.reporter.event(
            "checkpoint",
            name=name,
            path=f"checkpoints/{path.name}",
            epoch=self.progress.epoch,
            step=self.progress.step,
            bytes=path.stat().st_size,
            seconds=round(time.monotonic() - began, 3),
        )

    def _report(self, now: float, metrics: dict[str, float]) -> None:
        step, images = self.progress.step, self.recipe.batch_size
        speed = (step - self._last_step) * images / max(now - self._last_look, 1e-9)
        fields = {
            "epoch": self.epoch,
            "step": step,
            "steps": self.stream.steps,
            "metrics": metrics,
            "images_per_second": round(speed, 1),
            "learning_rate": self.learning_rate,
            "seconds": round(now - self._epoch_began, 3),
        }
        if now - self._read_devices > _DEVICES_EVERY and (gpus := devices.memory()):
            fields["gpu"] = gpus
            self._read_devices = now
        self.reporter.event("progress", **fields)
        self.session.update(
            step=step,
            metrics=metrics,
            images_per_second=fields["images_per_second"],
            learning_rate=fields["learning_rate"],
        )
        self._reported, self._last_look, self._last_step = now, now, step

    def _wishes(self, now: float, look_closely: bool, logs: Any = None) -> list[str]:
        """What is to be done now; looking closely takes a moment, so not after every step."""
        wishes = [] if self.interrupts.received is None else [self.interrupts.received.name]
        if now - self._saved > self._patience:
            wishes.append(_SAVE)
        if look_closely:
            wishes += self.session.asked()
            wishes += [_NONSENSE] if _not_finite(_numbers(logs)) else []
        return wishes

    @property
    def learning_rate(self) -> float:
        """The rate of the latest step."""
        return self.rate(max(0, self.progress.epoch * self.stream.steps + self.progress.step - 1))

    def _record(self, completed: int, metrics: dict[str, float]) -> None:
        seconds = self._seconds_before + time.monotonic() - self._epoch_began
        images = (self.stream.steps - self.first_step) * self.recipe.batch_size
        training_seconds = max(self._training_ended - self._epoch_began, 1e-9)
        row = {
            "seconds": round(seconds, 3),
            "images_per_second": round(images / training_seconds, 1),
            "learning_rate": self.learning_rate,
        }
        if self.team.leads:
            record_epoch(self.run.path / "history.csv", {"epoch": completed, **row, **metrics})
        self.team.agree_on_pace(training_seconds / max(1, self.stream.steps - self.first_step))
        self.reporter.event("epoch_end", epoch=completed, metrics=metrics, **row)
        self.session.save(
            epoch=completed,
            step=0,
            metrics=metrics,
            best=self.progress.best,
            epoch_seconds=row["seconds"],
            images_per_second=row["images_per_second"],
            learning_rate=row["learning_rate"],
        )

    def _watched(self, metrics: dict[str, float]) -> str:
        """The metric that chooses the best epoch; without validation, training's own."""
        name = self.recipe.best_by
        return name if name in metrics else name.removeprefix("val_")

    def _is_better(self, metrics: dict[str, float]) -> bool:
        name, best = self._watched(metrics), self.progress.best
        if best is None or best["metric"] != name:
            return True
        value = metrics[name]
        return value > best["value"] if name.endswith("accuracy") else value < best["value"]

    def _refuse_nonsense(self, metrics: dict[str, float]) -> None:
        if bad := _not_finite(metrics):
            self._end_as_nonsense(f"{bad[0]} became {metrics[bad[0]]}")

    def _end_as_nonsense(self, what: str) -> None:
        reason = (
            f"{what} in epoch {self.epoch}, near step {self.progress.step}. The checkpoints hold "
            "the last good weights. Try a lower learning rate, gradient clipping "
            "(--clip-norm 1) or another precision."
        )
        self.reporter.warning("not-finite", reason)
        raise Ended("failed", reason)

    def _warn(self, completed: int) -> None:
        best = self.progress.best
        if best and completed - best["epoch"] >= _PLATEAU and not self._plateau_told:
            self._plateau_told = True
            self.reporter.warning(
                "plateau",
                f"{best['metric']} has not improved for {completed - best['epoch']} epochs",
            )
        seconds = self._training_ended - self._epoch_began
        if seconds > 5 and self.stream.seconds_busy > _STARVED * seconds:
            self.reporter.warning(
                "input",
                "the input pipeline is slower than the device: images take "
                f"{self.stream.seconds_busy:.0f} of {seconds:.0f} s to read and prepare",
            )

    def _obey(self, wishes: list[str], logs: Any) -> None:
        if _NONSENSE in wishes:
            self._refuse_nonsense(_numbers(logs))
        for signal in _SIGNALS:
            if signal in wishes:
                self._leave(f"{signal} was received")
        if "checkpoint" in wishes or _SAVE in wishes:
            self.save_last()
            self.session.done("checkpoint")
        if "stop" in wishes:
            self.session.done("stop")
            self._leave("asked to stop")

    def _obey_after_epoch(self, completed: int) -> None:
        if completed >= self.recipe.epochs:
            return
        wishes = self._wishes(time.monotonic(), look_closely=True)
        asked = self.team.agree(wishes, _WISHES)
        if commands := [wish for wish in wishes if wish in COMMANDS]:
            self.session.done(*commands)
        for signal in _SIGNALS:
            if signal in asked:
                raise Ended("stopped", f"{signal} was received")
        if {"stop", "stop-after-epoch"} & set(asked):
            raise Ended("stopped", f"asked to stop after epoch {completed}")
        patience, best = self.recipe.early_stopping, self.progress.best
        if patience and best and completed - best["epoch"] >= patience:
            raise Ended(
                "finished",
                f"stopped early: {best['metric']} did not improve for {patience} epochs",
            )

    def _leave(self, reason: str) -> None:
        self.session.save(state="stopping", reason=reason)
        self.save_last()
        raise Ended("stopped", reason)


def _seed_torch(*origin: int) -> None:
    """Have PyTorch's generator, from which Keras' Dropout draws there, depend on the step alone.

    Its state cannot be kept instead: PyTorch's data loaders draw from it too when they start.
    """
    import torch

    seed = int(np.random.SeedSequence(origin).generate_state(1)[0])
    # `torch.manual_seed` writes down where it was called from, for devices that are not in use:
    # a twentieth of a small network's step.
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(seed)
    if torch.backends.mps.is_available():
        torch.mps.manual_seed(seed)
    if torch.xpu.is_available():
        torch.xpu.manual_seed_all(seed)


def _sync(model: Any) -> None:
    """Bring a model's variables up to date; on JAX the steps keep them to themselves."""
    if keras.config.backend() == "jax":
        model.jax_state_sync()


def _not_finite(metrics: dict[str, float]) -> list[str]:
    return [name for name, value in metrics.items() if not math.isfinite(value)]


def _numbers(logs: Any) -> dict[str, float]:
    return {name: float(value) for name, value in (logs or {}).items()}
