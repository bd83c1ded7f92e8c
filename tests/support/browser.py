"""Debian's Chromium, driven over its own protocol: what a page shows, asks for and complains of."""

import asyncio
import json
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from websockets.asyncio.client import ClientConnection, connect

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--remote-debugging-port=0",
)


@dataclass(slots=True)
class Page:
    """One tab. ``requested`` are the addresses that the page itself asked for."""

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
            elif message["method"] == "Network.requestWillBeSent":
                self.requested.append(message["params"]["request"]["url"])
            elif message["method"] == "Runtime.exceptionThrown":
                self.complaints.append(json.dumps(message["params"]["exceptionDetails"]))
            elif message["method"] == "Log.entryAdded":
                self.complaints.append(message["params"]["entry"]["text"])


@asynccontextmanager
async def open_page(address: str) -> AsyncIterator[Page]:
    """``address`` in a browser of its own, closed at the end."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = await asyncio.create_subprocess_exec(
            CHROMIUM,
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
