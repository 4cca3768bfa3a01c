"""The line to the engine, the helper process that has Keras.

The engine is started by the first request, in a session of its own, with pipes for its questions
and answers and a log for anything else it says. It is started again when it has died; whoever was
waiting gets an `EngineError`.
"""

import asyncio
import contextlib
import itertools
import json
import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cnnblocks.errors import CnnblocksError
from cnnblocks_tui.places import log_path

log = logging.getLogger("cnnblocks_tui")

_LONGEST_LINE = 64 << 20


class EngineError(CnnblocksError):
    """The engine refused, failed or went away; the message says what happened."""


@dataclass
class _Request:
    answer: asyncio.Future[Any]
    on_progress: Callable[[dict[str, Any]], None] | None


class EngineClient:
    """Asks the engine and hands its answers on.

    Args:
        on_change: Called when the engine's state changes, for those who show it.

    Example:

        >>> engine = EngineClient()
        >>> await engine.ask("summary", network="lenet5")  # doctest: +SKIP
    """

    def __init__(self, on_change: Callable[[], None] = lambda: None) -> None:
        self._on_change = on_change
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()
        self._requests: dict[int, _Request] = {}
        self._numbers = itertools.count(1)
        self._closed = False
        self._ready = False

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int | None:
        """The engine's process number, `None` before it was first needed."""
        return None if self._process is None else self._process.pid

    @property
    def state_in_words(self) -> str:
        """What the engine does while somebody waits for it; nothing when it rests."""
        if not self._requests:
            return ""
        return "computing… " if self._ready else "Keras is starting… "

    async def ask(
        self,
        method: str,
        on_progress: Callable[[dict[str, Any]], None] | None = None,
        **params: Any,
    ) -> Any:
        """Ask for something and wait for the answer.

        Cancelling the waiting task cancels the request.

        Args:
            method: What to do, such as `"summary"`.
            on_progress: Called with every progress message.
            **params: The method's arguments.

        Raises:
            EngineError: The engine refused, failed or went away.
        """
        await self._ensure_running()
        number = next(self._numbers)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._requests[number] = _Request(answer, on_progress)
        self._on_change()
        try:
            await self._send({"id": number, "method": method, "params": params})
            return await answer
        except asyncio.CancelledError:
            with contextlib.suppress(EngineError):
                await self._send({"method": "cancel", "params": {"id": number}})
            raise
        finally:
            self._requests.pop(number, None)
            self._on_change()

    async def close(self) -> None:
        """End the engine: it ends itself when its input does."""
        self._closed = True
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), timeout=1.0)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        if self._reader is not None:
            await asyncio.gather(self._reader, return_exceptions=True)

    async def _ensure_running(self) -> None:
        async with self._starting:
            if self._closed:
                raise EngineError("The program is closing.")
            if self.running:
                return
            try:
                await self._start()
            except OSError as error:
                raise EngineError(f"The helper process could not be started: {error}") from error

    async def _start(self) -> None:
        path = log_path("engine")
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as errors:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "cnnblocks.engine",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
                limit=_LONGEST_LINE,
            )
        self._ready = False
        log.info("Engine started, process %d", self._process.pid)
        self._reader = asyncio.create_task(self._read(self._process))

    async def _send(self, message: dict[str, Any]) -> None:
        process = self._process
        if process is None or process.stdin is None:
            raise EngineError("The helper process is gone.")
        try:
            process.stdin.write(json.dumps(message).encode() + b"\n")
            await process.stdin.drain()
        except (ConnectionError, RuntimeError) as error:
            raise EngineError("The helper process is gone; try again.") from error

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        try:
            while line := await process.stdout.readline():
                self._take(line)
        except (ValueError, ConnectionError):
            log.exception("The engine's answer could not be read")
        status = await process.wait()
        log.info("Engine ended with status %s", status)
        if self._process is process:
            self._process = None
        self._fail_all(
            f"The helper process ended unexpectedly (status {status}). Try again; what it said is "
            f"in {log_path('engine')}"
        )

    def _take(self, line: bytes) -> None:
        try:
            message = json.loads(line)
            request = self._requests.get(message.get("id"))
        except (ValueError, AttributeError):
            log.warning("Not a message of the engine: %r", line[:200])
            return
        if "ready" in message:
            self._ready = True
            self._on_change()
        if request is None or request.answer.done():
            return
        if "progress" in message:
            if request.on_progress is not None:
                request.on_progress(message["progress"])
        elif "error" in message:
            request.answer.set_exception(EngineError(str(message["error"].get("message", "?"))))
        else:
            request.answer.set_result(message.get("result"))

    def _fail_all(self, reason: str) -> None:
        for request in list(self._requests.values()):
            if not request.answer.done():
                request.answer.set_exception(EngineError(reason))
