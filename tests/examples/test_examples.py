"""Every example runs and reaches what it says it shows."""

import ast
import re
import runpy
from pathlib import Path

import keras
import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
LEAST = {
    "fine_tuning": 0.85,
    "own_model": 0.95,
    "stage_features": 0.9,
    "subclassed_model": 0.85,
}


def test_every_example_is_run_here():
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(LEAST)


@pytest.mark.slow
@pytest.mark.parametrize("name", LEAST)
def test_example(name, capsys):
    runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    keras.backend.clear_session()
    figure = re.search(r": (\d\.\d+)\s*$", capsys.readouterr().out)
    assert float(figure.group(1)) >= LEAST[name]


@pytest.mark.parametrize("name", LEAST)
def test_example_starts_with_what_it_shows_and_how_long_it_takes(name):
    text = (EXAMPLES / f"{name}.py").read_text()
    docstring = ast.get_docstring(ast.parse(text))
    assert re.search(
        r"^Shows: .+^Takes: about \d+ seconds on two CPU cores\.$", docstring, re.M | re.S
    )
