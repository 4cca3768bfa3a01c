import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from cnnblocks.backend import select_backend
from cnnblocks.runs import RunDirectory
from cnnblocks.training.distribution import (
    Cluster,
    DistributionError,
    Team,
    find_cluster,
    is_loss_of_a_process,
    join,
)

SLURM = {
    "SLURM_JOB_ID": "4711",
    "SLURM_STEP_NODELIST": "gpu-[03-07,11],login",
    "SLURM_STEP_NUM_TASKS": "6",
    "SLURM_PROCID": "2",
}
LAUNCHER = {"MASTER_ADDR": "a", "MASTER_PORT": "9", "WORLD_SIZE": "4", "RANK": "3"}


@pytest.mark.parametrize(
    ("given", "environment", "expected"),
    [
        ((None, None, None), {}, None),
        (("h:1", 2, 1), {}, Cluster("h:1", 2, 1)),
        (("h:1", 1, 0), {}, None),
        ((None, None, None), SLURM, Cluster("gpu-03:66151", 6, 2)),
        ((None, None, None), SLURM | {"SLURM_STEP_NODELIST": "node7,node8"}, "node7"),
        ((None, None, None), SLURM | {"SLURM_STEP_NODELIST": "node7"}, "node7"),
        ((None, None, None), SLURM | {"SLURM_STEP_NUM_TASKS": "1"}, None),
        (("h:1", None, None), SLURM, Cluster("h:1", 6, 2)),
        ((None, None, None), LAUNCHER, Cluster("a:9", 4, 3)),
        ((None, None, None), LAUNCHER | {"WORLD_SIZE": "1"}, None),
    ],
)
def test_the_processes_are_those_named_or_those_of_the_scheduler(given, environment, expected):
    found = find_cluster(*given, environment=environment)
    if isinstance(expected, str):
        assert found.coordinator.startswith(f"{expected}:")
    elif expected and expected.coordinator.startswith("gpu-03"):
        assert found.coordinator.startswith("gpu-03:")
        assert (found.processes, found.process) == (6, 2)
        assert 1024 < int(found.coordinator.rpartition(":")[2]) < 65536
    else:
        assert found == expected


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("h:1", None, None), "--num-processes and --process-id"),
        (("h:1", 2, 2), "--process-id must be 0 to 1"),
        (("host", 2, 0), "HOST:PORT"),
    ],
)
def test_what_makes_no_sense_is_told(given, message):
    with pytest.raises(DistributionError, match=message):
        find_cluster(*given, environment={})


@pytest.mark.skipif(select_backend() == "jax", reason="JAX can")
def test_backends_that_cannot_train_across_processes_say_what_can():
    with pytest.raises(DistributionError, match=r"--backend jax.*--device all"):
        join(Cluster("127.0.0.1:1", 2, 0))


def test_a_batch_that_cannot_be_shared_names_one_that_can():
    team = Team("jax", devices=4, strategy=object())
    team.check_batch_size(32)
    with pytest.raises(DistributionError, match="multiple of 4, such as --batch-size 32"):
        team.check_batch_size(31)
    Team().check_batch_size(31)


def test_only_the_transports_errors_are_a_loss():
    lost = "UNKNOWN: Gloo AllGather failed: Read error [127.0.0.1]:17130: Connection reset by peer"
    assert is_loss_of_a_process(ValueError(lost))
    assert not is_loss_of_a_process(ValueError("Input 0 of layer dense is incompatible"))
    assert not is_loss_of_a_process(OSError("connection"))


WITHOUT_TENSORFLOW = """
import sys
sys.modules["tensorflow"] = None
"""
ON_TWO_DEVICES = """
import json, sys
from cnnblocks.backend import import_keras
backend, place = sys.argv[1:]
import_keras(backend)
if backend == "tensorflow":
    import tensorflow as tf
    two = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], two)
import cnnblocks
how = dict(epochs=2, images=128, optimizer="sgd", seed=1, runs_dir=place, tune="off")
for device in ("all", "cpu"):
    run = cnnblocks.train("lenet5", "digits", device=device, **how)
    print(json.dumps([run.history, run.events[-2]["metrics"], run.model().count_params()]))
"""


