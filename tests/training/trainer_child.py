"""Makes a run, or trains one and does to itself what `plan` says, in a process of its own.

The tests run it with these globals: `job`, a dictionary with `create` (arguments of `settle`,
and `runs_dir`) or `directory`; `plan`, what to do to itself and at which event; `epochs`, to add.
"""

import os
import resource
import shutil
import signal
import sys
import threading

from cnnblocks.training import Run

job = globals()["job"]
plan = job.get("plan")
events = []


def watch(name, fields):
    """Do what is planned at the event that it is planned for."""
    events.append(name)
    action, wanted, epoch = plan
    if name != wanted or fields.get("epoch") != epoch:
        return
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif action == "kill soon":
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGKILL)).start()
    elif action == "fill the disk":
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
    elif action == "delete":
        shutil.rmtree(job["directory"])
    elif action in ("SIGINT", "SIGTERM") and "sent" not in events:
        events.append("sent")
        os.kill(os.getpid(), signal.Signals[action])


def die_while_writing(event, arguments):
    """Die when a checkpoint stands beside the old one in full, but is not renamed yet."""
    if event == "os.rename" and "last.weights.h5" in str(arguments[0]) and "epoch_end" in events:
        os.kill(os.getpid(), signal.SIGKILL)


if "create" in job:
    from cnnblocks.training.preparation import settle

    prepared = settle(**job["create"])
    Run.create(prepared.config.to_dict(), runs_dir=job["runs_dir"])
else:
    if "config" in job:
        run = Run(job["directory"])
        run.write_config({**run.config, "recipe": {**run.config["recipe"], **job["config"]}})
    if plan and plan[0] == "die while writing":
        sys.addaudithook(die_while_writing)
    Run(job["directory"]).resume(job.get("epochs", 0), observer=watch if plan else None)
