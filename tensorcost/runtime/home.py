"""The folder of a single-machine installation: server data, generated secrets, addresses."""

import json
import os
import secrets
from pathlib import Path
from typing import Any, Final

_SECRETS: Final = "secrets.json"
_RUNNING: Final = "running.json"


class Home:
    """Files of one installation. Secrets are made once and readable by their owner alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def prepare(self) -> None:
        """Make the folder; other accounts may pass through it (Postgres may run as one)."""
        self.folder.mkdir(parents=True, exist_ok=True)

    def secret(self, name: str) -> str:
        """The secret of this name, made at the first call."""
        kept = self._read(_SECRETS)
        if name not in kept:
            kept[name] = secrets.token_urlsafe(32)
            self._write(_SECRETS, kept)
        return str(kept[name])

    def running(self) -> dict[str, Any] | None:
        """What the process that serves this installation has announced, while it lives."""
        announced = self._read(_RUNNING)
        pid = announced.get("pid")
        if not isinstance(pid, int) or not _alive(pid):
            return None
        return announced

    def announce(self, addresses: dict[str, Any]) -> None:
        """Tell other processes on this machine where the servers are."""
        self._write(_RUNNING, {"pid": os.getpid(), **addresses})

    def withdraw(self) -> None:
        """Take the announcement back."""
        (self.folder / _RUNNING).unlink(missing_ok=True)

    def _read(self, name: str) -> dict[str, Any]:
        try:
            content = json.loads((self.folder / name).read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return {}
        return content if isinstance(content, dict) else {}

    def _write(self, name: str, content: dict[str, Any]) -> None:
        self.prepare()
        draft = self.folder / f".{name}.{os.getpid()}"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(content, file)
        draft.replace(self.folder / name)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
