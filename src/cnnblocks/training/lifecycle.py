"""A process' hold on a run: from taking its lock to writing how it ended.

Keras is imported only once the run's own backend is known.
"""

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from cnnblocks.runs import RunBusyError, RunDirectory, RunError, TrainingSession
from cnnblocks.runs.files import remove_leftovers
from cnnblocks.training.config import TrainingConfig
from cnnblocks.training.distribution import Bystander, is_loss_of_a_process, leads
from cnnblocks.training.errors import Ended, TrainingError
from cnnblocks.training.interrupts import listening

Observer = Callable[[str, dict[str, Any]], None]


def train_run(
    run: RunDirectory,
    prepared: Any = None,
    observer: Observer | None = None,
    epochs: int | None = None,
) -> None:
    """Train a run, or go on from its last checkpoint.

    Args:
        run: The run; its `config.json` says everything.
        prepared: The `Prepared` model and images, if they are there already.
        observer: Called with every event's name and fields.
        epochs: How many epochs there are to be in all; `None` for as many as were planned. The
            plan is changed once training can begin.

    Raises:
        RunBusyError: Another process trains it.
        CnnblocksError: The run cannot be trained; it is in the state `failed` then.
    """
    with _session(run) as session, listening(_leave_at_once(session)) as interrupts:
        if leads():
            remove_leftovers(run.path / "checkpoints")
        if prepared is None:
            from cnnblocks.training.preparation import prepare

            begun = (run.path / "checkpoints" / "last.weights.h5").exists()
            config = TrainingConfig.from_dict(run.config)
            if epochs:
                config = config.with_epochs(epochs)
            prepared = prepare(config, begun)
            if epochs and leads():
                run.write_config({**run.config, **config.to_dict()})
        from cnnblocks.training.trainer import Reporter, Training

        try:
            Training(run, prepared, Reporter(session, observer), interrupts).run_to_end()
        except Ended as ended:
            session.end(ended.state, ended.reason)
        except Exception as error:
            if prepared.team.processes > 1 and is_loss_of_a_process(error):
                _give_up(run, session, error)
            if not isinstance(error, OSError):
                raise
            raise TrainingError(
                f"{run.path} cannot be written: {error.strerror or error}. The last checkpoint is "
                f"whole; once this is mended, go on with: cnnblocks resume {run.id}"
            ) from error


def _session(run: RunDirectory) -> TrainingSession | Bystander:
    return TrainingSession(run.path) if leads() else Bystander()


def _give_up(run: RunDirectory, session: TrainingSession | Bystander, error: Exception) -> None:
    """End this process at once: those left behind by another cannot even say goodbye to it."""
    what = str(error).strip().splitlines()[0]
    session.abandon(f"another process was lost ({what})")
    print(
        f"Error: another process of this training was lost ({what}). Start all of them again "
        f"with: cnnblocks resume {run.id}",
        file=sys.stderr,
        flush=True,
    )
    os._exit(1)


def require_resumable(run: RunDirectory, epochs: int = 0) -> None:
    """Make sure that a run can go on, for `epochs` more than were planned.

    Raises:
        RunBusyError: Another process trains it.
        RunError: It is finished and no further epochs were asked for, or belongs to somebody else.
    """
    run.require_writable()
    if run.state in ("running", "stopping"):
        raise RunBusyError(f"{run.id} is being trained already (process {run.status.pid}).")
    if run.state == "finished" and not epochs:
        raise RunError(
            f"{run.id} is finished. Train it longer with: cnnblocks resume {run.id} --epochs 5"
        )


def extend(run: RunDirectory, epochs: int = 0) -> None:
    """Make a run ready to go on in another process; see `require_resumable`."""
    require_resumable(run, epochs)
    if epochs:
        config = TrainingConfig.from_dict(run.config)
        longer = config.with_epochs(config.recipe.epochs + epochs)
        run.write_config({**run.config, **longer.to_dict()})


def _leave_at_once(session: TrainingSession | Bystander) -> Callable[[Any], None]:
    def leave(received: Any) -> None:
        with suppress(OSError):
            session.save(state="stopped", reason=f"{received.name} was received twice")
        if sys.stdout.isatty():
            # The live view has hidden the cursor.
            os.write(sys.stdout.fileno(), b"\x1b[?25h")

    return leave
