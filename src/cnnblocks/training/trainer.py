"""A training from start, or from its last checkpoint, to its end."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras

from cnnblocks.data import Preprocessing
from cnnblocks.runs import RunDirectory, forget_epochs, replacing, write_json
from cnnblocks.training import checkpoint, facts, optimizers, tuning
from cnnblocks.training.callbacks import Recorder, Reporter
from cnnblocks.training.checkpoint import Progress
from cnnblocks.training.errors import Ended
from cnnblocks.training.evaluation import assess
from cnnblocks.training.input import (
    BatchStream,
    PlanStream,
    evaluation_stream,
    feed,
    settle_input,
    training_stream,
)
from cnnblocks.training.interrupts import Interrupts
from cnnblocks.training.preparation import Prepared, build_model
from cnnblocks.training.resident import ResidentModel
from cnnblocks.training.trained import TrainedModel

_SETTLED = ("tuning", "precision", "input")
"""What is settled when training starts, and written to the configuration then."""


class Training:
    """One process' work on a run.

    Args:
        run: The run.
        prepared: The model and images.
        reporter: Where events go.
        interrupts: Signals that came.
    """

    def __init__(
        self, run: RunDirectory, prepared: Prepared, reporter: Reporter, interrupts: Interrupts
    ):
        self.run = run
        self.config = prepared.config
        self.recipe = prepared.config.recipe
        self.dataset = prepared.dataset
        self.devices = prepared.devices
        self.team = prepared.team
        self.reporter = reporter
        self.session = reporter.session
        self.interrupts = interrupts
        self.preprocessing = Preprocessing.from_dict(self.config.preprocessing)
        self.stream: BatchStream = training_stream(
            self.dataset, self.recipe, self.preprocessing, self.config.seed, self.team
        )
        self.validation = self._evaluation_stream(self.dataset.validation)
        self.shards = prepared.shards
        self._settle_input()
        self.model = self._fed(prepared.model)

    def run_to_end(self) -> None:
        """Train what is left, keep the chosen weights, and read the test images once."""
        with self.team.scope():
            self._tune()
            self._announce()
            self._compile(self.model, self.tuning)
            progress = self._restore()
            early = self._train(progress)
        if self.team.leads:
            self._keep_weights()
            self._test(progress)
        if early:
            raise early

    @property
    def last(self) -> Path:
        return self.run.path / "checkpoints" / "last.weights.h5"

    def _announce(self) -> None:
        self.reporter.event(
            "run_start",
            network=self.config.network,
            data=self.config.data["name"],
            epochs=self.recipe.epochs,
            backend=self.config.backend,
            devices=self.devices,
            processes=self.team.processes,
            tuning=self.config.tuning,
            pid=os.getpid(),
        )

    def _settle_input(self) -> None:
        """Have the images on the device if they are to be there."""
        streams = [stream for stream in (self.stream, self.validation) if stream is not None]
        where = settle_input(
            self.config.input, streams, self.devices, self.config.backend, self.team
        )
        self.config = replace(self.config, input=where)
        if where == "device":
            self.stream = PlanStream(self.stream.batches, self.stream.one_hot)
            if self.validation is not None:
                self.validation = PlanStream(self.validation.batches, self.validation.one_hot)

    def _fed(self, network: Any) -> Any:
        """A network that takes what the streams give."""
        if not isinstance(self.stream, PlanStream):
            return network if self.shards == 1 else ResidentModel(network)
        validation = self.validation.images if isinstance(self.validation, PlanStream) else None
        return ResidentModel(network, self.stream.images, validation)

    def _tune(self) -> None:
        """Settle how steps are run, once for the whole run: resuming it must compute the same."""
        if not self.config.tuning:
            config = replace(self.config, tune="off") if self.team.several else self.config
            found = tuning.choose(
                config, self.devices, self.stream, self._scratch_model, self.shards
            )
            self.config = replace(self.config, tuning=found.to_dict())
        if self.team.leads:
            chosen = {name: getattr(self.config, name) for name in _SETTLED}
            self.run.write_config({**self.run.config, **chosen})
        self.tuning = tuning.Tuning.from_dict(self.config.tuning)
        if self.team.several:
            self.tuning = replace(self.tuning, steps_per_execution=1)
        self.stream.batches.readers = self.tuning.readers

    def _scratch_model(self, how: tuning.Tuning) -> Any:
        model = self._fed(build_model(self.config))
        self._compile(model, how)
        return model

    def _compile(self, model: Any, how: tuning.Tuning) -> None:
        model.compile(
            optimizer=optimizers.optimizer(self.recipe, model, self._steps, self.config.precision),
            loss=optimizers.loss(self.recipe),
            metrics=["accuracy"],
            jit_compile=how.jit_compile,
            steps_per_execution=how.steps_per_execution,
        )
        model.optimizer.build(model.trainable_variables)
        if isinstance(model, ResidentModel):
            model.shards = how.shards
            # Keras would try to build the loss and the metrics from a batch as if it held images.
            model.compute_loss(None, *self._example())
            self._build_metrics(model)

    @property
    def _steps(self) -> int:
        """Steps of the whole training."""
        return self.stream.steps * self.recipe.epochs

    def _restore(self) -> Progress:
        progress = Progress()
        begun = self.last.exists()
        if begun:
            progress = checkpoint.load(self.last, self.model)
        if self.team.leads:
            forget_epochs(self.run.path / "history.csv", after=progress.epoch)
        if not begun:
            return progress
        self._build_metrics(self.model)
        self.reporter.event("resume", epoch=progress.epoch, step=progress.step, pid=os.getpid())
        return progress

    def _build_metrics(self, model: Any) -> None:
        """Make the variables of the metrics, which Keras makes at the first step only."""
        model.compute_metrics(None, *self._example())
        model.reset_metrics()

    def _example(self) -> tuple[Any, Any]:
        """Labels as the loss takes them, and outputs for them."""
        _, labels = self.stream[0]
        outputs = keras.ops.zeros((len(labels), self.config.num_classes))
        return keras.ops.convert_to_tensor(labels), outputs

    def _train(self, progress: Progress) -> Ended | None:
        """Train what is left; returns why it is finished before the last epoch, if it is."""
        early = None
        try:
            with tuning.computing_with(self.tuning.threads):
                self._fit(progress)
        except Ended as ended:
            if ended.state != "finished":
                raise
            early = ended
        # `fit` does this too, but it may have ended early, or no epoch may have been left.
        self.model.optimizer.finalize_variable_values(self.model.trainable_variables)
        return early

    def _fit(self, progress: Progress) -> None:
        rate = _rate(optimizers.schedule(self.recipe, self._steps))
        recorder = Recorder(
            self.run,
            self.config,
            self.reporter,
            self.stream,
            self.interrupts,
            progress,
            rate,
            self.team,
        )
        if progress.step == self.stream.steps:
            self._finish_epoch(recorder, progress)
        if progress.step:
            self._fit_epochs(recorder, progress, progress.epoch + 1)
            # `fit` ends by giving the model the moving average of its weights.
            checkpoint.load(self.last, self.model)
        if progress.epoch < self.recipe.epochs:
            self._fit_epochs(recorder, progress, self.recipe.epochs)

    def _fit_epochs(self, recorder: Recorder, progress: Progress, last_epoch: int) -> None:
        # The number of steps is settled when `fit` starts, so the rest of an epoch has its own.
        self.stream.at(progress.epoch + 1, progress.step)
        with self._callbacks(recorder) as callbacks:
            self.model.fit(
                feed(self.stream, self.team),
                initial_epoch=progress.epoch,
                epochs=last_epoch,
                validation_data=feed(self.validation, self.team),
                shuffle=False,
                class_weight=self._class_weights(),
                callbacks=callbacks,
                verbose=0,
            )

    @contextmanager
    def _callbacks(self, recorder: Recorder) -> Iterator[list[Any]]:
        """Keras' own and the recorder, which comes last since it may end the training."""
        loggers = self._keras_callbacks()
        try:
            yield [*loggers, recorder]
        except Ended:
            for logger in loggers:
                logger.on_train_end()
            raise

    def _finish_epoch(self, recorder: Recorder, progress: Progress) -> None:
        """Validate an epoch whose steps were all done when training was stopped."""
        with self._callbacks(recorder) as chosen:
            callbacks = keras.callbacks.CallbackList(chosen, model=self.model)
            callbacks.on_train_begin()
            callbacks.on_epoch_begin(progress.epoch)
            callbacks.on_epoch_end(progress.epoch, self._validated(recorder))
            callbacks.on_train_end()

    def _validated(self, recorder: Recorder) -> dict[str, float]:
        """The metrics of the epoch under way, with those of the validation images."""
        metrics = {name: float(value) for name, value in self.model.get_metrics_result().items()}
        if self.validation is not None:
            found = self.model.evaluate(
                feed(self.validation, self.team),
                callbacks=[recorder],
                return_dict=True,
                verbose=0,
            )
            metrics |= {f"val_{name}": value for name, value in found.items()}
        return metrics

    def _class_weights(self) -> dict[int, float] | None:
        if self.recipe.class_weights is None:
            return None
        counts = self.dataset.train.class_counts
        return {number: counts.sum() / (len(counts) * n) for number, n in enumerate(counts)}

    def _keras_callbacks(self) -> list[Any]:
        chosen: list[Any] = []
        if not self.team.leads:
            return chosen
        if self.config.tensorboard:
            chosen.append(keras.callbacks.TensorBoard(self.run.path / "tensorboard"))
        if self.config.csv:
            chosen.append(keras.callbacks.CSVLogger(self.run.path / "log.csv", append=True))
        return chosen

    def _keep_weights(self) -> None:
        """Write the chosen epoch's model for others to use."""
        self.model = self._exportable()
        about = facts.Facts.of(self.config, self.run.id)
        with replacing(self.run.path / "model.keras") as aside:
            # Keras writes the weights once more on the way into the archive.
            checkpoint.require_space(aside, self.model, copies=2)
            self.model.save(aside)
            facts.attach(aside, about)
        with replacing(self.run.path / "weights.weights.h5") as aside:
            checkpoint.require_space(aside, self.model)
            self.model.save_weights(aside)
            facts.attach(aside, about)
        if self.config.dump_weights:
            self._dump_weights()
        self.session.update(weights=self.config.keep)

    def _exportable(self) -> Any:
        """The network of the chosen epoch, compiled so that others can evaluate and train on."""
        model = self._unshared() if self.team.several else checkpoint.inference_model(self.model)
        if self.config.keep == "best":
            model.load_weights(self.run.path / "checkpoints" / "best.weights.h5")
        # Plain SGD keeps nothing of each weight, so the file stays as small as the weights are.
        model.compile(
            optimizer=keras.optimizers.SGD(0.01),
            loss=optimizers.loss(replace(self.recipe, label_smoothing=0.0)),
            metrics=["accuracy"],
        )
        return model

    def _unshared(self) -> Any:
        """The network on one device, as anybody else will load it."""
        model = build_model(self.config)
        for layer, trained in zip(model.layers, self.model.layers, strict=True):
            layer.trainable = trained.trainable
        model.set_weights(self.model.get_weights())
        return model

    def _dump_weights(self) -> None:
        from cnnblocks.weights.formats import text

        weights = self.model.trainable_variables
        items = ((f"{v.path}:0", keras.ops.convert_to_numpy(v)) for v in weights)
        with replacing(self.run.path / "weights.txt") as aside:
            text.write(aside, items)

    def _test(self, progress: Progress) -> None:
        """Read the test images, once, and write what is found as `cnnblocks evaluate` does."""
        kept = progress.best if self.config.keep == "best" else None
        trained = TrainedModel(
            model=self.model,
            preprocessing=self.preprocessing,
            class_names=list(self.dataset.class_names),
            logits=self.recipe.classifier_activation is None,
            name=self.run.id,
            weights=self.config.keep,
            epoch=(kept or {"epoch": progress.epoch})["epoch"],
        )
        found = assess(trained, self.dataset)
        path = self.run.path / "evaluation" / f"{found.file_stem}.json"
        write_json(path, found.to_json())
        self.reporter.event(
            "evaluation",
            path=f"evaluation/{path.name}",
            data=found.data,
            split=found.split,
            images=found.images,
            weights=found.weights,
            epoch=found.epoch,
            metrics=found.metrics,
        )

    def _evaluation_stream(self, split: Any) -> BatchStream | None:
        return evaluation_stream(split, self.dataset, self.recipe, self.preprocessing, self.team)


def _rate(schedule: Any) -> Callable[[int], float]:
    if isinstance(schedule, float):
        return lambda step: schedule
    return lambda step: float(schedule(step))
