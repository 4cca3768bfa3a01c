"""The end of the terminal or of the process: what was set is remembered."""

import json
import os
import pty
import select
import signal
import sys
import threading
import time

import pytest

from cnnblocks.runs import state_directory


def read_until(told, terminal, shown):
    while not told.is_set():
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                shown.extend(os.read(terminal, 4096))
            except OSError:
                return


def wait_until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "Waited in vain"
        time.sleep(0.1)


def start(runs_dir):
    """The program in a terminal of its own; what it shows is gathered until `told` is set."""
    command = [sys.executable, "-m", "cnnblocks_tui", "--runs-dir", str(runs_dir)]
    process, terminal = pty.fork()
    if process == 0:
        os.execve(command[0], command, os.environ | {"TERM": "xterm-256color"})
    shown, told = bytearray(), threading.Event()
    reader = threading.Thread(target=read_until, args=(told, terminal, shown), daemon=True)
    reader.start()

    def hang_up():
        told.set()
        reader.join()
        os.close(terminal)

    wait_until(lambda: b"lenet5" in shown)
    time.sleep(1)
    return process, terminal, shown, hang_up


def wait_for_its_end(process):
    ended = []
    try:
        wait_until(lambda: ended.extend(os.waitpid(process, os.WNOHANG)[:1]) or any(ended))
    finally:
        if not any(ended):
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)


@pytest.mark.parametrize("way", ["terminated", "hung up"])
def test_the_view_outlives_a_signal(way, new_run, runs_dir):
    new_run("lenet5")
    process, terminal, shown, hang_up = start(runs_dir)
    os.write(terminal, b"t")
    wait_until(lambda: "▼".encode() in shown)
    time.sleep(1)
    if way == "terminated":
        os.kill(process, signal.SIGTERM)
    else:
        hang_up()
    wait_for_its_end(process)
    view = json.loads((state_directory() / "tui.json").read_text())["views"]["runs"]
    assert view["sort"] != "created"


@pytest.mark.parametrize("delay", [0.15, 0.2, 0.25])
def test_a_terminal_closed_while_the_program_ends_leaves_no_process(delay, new_run, runs_dir):
    new_run("lenet5")
    process, terminal, _, hang_up = start(runs_dir)
    os.write(terminal, b"q")
    time.sleep(delay)
    hang_up()
    wait_for_its_end(process)
