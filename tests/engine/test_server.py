"""The engine's protocol, with a real engine process."""

import os
import signal
from pathlib import Path

import cnnblocks


def test_it_says_hello_before_keras_is_imported(engine):
    assert engine.hello["hello"]["schema"] == 1
    assert engine.hello["hello"]["version"] == cnnblocks.__version__
    assert engine.hello["hello"]["pid"] == engine.process.pid


def test_an_unknown_method_is_answered_with_those_there_are(engine):
    error = engine.error("networks.sumary", network="lenet5")
    assert error["kind"] == "user"
    assert "networks.summary" in error["message"]


def test_a_users_mistake_is_answered_in_its_own_words(engine):
    error = engine.error("networks.summary", network="lenet6")
    assert error["kind"] == "user"
    assert "Did you mean" in error["message"]
    assert "'lenet5'" in error["message"]


def test_wrong_parameters_are_named_and_do_not_end_the_engine(engine):
    error = engine.error("networks.summary", wrong=1)
    assert error["kind"] == "user"
    assert "wrong" in error["message"]
    assert engine.ask("data.sources")["digits"]


def test_a_line_that_is_no_request_is_answered(engine):
    engine.process.stdin.write("this is no JSON\n")
    engine.process.stdin.flush()
    message, _ = engine.answer(None)
    assert message["error"]["kind"] == "user"
    assert "this is no JSON" in message["error"]["message"]


def test_a_request_waiting_in_the_queue_can_be_cancelled(engine):
    first = engine.send("data.describe", source="digits")
    second = engine.send("data.describe", source="digits")
    engine.write({"method": "cancel", "params": {"id": second}})
    assert "result" in engine.answer(first)[0]
    assert engine.answer(second)[0]["error"]["kind"] == "cancelled"


def test_an_answer_kept_on_disk_comes_before_keras(start, engine):
    asked = {"network": "lenet5", "input_shape": [28, 28, 1]}
    table = engine.ask("networks.summary", **asked)
    cold = start()
    cold.send("networks.summary", **asked)
    assert cold.read() == {"id": 1, "result": table}
    assert "ready" in cold.read()
    assert cold.close() == 0


def test_the_end_of_stdin_ends_it_and_removes_its_folder(start):
    client = start()
    images = Path(client.ask("data.preview", source="digits")["images"])
    assert images.exists()
    assert client.close() == 0
    assert not images.parent.exists()


def test_what_libraries_print_goes_to_the_log(start, user_home):
    client = start("--backend", "tensorflow")
    client.ask("data.sources")
    os.kill(client.process.pid, signal.SIGTERM)
    assert client.process.stdout.read() == ""
    assert (user_home / "state" / "logs" / "engine.log").exists()
