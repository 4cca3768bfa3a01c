"""What may be kept in memory."""

from cnnblocks.data import memory


def test_budget_is_part_of_what_is_free():
    import psutil

    assert 0 < memory.image_budget() < psutil.virtual_memory().total


def test_a_container_limit_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    (tmp_path / "memory.current").write_text("1000\n")
    (tmp_path / "memory.max").write_text("3000\n")
    assert memory.image_budget() == 1000
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.image_budget() > 1_000_000
    (tmp_path / "memory.max").write_text("500\n")
    assert memory.image_budget() == 0


def test_readable():
    assert [memory.readable(size) for size in (0, 1023, 1024, 5 * 2**20, 7 * 2**40)] == [
        "0.0 B", "1023.0 B", "1.0 KiB", "5.0 MiB", "7168.0 GiB",
    ]  # fmt: skip
