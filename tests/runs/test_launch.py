import os
import sys
import time
from pathlib import Path

import pytest


def until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def test_a_process_that_never_gets_to_training_is_told_of(run):
    (run.path / "config.json").write_text('{"schema": 1, "network": "lenet5"}')
    run.launch()
    until(lambda: run.state == "failed")
    assert run.status.reason
    assert run.console.is_file()


@pytest.mark.skipif(os.name == "nt", reason="sessions are POSIX")
def test_the_process_has_a_session_of_its_own_and_no_standard_input(run):
    pid = run.launch()
    assert os.getsid(pid) == pid != os.getsid(0)
    if sys.platform == "linux":
        assert Path(f"/proc/{pid}/fd/0").readlink() == Path("/dev/null")
        assert Path(f"/proc/{pid}/fd/2").readlink() == Path(str(run.console))
    until(lambda: run.state == "failed")
