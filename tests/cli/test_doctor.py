import json
import os


def test_the_doctor_tells_versions_backend_devices_and_places(cnnblocks, runs_dir):
    found = json.loads(cnnblocks("doctor", "--json").stdout)
    assert found["schema"] == 1
    assert found["versions"]["keras"].startswith("3.")
    assert found["backend"] == os.environ.get("KERAS_BACKEND", "tensorflow")
    assert found["devices"] == ["cpu:0"]
    assert found["directories"]["runs"] == {"path": str(runs_dir), "writable": True}
    assert found["problems"] == []


def test_what_is_wrong_is_a_problem_with_status_1(cnnblocks, tmp_path):
    (tmp_path / "file").touch()
    done = cnnblocks("doctor", "--runs-dir", tmp_path / "file" / "runs", expect=1)
    assert f"The runs directory {tmp_path}/file/runs cannot be written." in done.stdout
