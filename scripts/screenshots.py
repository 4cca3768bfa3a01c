"""Draw every screen of cnnblocks-tui as SVG into docs/images. Run: python scripts/screenshots.py

A short training on the built-in digits is made first, so the pictures are of real runs and files.
"""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

IMAGES = Path(__file__).parents[1] / "docs" / "images"
SIZE = (120, 36)
WAIT = 300.0


async def until(pilot, condition: Callable[[], bool]) -> None:
    """Wait until a condition holds and the screen has been drawn."""
    deadline = time.monotonic() + WAIT
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{pilot.app.screen} did not get ready")
        await pilot.pause(0.1)
    await pilot.pause(0.8)


def idle(app) -> bool:
    return not app.engine.state_in_words


async def draw(pilot, name: str) -> None:
    await pilot.pause(0.4)
    # Some viewers drop the spaces at the start of a text unless they are told not to.
    drawing = pilot.app.export_screenshot(title="cnnblocks-tui")
    drawing = drawing.replace("<svg ", '<svg xml:space="preserve" ', 1)
    (IMAGES / f"{name}.svg").write_text(drawing)
    print(f"drawn: docs/images/{name}.svg")


async def main() -> None:
    from textual.widgets import Input, TabbedContent

    from cnnblocks_tui.app import CnnblocksApp
    from cnnblocks_tui.settings import load_settings

    IMAGES.mkdir(parents=True, exist_ok=True)
    app = CnnblocksApp(load_settings(reduced_motion=True))
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("n")
        form = app.screen
        await until(pilot, lambda: form.query_one("#field-network").options and idle(app))
        form.query_one("#field-epochs", Input).value = "8"
        form.query_one("#field-checkpoint_every", Input).value = "1"
        await until(pilot, lambda: "--epochs 8" in form.command and idle(app))
        await draw(pilot, "new-run")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: app.screen.NAME == "run")
        run = app.screen.path
        await until(pilot, lambda: app.screen.feed.status.epoch >= 5)
        await draw(pilot, "run")
        await until(pilot, lambda: app.screen.feed.state == "finished")
        await pilot.press("v")
        tabs = app.screen.query_one("#run-tabs", TabbedContent)
        await until(pilot, lambda: tabs.active == "tab-results" and idle(app))
        await draw(pilot, "results")
        await pilot.press("escape")
        await until(pilot, lambda: app.screen.NAME == "runs")
        await draw(pilot, "runs")
        await pilot.press("question_mark")
        await draw(pilot, "help")
        await pilot.press("escape")
        await networks(pilot)
        await weights(pilot, run)
        await predict(pilot, run)


async def networks(pilot) -> None:
    app = pilot.app
    await pilot.press("1")
    await until(pilot, lambda: bool(app.screen.facts))
    app.screen.query_one("#network-filter").value = "resnet18"
    await until(pilot, lambda: "resnet18" in app.screen.tables and idle(app))
    await pilot.press("z")
    await draw(pilot, "networks")
    await pilot.press("right_square_bracket")
    await draw(pilot, "picture")


async def weights(pilot, run: Path) -> None:
    app = pilot.app
    checkpoints = run / "checkpoints"
    app.show_weights(checkpoints / "epoch-0008.weights.h5")
    await until(pilot, lambda: app.screen.NAME == "weights" and app.screen.tensor is not None)
    await draw(pilot, "weights")
    await pilot.press("right_square_bracket", "right_square_bracket")
    await pilot.pause(0.5)
    await draw(pilot, "kernels")
    app.show_diff(checkpoints / "epoch-0001.weights.h5", checkpoints / "epoch-0008.weights.h5")
    await until(pilot, lambda: bool(app.screen.pairs))
    await draw(pilot, "diff")
    await pilot.press("escape")
    app.show_layers(run / "model.keras")
    await until(pilot, lambda: bool(app.screen.rows) and idle(app))
    await draw(pilot, "layers")
    await pilot.press("escape")


async def predict(pilot, run: Path) -> None:
    from PIL import Image
    from sklearn.datasets import load_digits

    app = pilot.app
    folder = Path(tempfile.mkdtemp())
    for index, image in enumerate(load_digits().images[:12]):
        Image.fromarray((image * 15.9).astype("uint8")).save(folder / f"digit-{index:02d}.png")
    app.show_predict(run)
    await until(pilot, lambda: app.screen.NAME == "predict")
    app.screen.add_images(folder)
    await until(pilot, lambda: bool(app.screen.verdicts) and idle(app))
    await draw(pilot, "predict")
    await pilot.press("m")
    await until(pilot, lambda: bool(app.screen._stages) and idle(app))
    await draw(pilot, "feature-maps")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home:
        for kind in ("STATE", "CONFIG", "CACHE"):
            os.environ[f"CNNBLOCKS_{kind}_DIR"] = str(Path(home) / kind.lower())
        os.environ["CNNBLOCKS_RUNS_DIR"] = str(Path(home) / "runs")
        sys.exit(asyncio.run(main()))
