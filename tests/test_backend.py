"""Choosing Keras' backend, each time in a fresh process."""

import json
import os
import subprocess
import sys

import pytest

ASK = "from cnnblocks.backend import select_backend; print(select_backend({}))"


def run(code, home, **environment):
    clean = {key: value for key, value in os.environ.items() if key != "KERAS_BACKEND"}
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**clean, "KERAS_HOME": str(home), **environment},
        capture_output=True,
        text=True,
    )


def test_the_argument_goes_before_the_environment(tmp_path):
    result = run(ASK.format("'tensorflow'"), tmp_path, KERAS_BACKEND="jax")
    assert result.stdout.strip() == "tensorflow"


def test_the_environment_goes_before_keras_configuration(tmp_path):
    (tmp_path / "keras.json").write_text(json.dumps({"backend": "jax"}))
    assert run(ASK.format(""), tmp_path, KERAS_BACKEND="tensorflow").stdout.strip() == "tensorflow"


def test_tensorflow_is_what_nothing_said_gives(tmp_path):
    assert run(ASK.format(""), tmp_path).stdout.strip() == "tensorflow"


@pytest.mark.parametrize("content", ["no json", '{"backend": "unknown"}', "{}"])
def test_an_unusable_configuration_is_passed_over(tmp_path, content):
    (tmp_path / "keras.json").write_text(content)
    assert run(ASK.format(""), tmp_path).stdout.strip() == "tensorflow"


def test_an_unknown_backend_is_named_with_those_there_are(tmp_path):
    error = run(ASK.format("'theano'"), tmp_path).stderr
    assert "tensorflow, jax, torch. Received: theano" in error


def test_a_missing_backend_says_how_to_install_it(tmp_path):
    hide = "import importlib.util as u; f = u.find_spec\n"
    hide += "u.find_spec = lambda n, *a: None if n == 'jax' else f(n, *a)\n"
    error = run(hide + ASK.format("'jax'"), tmp_path).stderr
    assert "pip install 'cnnblocks[jax]'" in error


def test_importing_keras_prints_nothing_and_settles_the_backend(tmp_path):
    code = """
from cnnblocks.backend import import_keras, select_backend
print(import_keras())
try:
    select_backend("jax")
except ValueError as error:
    print(error)
"""
    result = run(code, tmp_path)
    assert result.stderr == ""
    chosen, error = result.stdout.splitlines()
    assert chosen == "tensorflow"
    assert "Set KERAS_BACKEND=jax before Keras is imported" in error
