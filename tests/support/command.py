"""Runs the installed ``tensorcost`` command as a person would, against a test database."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.databases import Database


@dataclass(frozen=True, slots=True)
class Outcome:
    code: int
    out: str
    talk: str

    def json(self) -> dict[str, Any]:
        """The one JSON object of standard output."""
        decoded: dict[str, Any] = json.loads(self.out)
        return decoded


@dataclass(frozen=True, slots=True)
class Command:
    """The command with the environment of an installation whose Postgres is elsewhere."""

    database: Database
    home: Path

    def __call__(self, *arguments: str) -> Outcome:
        return run_command(
            *arguments,
            TENSORCOST_HOME=str(self.home),
            DATABASE_URL=self.database.urls.app,
            TENSORCOST_PLATFORM_DATABASE_URL=self.database.urls.platform,
        )


def run_command(*arguments: str, **settings: str) -> Outcome:
    """The command with these settings and none of the machine's own."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("TENSORCOST_", "AWS_"))}
    environment: Mapping[str, str] = kept | {"NO_COLOR": "1"} | settings
    done = subprocess.run(
        [sys.executable, "-c", "from tensorcost.cli import main; main()", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)
