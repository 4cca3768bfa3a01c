from cnnblocks.runs import list_checkpoints, write_json


def test_checkpoints_are_listed_in_the_order_of_their_epochs(run):
    directory = run.path / "checkpoints"
    for name in ("last", "epoch-0010", "best", "epoch-0002"):
        (directory / f"{name}.weights.h5").write_bytes(b"12345")
    write_json(directory / "last.state.json", {"epoch": 12, "step": 3})
    (directory / ".writing-1-0-last.weights.h5").touch()
    (directory / "notes.txt").touch()
    found = {checkpoint.name: checkpoint for checkpoint in run.checkpoints}
    assert list(found) == ["epoch-0002", "epoch-0010", "best", "last"]
    assert [checkpoint.epoch for checkpoint in found.values()] == [2, 10, None, 12]
    assert found["last"].state == directory / "last.state.json"
    assert found["best"].state is None
    assert found["best"].bytes == 5


def test_a_run_without_checkpoints_has_none(tmp_path):
    assert list_checkpoints(tmp_path) == []
