"""The program in a real terminal, under tmux."""

import os
import shutil
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")


class Terminal:
    def __init__(self, socket, command):
        self.base = ["tmux", "-u", "-L", socket]
        size = ["-x", "80", "-y", "24"]
        self.run("-f", "/dev/null", "new-session", "-d", *size, command)

    def run(self, *arguments):
        done = subprocess.run(
            [*self.base, *arguments], capture_output=True, text=True, timeout=20, check=False
        )
        return done.stdout

    def keys(self, *keys):
        self.run("send-keys", *keys)

    def resize(self, width, height):
        self.run("resize-window", "-x", str(width), "-y", str(height))

    def wait(self, text, seconds=40):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            shown = self.run("capture-pane", "-p")
            if text in shown:
                return shown
            time.sleep(0.1)
        raise AssertionError(f"{text!r} did not appear:\n{shown}")


@pytest.fixture
def terminal(runs_dir):
    socket = f"cnnblocks-test-{os.getpid()}"
    program = f"{sys.executable} -m cnnblocks_tui --runs-dir {runs_dir}"
    command = f"env -u COLUMNS -u LINES LC_ALL=C.UTF-8 {program}"
    opened = Terminal(socket, f"{command}; sleep 60")
    yield opened
    opened.run("kill-server")


def test_start_type_read_resize_quit_and_the_run_lives(terminal, new_run, train_aside):
    process = train_aside(new_run("vgg16"), epochs=200)
    terminal.wait("▶ running")
    terminal.keys("Enter")
    terminal.wait("validation")
    terminal.keys("Escape")
    terminal.wait("n New")
    terminal.keys("/")
    terminal.wait("f1 Help")
    terminal.keys("!vgg")
    terminal.wait("No run fits the filter")
    terminal.keys("Escape")
    terminal.wait("▶ running")
    terminal.resize(50, 15)
    terminal.wait("This window is 50x15.")
    terminal.resize(120, 30)
    shown = terminal.wait("images/s")
    assert "20" in shown
    terminal.keys("?")
    terminal.wait("In tables and trees")
    terminal.keys("Escape", "")
    time.sleep(0.5)
    terminal.keys("q")
    time.sleep(2)
    assert "cnnblocks  1 Networks" not in terminal.run("capture-pane", "-p")
    assert process.poll() is None
