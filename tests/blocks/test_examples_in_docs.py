import doctest
import sys

import keras
import numpy as np
import pytest

import cnnblocks


@pytest.mark.parametrize("name", cnnblocks.blocks.__all__)
def test_the_example_in_the_docstring_runs(name):
    module = sys.modules[getattr(cnnblocks, name).__module__]
    globs = {"cnnblocks": cnnblocks, "keras": keras, "np": np}
    failed, tried = doctest.testmod(module, extraglobs=globs)
    assert failed == 0
    assert tried > 1
