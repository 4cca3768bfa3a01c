import json
import os
import subprocess
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnblocks.runs import EventTail, EventWriter, NewerSchemaError, follow_events, read_events

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
event_fields = st.dictionaries(
    st.text(min_size=1).filter(lambda name: name not in ("schema", "time", "event", "self")),
    values,
    max_size=4,
)


@given(
    written=st.lists(event_fields, max_size=8),
    shares=st.lists(st.floats(0, 1), max_size=12).map(sorted),
    most=st.integers(1, 200),
)
def test_any_chunks_of_bytes_give_exactly_the_written_events(
    tmp_path_factory, written, shares, most
):
    directory = tmp_path_factory.mktemp("log")
    with EventWriter(directory / "whole.jsonl") as log:
        for fields in written:
            log.write("progress", **fields)
    content = (directory / "whole.jsonl").read_bytes()
    cuts = [round(share * len(content)) for share in shares]
    growing = directory / "growing.jsonl"
    growing.touch()
    tail, seen = EventTail(growing), []
    for start, end in zip([0, *cuts], [*cuts, len(content)], strict=True):
        with growing.open("ab") as file:
            file.write(content[start:end])
        while events := tail.poll(max_bytes=most):
            seen += events
    assert [
        {k: v for k, v in event.items() if k not in ("schema", "time", "event")} for event in seen
    ] == written
    assert tail.position == len(content)
    assert tail.damaged == tail.restarts == 0


def test_lines_have_schema_time_and_event(tmp_path):
    with EventWriter(tmp_path / "log") as log:
        log.write("epoch_end", epoch=1, metrics={"loss": float("nan"), "val_loss": float("inf")})
    (line,) = (tmp_path / "log").read_text().splitlines()
    event = json.loads(line)
    assert list(event)[:3] == ["schema", "time", "event"]
    assert event["schema"] == 1
    assert event["metrics"] == {"loss": None, "val_loss": None}


def test_numbers_of_other_libraries_become_pythons(tmp_path):
    np = pytest.importorskip("numpy")
    with EventWriter(tmp_path / "log") as log:
        log.write("progress", loss=np.float32(0.5), step=np.int64(3), bad=np.float32("nan"))
    (event,) = read_events(tmp_path / "log")
    assert (event["loss"], event["step"], event["bad"]) == (0.5, 3, None)


def test_processes_that_write_at_once_never_mix_their_lines(tmp_path):
    code = (
        "import sys; from cnnblocks.runs import EventWriter\n"
        "with EventWriter(sys.argv[1]) as log:\n"
        "    for i in range(300): log.write('progress', writer=sys.argv[2], i=i, pad='x' * 5000)"
    )
    log = tmp_path / "log"
    writers = [
        subprocess.Popen([sys.executable, "-c", code, str(log), name]) for name in ("a", "b", "c")
    ]
    tail, seen = EventTail(log), []
    while any(writer.poll() is None for writer in writers):
        seen += tail.poll()
    while events := tail.poll():
        seen += events
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    assert tail.damaged == 0
    for name in ("a", "b", "c"):
        assert [event["i"] for event in seen if event["writer"] == name] == list(range(300))


def test_half_a_line_of_a_killed_writer_is_passed_over(tmp_path):
    log = tmp_path / "log"
    log.write_text('{"schema":1,"time":1,"event":"run_start"}\n{"schema":1,"ti')
    tail = EventTail(log)
    assert [event["event"] for event in tail.poll()] == ["run_start"]
    with EventWriter(log) as writer:
        writer.write("resume", epoch=1)
    assert [event["event"] for event in tail.poll()] == ["resume"]
    assert tail.damaged == 1


@pytest.mark.parametrize("replace", ["truncate", "rewrite", "rename"])
def test_a_log_that_became_another_one_is_read_from_its_start(tmp_path, replace):
    log = tmp_path / "log"
    with EventWriter(log) as writer:
        for step in range(10):
            writer.write("progress", step=step)
    tail = EventTail(log)
    assert len(tail.poll()) == 10
    other = tmp_path / "other"
    with EventWriter(other) as writer:
        for step in range(100, 100 + (2 if replace == "truncate" else 30)):
            writer.write("progress", step=step)
    if replace == "rename":
        other.replace(log)
    else:
        log.write_bytes(other.read_bytes())
    assert tail.poll()[0]["step"] == 100
    assert tail.restarts == 1


def test_a_missing_log_is_empty_and_may_come_later(tmp_path):
    tail = EventTail(tmp_path / "nowhere" / "log")
    assert tail.poll() == []
    (tmp_path / "nowhere").mkdir()
    with EventWriter(tail.path) as log:
        log.write("run_start")
    assert [event["event"] for event in tail.poll()] == ["run_start"]


def test_reading_goes_on_from_a_position(tmp_path):
    log = tmp_path / "log"
    with EventWriter(log) as writer:
        writer.write("run_start")
        position = log.stat().st_size
        writer.write("epoch_start", epoch=1)
    assert [event["event"] for event in EventTail(log, position).poll()] == ["epoch_start"]


def test_a_later_schema_is_refused_with_advice(tmp_path):
    (tmp_path / "log").write_text('{"schema":2,"time":1,"event":"run_start"}\n')
    with pytest.raises(NewerSchemaError, match=r"reads up to 1.*pip install --upgrade"):
        EventTail(tmp_path / "log").poll()


def test_following_ends_after_the_last_event(tmp_path):
    log = tmp_path / "log"
    over = threading.Event()

    def write():
        with EventWriter(log) as writer:
            for step in range(50):
                writer.write("progress", step=step)
        over.set()

    threading.Thread(target=write).start()
    followed = follow_events(log, over.is_set, interval=0.001)
    assert [event["step"] for event in followed] == list(range(50))


@pytest.mark.skipif(os.name == "nt", reason="file size limits are POSIX")
def test_a_line_that_does_not_fit_on_the_disk_raises_and_spoils_no_other(tmp_path):
    code = """
import resource, signal, sys
from cnnblocks.runs import EventWriter
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
log = EventWriter(sys.argv[1])
log.write("run_start")
resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
try:
    log.write("warning", message="x" * 500)
except OSError:
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
    log.write("run_end")
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "log")], check=True)
    assert [event["event"] for event in read_events(tmp_path / "log")] == ["run_start", "run_end"]
