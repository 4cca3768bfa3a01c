"""Real runs, real files and an app at a given size, for the terminal program's tests."""

import asyncio
import importlib.util
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cnnblocks.runs import RunDirectory

HERE = Path(__file__).parent
GOLDEN = HERE.parent / "golden" / "tui"


def _fake_trainer():
    spec = importlib.util.spec_from_file_location("fake_trainer", HERE / "fake_trainer.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def train():
    """Train a run directory with the fake trainer, in this process: `train(run, epochs, steps)`."""
    trainer = _fake_trainer()
    return lambda run, epochs=4, steps=20: trainer.train(run, epochs, steps, 0.0)


@pytest.fixture
def train_aside():
    """Train a run directory with the fake trainer in a process of its own, ended with the test."""
    processes = []

    def start(run, epochs=50, steps=50, pause=0.02):
        command = [sys.executable, str(HERE / "fake_trainer.py"), str(run.path)]
        options = ["--epochs", str(epochs), "--steps", str(steps), "--pause", str(pause)]
        process = subprocess.Popen(command + options, start_new_session=True)
        processes.append(process)
        deadline = time.time() + 60
        while not run.status.step and process.poll() is None and time.time() < deadline:
            time.sleep(0.05)
        return process

    yield start
    for process in processes:
        process.kill()
        process.wait()


@pytest.fixture
def runs_dir(tmp_path):
    return tmp_path / "runs"


@pytest.fixture
def new_run(runs_dir):
    """Create a queued run: `new_run("lenet5", epochs=4)`."""

    def create(network="lenet5", data="digits", epochs=4, **config):
        config = {"network": network, "data": {"name": data}, "epochs": epochs, **config}
        return RunDirectory.create(config, runs_dir)

    return create


@pytest.fixture
def open_app(runs_dir):
    """An app at a size: `async with open_app((80, 24), target) as (app, pilot)`."""
    from cnnblocks_tui.app import CnnblocksApp
    from cnnblocks_tui.settings import load_settings

    @asynccontextmanager
    async def opened(size=(80, 24), target=None, **settings):
        settings = {"reduced_motion": True, "runs_dir": runs_dir, **settings}
        app = CnnblocksApp(load_settings(**settings), target)
        async with app.run_test(size=size, notifications=True) as pilot:
            await pilot.pause()
            yield app, pilot

    return opened


@pytest.fixture
def no_directory(tmp_path, monkeypatch):
    """The working directory has been deleted."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()


@pytest.fixture
def lines_of():
    """The text on an app's screen, a string a line."""
    return screen_lines


def screen_lines(app) -> list[str]:
    # What the terminal gets; an exported screenshot says the same and takes a hundred times longer.
    strips = app.screen._compositor.render_strips()
    return [strip.text.rstrip() for strip in strips]


@pytest.fixture
def wait_for():
    """Wait until a condition holds or a text stands on the screen; fails after a minute."""

    async def wait(pilot, condition, seconds=20.0):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if condition() if callable(condition) else shows(pilot.app, condition):
                await pilot.pause()
                return
            await pilot.pause(0.05)
        shown = "\n".join(screen_lines(pilot.app))
        raise AssertionError(f"Waited in vain for {condition!r}. The screen shows:\n{shown}")

    return wait


def shows(app, text: str) -> bool:
    return text in "\n".join(screen_lines(app))


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory):
    return tmp_path_factory.mktemp("engine-cache")


@pytest.fixture
def engine_cache(shared_cache, monkeypatch):
    """Answers of the engine are kept from test to test, as they are from day to day."""
    monkeypatch.setenv("CNNBLOCKS_CACHE_DIR", str(shared_cache))


@pytest.fixture
def press_text():
    """Type a text, a key at a time."""
    names = {" ": "space", ".": "full_stop", "/": "slash", "-": "minus", "_": "underscore"}
    names |= {":": "colon", ",": "comma", "[": "left_square_bracket", "!": "exclamation_mark"}
    names["]"] = "right_square_bracket"

    async def press(pilot, text):
        for character in text:
            await pilot.press(names.get(character, character))
        await asyncio.sleep(0)

    return press
