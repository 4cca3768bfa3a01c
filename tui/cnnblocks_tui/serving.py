"""The program in a browser of this machine: `cnnblocks-tui --serve`."""

import logging
import shlex
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import web
from textual_serve.server import Server

from cnnblocks.errors import CnnblocksError

LOOPBACK = "127.0.0.1"
_NAMES = (LOOPBACK, "localhost")


class ServingError(CnnblocksError, RuntimeError):
    """The port cannot be had."""


class LoopbackServer(Server):
    """Serves the program to pages that it gave out itself, and to nobody else.

    Whoever reaches the terminal can start and delete runs, so it listens on the loopback address,
    and a page of another origin that is open in the same browser is refused. Nothing is asked of
    any other machine: the font comes from here as well.

    Args:
        arguments: What the program is started with, once for every page.
        port: The port to listen on.
    """

    def __init__(self, arguments: Sequence[str], port: int) -> None:
        super().__init__(
            shlex.join([sys.executable, "-m", "cnnblocks_tui", *arguments]),
            host=LOOPBACK,
            port=port,
            title="cnnblocks",
            templates_path=Path(__file__).with_name("web"),
        )

    def initialize_logging(self) -> None:
        """Server's hook: tell of what goes wrong, not of every page that was asked for."""
        logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s")

    async def on_startup(self, app: web.Application) -> None:
        """Server's hook: say where it is."""
        self.console.print(f"cnnblocks-tui is at {self.public_url} (ctrl+c ends it)")

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        """Server's hook: start the program for a page."""
        if not self._is_own(request.headers.get("Origin", self.public_url)):
            raise web.HTTPForbidden(text="This page does not belong to cnnblocks-tui.")
        return await super().handle_websocket(request)

    def _is_own(self, origin: str) -> bool:
        try:
            parts = urlsplit(origin)
            return parts.hostname in _NAMES and (parts.port or 80) == self.port
        except ValueError:
            return False


def serve(arguments: Sequence[str], port: int) -> None:
    """Serve the program until ctrl+c.

    Args:
        arguments: What the program is started with, once for every page.
        port: The port to listen on.

    Raises:
        ServingError: The port is taken or not allowed.
    """
    try:
        with socket.create_server((LOOPBACK, port)):
            pass
        LoopbackServer(arguments, port).serve()
    except OSError as error:
        raise ServingError(
            f"Port {port} cannot be had: {error.strerror or error}. Name another one: "
            f"cnnblocks-tui --serve --port {port + 1}"
        ) from error