@pytest.fixture(scope="module")
def quick_start(tmp_path_factory):
    """Variables with which processes on JAX spend little time on compiling."""
    return {
        "XLA_FLAGS": "--xla_backend_optimization_level=0",
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path_factory.mktemp("compiled")),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_two_devices_of_one_machine_learn_what_one_does(backend, quick_start, tmp_path):
    pytest.importorskip(backend)
    two = quick_start["XLA_FLAGS"] + " --xla_force_host_platform_device_count=2"
    start = WITHOUT_TENSORFLOW if backend == "jax" else ""
    done = subprocess.run(
        [sys.executable, "-c", start + ON_TWO_DEVICES, backend, str(tmp_path)],
        env=os.environ | quick_start | {"XLA_FLAGS": two},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=500,
    )
    (shared, tested, size), (alone, tested_alone, size_alone) = map(
        json.loads, done.stdout.splitlines()
    )
    assert size == size_alone
    _assert_same_history(shared, alone)
    assert tested == pytest.approx(tested_alone, rel=1e-4)


def _assert_same_history(history, expected):
    measured = ("loss", "accuracy", "val_loss", "val_accuracy")
    assert len(history) == len(expected) > 0
    for row, other in zip(history, expected, strict=True):
        for name in measured:
            assert row[name] == pytest.approx(other[name], rel=1e-4), (name, row["epoch"])


CNNBLOCKS = (
    WITHOUT_TENSORFLOW
    + """
from cnnblocks.cli import main
main()
"""
)


class Processes:
    """Processes that train together, each `cnnblocks` with the same arguments."""

    def __init__(self, count, *arguments, **environment):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            coordinator = f"127.0.0.1:{free.getsockname()[1]}"
        together = ["--coordinator", coordinator, "--num-processes", str(count), "--process-id"]
        self.started = [
            subprocess.Popen(
                [
                    *(sys.executable, "-c", CNNBLOCKS, *map(str, arguments)),
                    *([*together, str(number)] if count > 1 else []),
                ],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=os.environ | environment,
            )
            for number in range(count)
        ]

    def wait(self, seconds=500):
        deadline = time.monotonic() + seconds
        try:
            return [process.wait(max(1, deadline - time.monotonic())) for process in self.started]
        finally:
            for process in self.started:
                process.kill()


@pytest.fixture(scope="module")
def train_arguments():
    pytest.importorskip("jax")
    how = "--data digits --epochs 8 --train-images 128 --optimizer sgd --seed 1 --tune off"
    return ["train", "lenet5", *how.split(), "--backend", "jax", "--device", "cpu", "--quiet"]


@pytest.fixture(scope="module")
def history_of_one(train_arguments, quick_start, tmp_path_factory):
    place = tmp_path_factory.mktemp("one")
    variables = quick_start | {"CNNBLOCKS_STATE_DIR": str(place)}
    assert Processes(1, *train_arguments, "--runs-dir", place, **variables).wait() == [0]
    return RunDirectory.open("last", place).history


@pytest.mark.slow
def test_four_processes_learn_what_one_does(train_arguments, history_of_one, quick_start, tmp_path):
    four = Processes(4, *train_arguments, "--runs-dir", tmp_path, **quick_start)
    assert four.wait() == [0, 0, 0, 0]
    (run,) = (RunDirectory(path) for path in tmp_path.iterdir())
    _assert_same_history(run.history, history_of_one)
    assert run.state == "finished"
    assert [event["processes"] for event in run.events if event["event"] == "run_start"] == [4]


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="kills by signal")
def test_a_run_that_lost_a_process_is_interrupted_and_resumes_to_the_same_end(
    train_arguments, history_of_one, quick_start, tmp_path
):
    two = Processes(2, *train_arguments, "--runs-dir", tmp_path, **quick_start)
    deadline = time.monotonic() + 400
    while not list(tmp_path.glob("*/checkpoints/last.weights.h5")):
        assert time.monotonic() < deadline, "no epoch was completed"
        time.sleep(0.02)
    two.started[1].send_signal(signal.SIGKILL)
    assert two.wait()[0] != 0
    (run,) = (RunDirectory(path) for path in tmp_path.iterdir())
    assert run.state == "interrupted"
    assert 1 <= len(run.history) < 8

    resumed = Processes(2, "resume", run.id, "--runs-dir", tmp_path, **quick_start)
    assert resumed.wait() == [0, 0]
    assert run.state == "finished"
    _assert_same_history(run.history, history_of_one)
