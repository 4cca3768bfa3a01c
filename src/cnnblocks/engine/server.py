"""The engine's protocol: JSON lines on stdin and stdout.

The engine first writes ``{"hello": {"schema": 1, "version": ..., "pid": ...}}`` and, once Keras is
imported, ``{"ready": {"backend": ..., "keras": ...}}``. Then, at any time:

| direction | line |
|---|---|
| in | ``{"id": 7, "method": "networks.summary", "params": {...}}`` |
| in | ``{"method": "cancel", "params": {"id": 7}}`` |
| out | ``{"id": 7, "progress": {...}}``, any number of times |
| out | ``{"id": 7, "result": ...}`` or ``{"id": 7, "error": {"kind": ..., "message": ...}}`` |

An error's `kind` is `user` (the message says what to do), `cancelled` or `internal` (the log has
the traceback). Requests are answered one at a time in their order, except those whose answer lies
in the disk cache: they are answered at once, even before Keras is imported. Arrays go by `.npy`
files in a temporary folder. The end of stdin ends the engine.
"""

import inspect
import json
import os
import queue
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from cnnblocks._version import __version__
from cnnblocks.backend import select_backend
from cnnblocks.engine import cache
from cnnblocks.engine.registry import (
    CACHED,
    METHODS,
    Cancelled,
    Context,
    EngineError,
    load_methods,
)
from cnnblocks.errors import CnnblocksError

SCHEMA = 1
_PROGRESS_SECONDS = 0.1


class Server:
    """Reads requests from one stream and writes answers to another.

    Args:
        requests: Where the lines come from.
        answers: Where the lines go; nothing else may write there.
    """

    def __init__(self, requests: TextIO, answers: TextIO):
        self._requests = requests
        self._answers = answers
        self._writing = threading.Lock()
        self._queue: queue.SimpleQueue[dict | None] = queue.SimpleQueue()
        self._cancelled: set = set()

    def serve(self) -> None:
        """Answer until stdin ends."""
        self._send(hello={"schema": SCHEMA, "version": __version__, "pid": os.getpid()})
        threading.Thread(target=self._read, daemon=True).start()
        load_methods()
        self._send(ready=_ready())
        with tempfile.TemporaryDirectory(prefix="cnnblocks-engine-") as folder:
            while (request := self._queue.get()) is not None:
                self._answer(request, Path(folder))

    def _send(self, **message: Any) -> None:
        line = json.dumps(message)
        with self._writing:
            self._answers.write(line + "\n")
            self._answers.flush()

    def _read(self) -> None:
        for line in self._requests:
            try:
                request = json.loads(line)
                self._receive(request.get("id"), request["method"], request.get("params") or {})
            except (ValueError, KeyError, AttributeError, TypeError):
                message = f"Expected a JSON object with a method. Received: {line.strip()[:200]}"
                self._send(id=None, error={"kind": "user", "message": message})
        self._queue.put(None)

    def _receive(self, identity: Any, method: str, params: dict) -> None:
        if method == "cancel":
            self._cancelled.add(params["id"])
            return
        answer = cache.recall(method, params) if method in CACHED else None
        if answer is not None:
            self._send(id=identity, result=answer)
        else:
            self._queue.put({"id": identity, "method": method, "params": params})

    def _answer(self, request: dict, folder: Path) -> None:
        identity = request["id"]
        try:
            result = self._run(request, Context(folder, self._reporter(identity)))
            self._send(id=identity, result=result)
        except Cancelled:
            self._fail(identity, "cancelled", "The request was cancelled.")
        except CnnblocksError as error:
            self._fail(identity, "user", str(error))
        except Exception as error:
            traceback.print_exc()
            self._fail(identity, "internal", f"{type(error).__name__}: {error}")
        finally:
            self._cancelled.discard(identity)

    def _run(self, request: dict, context: Context) -> Any:
        name, params = request["method"], request["params"]
        if request["id"] in self._cancelled:
            raise Cancelled
        if name not in METHODS:
            known = ", ".join(sorted(METHODS))
            raise EngineError(f"The engine has no method {name!r}. It has: {known}")
        function = METHODS[name].function
        try:
            arguments = inspect.signature(function).bind(context, **params)
        except TypeError as error:
            raise EngineError(f"{name}: {error}. Received: {', '.join(params)}") from None
        result = function(*arguments.args, **arguments.kwargs)
        if METHODS[name].cached:
            cache.remember(name, params, result)
        return result

    def _reporter(self, identity: Any) -> Callable[..., None]:
        sent = 0.0

        def report(**progress: Any) -> None:
            nonlocal sent
            if identity in self._cancelled:
                raise Cancelled
            if time.monotonic() - sent >= _PROGRESS_SECONDS:
                sent = time.monotonic()
                self._send(id=identity, progress=progress)

        return report

    def _fail(self, identity: Any, kind: str, message: str) -> None:
        self._send(id=identity, error={"kind": kind, "message": message})


def _ready() -> dict:
    import keras

    return {"backend": keras.config.backend(), "keras": keras.__version__}


def _set_stdout_aside(log: Path) -> TextIO:
    """Send file descriptors 1 and 2 to the log, so that no library can break the protocol."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.stdout = sys.stderr
    return answers


def run_engine(backend: str | None, log: Path) -> None:
    """Be the engine, on the CPU, until stdin ends.

    Args:
        backend: Keras' backend; `None` for the usual one.
        log: The file that receives everything libraries print.
    """
    answers = _set_stdout_aside(log)
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    os.environ["JAX_PLATFORMS"] = "cpu"
    if hasattr(os, "nice"):
        # The screen that waits for the answer comes first.
        os.nice(5)
    select_backend(backend)
    Server(sys.stdin, answers).serve()
