"""A client of the simulator's control path, for tests and the demo."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec

from demo.aws.faults import Fault
from demo.aws.ledger import Entry
from demo.aws.presets import PresetArgs
from demo.aws.state import SimState, dump_state, parse_state


class ControlError(RuntimeError):
    """The simulator refused a control request; the message says why."""


class SimControl:
    """Seed, break and watch one simulator. Calls block for a few milliseconds."""

    def __init__(self, endpoint_url: str) -> None:
        self.endpoint_url = endpoint_url
        parts = urlsplit(endpoint_url)
        self._place = (parts.hostname or "127.0.0.1", parts.port or 80)

    def seed_folder(self, world: Path) -> None:
        """Serve a world's folder; everything served before is gone."""
        self._send("POST", "seed", {"folder": str(world.resolve())})

    def seed_state(self, state: SimState) -> None:
        """Serve a state made in code; everything served before is gone."""
        self._send("POST", "seed", raw=b'{"state":' + dump_state(state) + b"}")

    def preset(self, name: str, **args: Any) -> None:
        """Arm a named trouble (``demo.aws.presets``): account, region, role, resource, times, …"""
        PresetArgs(**args)
        self._send("POST", "faults", {"preset": name, "args": args})

    def fault(self, **members: Any) -> None:
        """Arm one rule (``demo.aws.faults.Fault``)."""
        msgspec.convert(members, Fault)
        self._send("POST", "faults", {"rules": [members]})

    def fired(self) -> dict[str, int]:
        """How often each armed rule fired."""
        return msgspec.json.decode(self._send("GET", "faults"), type=dict[str, int])

    def heal(self) -> None:
        """Disarm every fault and undo every preset; the ledger stays."""
        self._send("DELETE", "faults")

    def requests(self, since: int = 0, **wanted: str) -> list[Entry]:
        """The ledger's entries after number ``since``, by service, operation, account, …"""
        query = urlencode({"since": str(since), **wanted})
        return msgspec.json.decode(self._send("GET", f"requests?{query}"), type=list[Entry])

    def forget_requests(self) -> None:
        self._send("DELETE", "requests")

    def expire_sessions(self) -> int:
        """Let every session that AssumeRole gave out expire now."""
        raw = self._send("POST", "expire", {})
        return msgspec.json.decode(raw, type=dict[str, int])["sessions"]

    def reindex(self) -> None:
        """Make the object store look at the disk again."""
        self._send("POST", "reindex", {})

    def reset(self) -> None:
        """Back to the seed: no faults, no sessions, an empty ledger."""
        self._send("POST", "reset", {})

    def state(self) -> SimState:
        return parse_state(self._send("GET", "state"))

    def _send(
        self, method: str, name: str, body: Mapping[str, Any] | None = None, raw: bytes = b""
    ) -> bytes:
        connection = http.client.HTTPConnection(*self._place, timeout=60)
        try:
            content = raw or (msgspec.json.encode(body) if body is not None else b"")
            connection.request(method, f"/__sim/{name}", content)
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        if answer.status != 200:
            raise ControlError(text.decode(errors="replace"))
        return text
