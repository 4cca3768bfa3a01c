"""What the docstrings and docs/data.md show is what happens."""

import doctest
import re
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cnnblocks.data

MODULES = sorted(path.stem for path in Path(cnnblocks.data.__file__).parent.glob("[a-z]*.py"))


@pytest.mark.parametrize("name", ["__init__", *MODULES])
def test_docstrings(name):
    module = import_module("cnnblocks.data" + ("" if name == "__init__" else f".{name}"))
    names = {"np": np, "Image": Image}
    assert doctest.testmod(module, extraglobs=names).failed == 0


def test_page():
    page = Path(__file__).parents[2] / "docs" / "data.md"
    (code,) = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.S)
    names: dict = {}
    exec(code, names)
    assert names["images"].shape == (64, 32, 32, 3)
    assert names["labels"].shape == (64,)
