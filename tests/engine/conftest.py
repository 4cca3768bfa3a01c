"""One warm engine for all tests that do not test its start or its end."""

import json
import subprocess
import sys

import pytest


class Client:
    """Talks to a real engine process."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "cnnblocks.engine", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.hello = self.read()
        self._next = 0

    def read(self):
        return json.loads(self.process.stdout.readline())

    def send(self, method, **params):
        self._next += 1
        self.write({"id": self._next, "method": method, "params": params})
        return self._next

    def write(self, message):
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()

    def answer(self, identity):
        """The answer to one request, and the progress before it."""
        progress = []
        while True:
            message = self.read()
            if message.get("id", 0) != identity:
                continue
            if "progress" not in message:
                return message, progress
            progress.append(message["progress"])

    def ask(self, method, **params):
        message, _ = self.answer(self.send(method, **params))
        assert "result" in message, message
        return message["result"]

    def error(self, method, **params):
        message, _ = self.answer(self.send(method, **params))
        return message["error"]

    def close(self):
        self.process.stdin.close()
        return self.process.wait(timeout=60)


@pytest.fixture(scope="session")
def user_home(tmp_path_factory):
    return tmp_path_factory.mktemp("engine-user")


@pytest.fixture(scope="session")
def start(user_home):
    """Starts engines that share a cache and a log, and ends them."""
    clients = []

    def start(*arguments):
        with pytest.MonkeyPatch.context() as patch:
            for kind in ("cache", "state", "config"):
                patch.setenv(f"CNNBLOCKS_{kind.upper()}_DIR", str(user_home / kind))
            clients.append(Client(*arguments))
        return clients[-1]

    yield start
    for client in clients:
        if client.process.poll() is None:
            client.process.kill()


@pytest.fixture(scope="session")
def engine(start):
    return start()
