"""The program served to a browser of this machine."""

import asyncio
import base64
import io
import itertools
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import aiohttp
import pytest
from PIL import Image

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)


@pytest.fixture
def served(runs_dir):
    """The address of a server of its own."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "cnnblocks_tui", "--serve", "--port", str(port)]
    server = subprocess.Popen(
        [*command, "--runs-dir", str(runs_dir)], stdout=subprocess.PIPE, text=True
    )
    assert server.stdout.readline().startswith(f"cnnblocks-tui is at http://127.0.0.1:{port} ")
    deadline = time.monotonic() + 20
    while socket.socket().connect_ex(("127.0.0.1", port)) and time.monotonic() < deadline:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{port}"
    server.terminate()
    server.wait(timeout=20)


class Page:
    """A page of a headless Chromium, steered through its debugging protocol."""

    def __init__(self, socket):
        self._socket = socket
        self._numbers = itertools.count(1)
        self.received = ""
        self.addresses = []

    async def ask(self, method, **params):
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": params})
        while True:
            message = await self._socket.receive_json(timeout=30)
            self._note(message)
            if message.get("id") == number:
                return message["result"]

    def _note(self, message):
        if message.get("method") == "Network.webSocketFrameReceived":
            frame = message["params"]["response"]
            if frame["opcode"] != 2:
                return
            text = base64.b64decode(frame["payloadData"]).decode("utf-8", "replace")
            self.received += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
        elif message.get("method") == "Network.requestWillBeSent":
            self.addresses.append(message["params"]["request"]["url"])

    async def shows(self, text):
        deadline = time.monotonic() + 20
        while text not in self.received:
            assert time.monotonic() < deadline, f"{text!r} never came: {self.received[-2000:]}"
            await self.ask("Runtime.evaluate", expression="0")
            await asyncio.sleep(0.1)

    async def press(self, key):
        for kind in ("keyDown", "keyUp"):
            text = {"text": key} if kind == "keyDown" else {}
            await self.ask("Input.dispatchKeyEvent", type=kind, key=key, **text)

    async def picture(self):
        answer = await self.ask("Page.captureScreenshot", format="png")
        return Image.open(io.BytesIO(base64.b64decode(answer["data"])))


@pytest.fixture
async def page(tmp_path):
    profile = tmp_path / "browser"
    flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1200,800"]
    browser = subprocess.Popen(
        [BROWSER, *flags, "--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        port = await _debugging_port(profile / "DevToolsActivePort")
        async with aiohttp.ClientSession() as session:
            answer = await session.get(f"http://127.0.0.1:{port}/json")
            [target] = [entry for entry in await answer.json() if entry["type"] == "page"]
            async with session.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=0) as line:
                yield Page(line)
    finally:
        browser.terminate()
        browser.wait(timeout=20)


async def _debugging_port(file: Path) -> int:
    deadline = time.monotonic() + 30
    while not (file.exists() and file.read_text().strip()):
        assert time.monotonic() < deadline, "the browser did not start"
        await asyncio.sleep(0.05)
    return int(file.read_text().splitlines()[0])


@pytest.mark.skipif(BROWSER is None, reason="Chromium is not installed")
async def test_a_browser_shows_the_runs_and_passes_keys_on(served, page, new_run, train, tmp_path):
    train(new_run("vgg16"))
    await page.ask("Network.enable")
    await page.ask("Page.enable")
    await page.ask("Page.navigate", url=served)
    await page.shows("✓ finished")
    await page.press("?")
    await page.shows("In tables and trees")
    await asyncio.sleep(0.5)
    picture = (await page.picture()).convert("RGB")
    picture.save(tmp_path / "served.png")
    assert len(picture.getcolors(1 << 20)) > 50
    elsewhere = [url for url in page.addresses if not url.startswith((served, "data:"))]
    assert page.addresses and not elsewhere


async def test_a_page_of_another_origin_is_refused(served):
    async with aiohttp.ClientSession() as session:
        for origin in ("http://example.org", "http://127.0.0.1:1", "null", "http://localhost:x"):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await session.ws_connect(f"{served}/ws", headers={"Origin": origin})
            assert refused.value.status == 403


def test_a_port_that_is_taken_is_one_line(served):
    port = served.rsplit(":", 1)[1]
    ended = subprocess.run(
        [sys.executable, "-m", "cnnblocks_tui", "--serve", "--port", port],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 2 and not ended.stdout
    assert ended.stderr.startswith(f"Error: Port {port} cannot be had: ")
