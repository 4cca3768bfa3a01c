"""A trainer without Keras: it writes a run's files as docs/runs.md describes them.

Run as `python fake_trainer.py RUN_DIR [--epochs N] [--steps N] [--pause SECONDS]`; it obeys the
control files, as the real one does.
"""

import argparse
import math
import time

import h5py
import numpy as np

from cnnblocks.runs import RunDirectory, TrainingSession, record_epoch, replacing


def metrics_of(progress: float) -> dict[str, float]:
    loss = 2.3 * math.exp(-3 * progress) + 0.05 * math.sin(40 * progress) + 0.1
    return {"loss": loss, "accuracy": 1 - 0.9 * math.exp(-3.5 * progress)}


def write_checkpoint(session: TrainingSession, name: str, epoch: int) -> None:
    path = session.directory / "checkpoints" / f"{name}.weights.h5"
    values = np.random.default_rng(epoch).normal(0, 1 / epoch, (3, 3, 1, 8)).astype("float32")
    with replacing(path) as aside, h5py.File(aside, "w") as file:
        group = file.create_group("layers/conv2d")
        group.attrs["name"] = "stem"
        group["vars/0"] = values
        group["vars/1"] = np.full(8, 0.1 * epoch, "float32")
    session.event("checkpoint", name=name, path=str(path), epoch=epoch, bytes=path.stat().st_size)


def train(run: RunDirectory, epochs: int, steps: int, pause: float) -> None:
    with TrainingSession(run.path) as session:
        session.event("run_start", network=run.config["network"], epochs=epochs)
        best = 0.0
        for epoch in range(session.status.epoch + 1, epochs + 1):
            started = time.time()
            session.update(epochs=epochs, step=0, steps=steps, epoch_started=started)
            session.event("epoch_start", epoch=epoch, epochs=epochs, steps=steps)
            for step in range(1, steps + 1):
                time.sleep(pause)
                metrics = metrics_of((epoch - 1 + step / steps) / epochs)
                fields = {"images_per_second": 2000.0, "learning_rate": 0.01}
                session.update(step=step, metrics=metrics, **fields)
                session.event(
                    "progress",
                    epoch=epoch,
                    step=step,
                    steps=steps,
                    metrics=metrics,
                    cpu=180.0,
                    memory=900_000_000,
                    **fields,
                )
                if "stop" in session.asked():
                    session.end("stopped", "stopped on request")
                    return
            metrics = metrics_of(epoch / epochs)
            metrics |= {f"val_{name}": value * 0.97 for name, value in metrics.items()}
            best = max(best, metrics["val_accuracy"])
            session.save(
                epoch=epoch,
                step=0,
                epoch_seconds=time.time() - started,
                metrics=metrics,
                best={"epoch": epoch, "metric": "val_accuracy", "value": best},
            )
            seconds = {"seconds": time.time() - started, "images_per_second": 2000.0}
            session.event("epoch_end", epoch=epoch, metrics=metrics, learning_rate=0.01, **seconds)
            record_epoch(run.path / "history.csv", {"epoch": epoch, **seconds, **metrics})
            write_checkpoint(session, f"epoch-{epoch:04d}", epoch)
            write_checkpoint(session, "last", epoch)
            if "stop-after-epoch" in session.asked():
                session.end("stopped", "stopped after the epoch, on request")
                return
        session.event("warning", kind="plateau", message="The loss has not fallen for a while.")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("run")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--pause", type=float, default=0.0)
    options = parser.parse_args()
    train(RunDirectory(options.run), options.epochs, options.steps, options.pause)


if __name__ == "__main__":
    main()
