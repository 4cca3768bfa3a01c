import json
import os
import subprocess
import sys

import pytest

from cnnblocks.runs import NewerSchemaError, RunError, read_json, replacing, write_json, write_text


def names(directory):
    return [path.name for path in directory.iterdir()]


def test_the_file_is_the_old_one_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "last.weights.h5"
    path.write_text("old")
    with replacing(path) as aside:
        aside.write_text("ne")
        assert path.read_text() == "old"
        assert aside.name.endswith(".weights.h5")
        aside.write_text("new")
    assert path.read_text() == "new"
    assert names(tmp_path) == ["last.weights.h5"]


def test_an_error_while_writing_leaves_the_old_file_alone(tmp_path):
    path = tmp_path / "status.json"
    path.write_text("old")
    with pytest.raises(RuntimeError), replacing(path) as aside:
        aside.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert names(tmp_path) == ["status.json"]


@pytest.mark.skipif(os.name == "nt", reason="kills by signal")
def test_a_process_killed_in_between_leaves_the_old_file(tmp_path):
    path = tmp_path / "status.json"
    write_json(path, {"epoch": 1})
    code = """
import os, signal, sys
from cnnblocks.runs import replacing
with replacing(sys.argv[1]) as aside:
    aside.write_text('{"epoch": 2')
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", code, str(path)]).returncode == -9
    assert read_json(path) == {"schema": 1, "epoch": 1}


def test_a_file_being_replaced_is_whole_whenever_it_is_read(tmp_path):
    path = tmp_path / "status.json"
    write_json(path, {"numbers": [0] * 3000})
    code = """
import sys
from cnnblocks.runs import write_json
for i in range(200): write_json(sys.argv[1], {"numbers": [i] * 3000})
"""
    writer = subprocess.Popen([sys.executable, "-c", code, str(path)])
    while writer.poll() is None:
        assert len(set(read_json(path)["numbers"])) == 1
    assert writer.returncode == 0


def test_json_has_the_schema_first_and_no_nan(tmp_path):
    write_json(tmp_path / "a.json", {"value": float("nan"), "path": tmp_path})
    assert json.loads((tmp_path / "a.json").read_text()) == {
        "schema": 1,
        "value": None,
        "path": str(tmp_path),
    }


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        ("{", RunError, "damaged"),
        ("[1]", RunError, "expected a JSON object, found a list"),
        ('{"schema": 2}', NewerSchemaError, "schema 2"),
        ('{"schema": "x"}', NewerSchemaError, "schema x"),
        (None, RunError, "Cannot read"),
    ],
)
def test_what_cannot_be_read_says_why(tmp_path, content, error, message):
    path = tmp_path / "status.json"
    if content is not None:
        write_text(path, content)
    with pytest.raises(error, match=message):
        read_json(path)
