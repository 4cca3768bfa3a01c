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


@pytest.mark.parametrize("way", ["terminated", "hung up"])
def test_the_view_outlives_a_signal(way, new_run, runs_dir):
    new_run("lenet5")
    command = [sys.executable, "-m", "cnnblocks_tui", "--runs-dir", str(runs_dir)]
    process, terminal = pty.fork()
    if process == 0:
        os.execve(command[0], command, os.environ | {"TERM": "xterm-256color"})
    shown, told = bytearray(), threading.Event()
    reader = threading.Thread(target=read_until, args=(told, terminal, shown), daemon=True)
    reader.start()
    wait_until(lambda: b"lenet5" in shown)
    time.sleep(1)
    os.write(terminal, b"t")
    wait_until(lambda: "▼".encode() in shown)
    time.sleep(1)
    if way == "terminated":
        os.kill(process, signal.SIGTERM)
    else:
        told.set()
        reader.join()
        os.close(terminal)
    ended = []
    wait_until(lambda: ended.extend(os.waitpid(process, os.WNOHANG)[:1]) or any(ended))
    view = json.loads((state_directory() / "tui.json").read_text())["views"]["runs"]
    assert view["sort"] != "created"
