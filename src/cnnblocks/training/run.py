"""A training run from Python."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from cnnblocks.runs import RunDirectory, RunError
from cnnblocks.training.config import TrainingConfig
from cnnblocks.training.distribution import leads, tell
from cnnblocks.training.lifecycle import Observer, require_resumable, train_run
from cnnblocks.training.recipes import Recipe


class Run(RunDirectory):
    """A training run: its files, its model, and going on with it.

    Args:
        path: The run directory; `Run.open` takes an id or `"last"` as well.

    Example:

        >>> run = Run.open("last")  # doctest: +SKIP
        >>> run.history[-1]["val_accuracy"]  # doctest: +SKIP
        0.9861
    """

    def model(self) -> Any:
        """The trained `keras.Model`, with the weights of the epoch that was kept.

        Raises:
            RunError: Training has not come to its end yet.
        """
        from cnnblocks.backend import import_keras

        import_keras()
        import keras

        path = self.path / "model.keras"
        if not path.exists() or self.status.state != "finished":
            raise RunError(
                f"{self.id} has no model yet: its state is {self.state}. Go on with "
                f"`cnnblocks resume {self.id}`, or load checkpoints/last.weights.h5."
            )
        return keras.models.load_model(path)

    def resume(self, epochs: int = 0, observer: Observer | None = None) -> Self:
        """Go on where the run was, exactly, in this process.

        Args:
            epochs: Train so many epochs more than was planned; the learning-rate schedule then
                spans the new total.
            observer: Called with every event's name and fields.

        Returns:
            This run, when training has ended.

        Raises:
            RunError: It is finished already, and no further epochs were asked for.
            RunBusyError: Another process trains it.
        """
        self.reload()
        if leads():
            require_resumable(self, epochs)
        # All processes are told, since the first may change the plan before others have read it.
        total = int(tell(str(TrainingConfig.from_dict(self.config).recipe.epochs + epochs)))
        train_run(self, observer=observer, epochs=total if epochs else None)
        return self


def train(
    network: str,
    data: str | Path,
    *,
    recipe: str | Recipe = "default",
    runs_dir: str | Path | None = None,
    observer: Observer | None = None,
    overrides: Mapping[str, Any] | None = None,
    **options: Any,
) -> Run:
    """Train a network and return its run.

    Args:
        network: A registered network, such as `"lenet5"`; see `cnnblocks.list_networks`.
        data: `"digits"` or another known name, or a path; see `cnnblocks.data.load`.
        recipe: `"default"`, `"original"` or `"speedrun"`; see `cnnblocks.training.recipe`.
        runs_dir: Where the run directory goes; see `cnnblocks.runs.runs_directory`.
        observer: Called with every event's name and fields.
        overrides: Fields of the recipe that are to differ.
        **options: Fields of the recipe (`epochs=5`) or of the run (`seed=1`); see `Recipe` and
            `TrainingConfig`.

    Returns:
        The run, when training has ended. Its `status` says how.

    Raises:
        CnnblocksError: Something asked for is not possible.

    Example:

        >>> run = train("lenet5", "digits", epochs=5, seed=1)  # doctest: +SKIP
        >>> run.status.state  # doctest: +SKIP
        'finished'
    """
    from cnnblocks.training.preparation import plan

    prepared = plan(network, data, recipe=recipe, overrides=overrides, **options)
    run = create_run(prepared.config, runs_dir)
    train_run(run, prepared, observer)
    return run


def create_run(config: TrainingConfig, runs_dir: str | Path | None = None) -> Run:
    """Make the directory of a new run; of several processes the first makes it for all."""
    path = str(Run.create(config.to_dict(), runs_dir).path) if leads() else ""
    return Run(tell(path))
