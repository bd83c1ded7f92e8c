"""Debian's Chromium, driven over its own protocol: what a page shows, asks for and complains of.

Its resolver knows this machine alone, so that a request to anywhere else cannot get through
even where a test forgets to look for it.
"""

import asyncio
import json
import shutil
import tempfile
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
from websockets.asyncio.client import ClientConnection, connect

from tensorcost.runtime.doctor import CHROMIUM_NAMES

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--window-size=1280,900",
    "--remote-debugging-port=0",
)


def chromium() -> str:
    """The program; a failed test, never a skipped one, where there is none."""
    found = next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if found is None:
        pytest.fail("no Chromium found: run `make browser`, or install it", pytrace=False)
    return found


@dataclass(slots=True)
class Page:
    """One tab. ``requested`` are the addresses that the page itself asked for, sockets too;
    ``complaints`` its uncaught exceptions, console errors and refusals by its own policy."""

    socket: ClientConnection
    requested: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    _answers: dict[int, asyncio.Future[dict[str, Any]]] = field(default_factory=dict)

    async def evaluate(self, script: str) -> Any:
        """The value of an expression in the page."""
        answer = await self.call("Runtime.evaluate", expression=script, returnByValue=True)
        return answer["result"].get("value")

    async def until(self, script: str, seconds: float = 20) -> None:
        """Wait until an expression is true; TimeoutError when it never is."""
        async with asyncio.timeout(seconds):
            while not await self.evaluate(script):  # noqa: ASYNC110 - the page has no event for it
                await asyncio.sleep(0.05)

    async def click(self, selector: str) -> None:
        """Press the left button in the middle of an element, as a person would."""
        place = await self.evaluate(
            f"(() => {{ const found = document.querySelector({json.dumps(selector)});"
            "found.scrollIntoView({block: 'center'});"
            "const box = found.getBoundingClientRect();"
            "return [box.x + box.width / 2, box.y + box.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            await self.call(
                "Input.dispatchMouseEvent",
                type=kind,
                x=place[0],
                y=place[1],
                button="left",
                clickCount=1,
            )

    async def type(self, selector: str, text: str) -> None:
        """Click into a field and replace what stands in it by typing."""
        await self.click(selector)
        await self.evaluate("document.activeElement.select()")
        await self.call("Input.insertText", text=text)

    async def press_enter(self, *, control: bool = False) -> None:
        for kind in ("keyDown", "keyUp"):
            await self.call(
                "Input.dispatchKeyEvent",
                type=kind,
                key="Enter",
                code="Enter",
                windowsVirtualKeyCode=13,
                modifiers=2 if control else 0,
            )

    async def screenshot(self, file: Path) -> None:
        """The visible part as a PNG."""
        taken = await self.call("Page.captureScreenshot", format="png")
        await asyncio.to_thread(file.write_bytes, b64decode(taken["data"]))

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        number = len(self._answers) + 1
        self._answers[number] = asyncio.get_running_loop().create_future()
        await self.socket.send(json.dumps({"id": number, "method": method, "params": params}))
        return await self._answers[number]

    async def listen(self) -> None:
        async for text in self.socket:
            message = json.loads(text)
            if "id" in message:
                self._answers[message["id"]].set_result(message.get("result", {}))
            else:
                self._note(message["method"], message["params"])

    def _note(self, event: str, about: dict[str, Any]) -> None:
        if event == "Network.requestWillBeSent":
            self.requested.append(about["request"]["url"])
        elif event == "Network.webSocketCreated":
            self.requested.append(about["url"])
        elif event == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(about["exceptionDetails"]))
        elif event == "Runtime.consoleAPICalled" and about["type"] in ("error", "warning"):
            self.complaints.append(json.dumps(about["args"]))
        elif event == "Log.entryAdded":
            self.complaints.append(about["entry"]["text"])


@asynccontextmanager
async def open_page(address: str) -> AsyncIterator[Page]:
    """``address`` in a browser of its own, closed at the end."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = await asyncio.create_subprocess_exec(
            chromium(),
            *FLAGS,
            f"--user-data-dir={profile}",
            "about:blank",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            port = await _port(Path(profile))
            async with connect(await _tab(port), max_size=None) as socket:
                page = Page(socket)
                listening = asyncio.create_task(page.listen())
                try:
                    for domain in ("Network", "Runtime", "Log", "Page"):
                        await page.call(f"{domain}.enable")
                    await page.call("Page.navigate", url=address)
                    yield page
                finally:
                    listening.cancel()
        finally:
            browser.terminate()
            await browser.wait()


async def _port(profile: Path) -> int:
    """The debugging port, which Chromium writes down once it listens."""
    written = profile / "DevToolsActivePort"
    async with asyncio.timeout(60):
        while not _is_complete(written):  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.05)
    return int(written.read_text().splitlines()[0])


def _is_complete(written: Path) -> bool:
    return written.exists() and "\n" in written.read_text()


async def _tab(port: int) -> str:
    async with httpx2.AsyncClient() as http:
        tabs = (await http.get(f"http://127.0.0.1:{port}/json/list")).json()
    return str(next(tab for tab in tabs if tab["type"] == "page")["webSocketDebuggerUrl"])
