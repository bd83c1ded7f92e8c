"""What the demo is asked for, and the environment that its processes get."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from demo.world.spec import World
from tensorcost.runtime.embedded.process import child_env

REPOSITORY = Path(__file__).resolve().parents[2]
DEFAULT_HOME = REPOSITORY / ".tensorcost" / "demo"
TENSORCOST = str(Path(sys.executable).parent / "tensorcost")
"""The command as it is installed beside the interpreter that runs the demo."""
REQUESTS, DAYS = 200_000, 90
_FOREIGN = ("DATABASE_URL", "TEMPORAL_ADDRESS", "REDIS_URL")
_FOREIGN_PREFIXES = ("TENSORCOST_", "AWS_")


@dataclass(frozen=True, slots=True)
class Options:
    once: bool = False
    home: Path = DEFAULT_HOME
    requests: int = REQUESTS
    days: int = DAYS

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def world(self) -> Path:
        return self.home / "world"


def parse_options(arguments: Sequence[str]) -> Options:
    """Options of the command line; exits with status 2 when they make no sense."""
    parser = argparse.ArgumentParser(
        prog="demo", description="Connect an emulated AWS organisation and see where money went."
    )
    parser.add_argument("--once", action="store_true", help="end with one JSON line, do not wait")
    parser.add_argument("--home", type=Path, default=DEFAULT_HOME, help="where data is kept")
    parser.add_argument("--requests", type=_positive, default=REQUESTS)
    parser.add_argument("--days", type=_positive, default=DAYS, help="at most 90")
    chosen = parser.parse_args(arguments)
    if chosen.days > DAYS:
        parser.error(f"a connection is backfilled for {DAYS} days: --days cannot be more")
    return Options(chosen.once, chosen.home.resolve(), chosen.requests, chosen.days)


def forget_surroundings() -> None:
    """Keep a person's own TensorCost, database or AWS settings away from the demo."""
    for name in list(os.environ):
        if name in _FOREIGN or name.startswith(_FOREIGN_PREFIXES):
            del os.environ[name]


def product_env(options: Options) -> dict[str, str]:
    """For the product's commands on this home. Telemetry settings (OTEL_*) come along."""
    told = {k: v for k, v in os.environ.items() if k.startswith("OTEL_")}
    return child_env(TENSORCOST_HOME=str(options.home), NO_COLOR="1", **told)


def own_commands(options: Options, tenant: str) -> list[str]:
    """Commands that ask this home what the story asked, as typed where the demo was started."""
    here = Path.cwd()
    command, home = (
        shlex.quote(str(path.relative_to(here) if path.is_relative_to(here) else path))
        for path in (Path(TENSORCOST), options.home)
    )
    return [
        f"TENSORCOST_HOME={home} {command} {asked} --tenant {tenant}"
        for asked in ("cost --by team", "reconcile", "prices rerate list", "audit verify")
    ]


def cloud_env(world: World, endpoint: str) -> dict[str, str]:
    """Where and as whom the product reaches AWS: the only thing that makes this a demo to it."""
    return {
        "TENSORCOST_AWS__ENDPOINT_URL": endpoint,
        "TENSORCOST_AWS__ALLOW_PLAINTEXT": "true",
        "TENSORCOST_AWS__REGION": world.region,
        "TENSORCOST_AWS__ACCESS_KEY_ID": world.backend_access_key,
        "TENSORCOST_AWS__SECRET_ACCESS_KEY": world.backend_secret_key,
        "TENSORCOST_AWS__BACKEND_ACCOUNT_ID": world.backend_account,
        # The story's stack stands already, with the ExternalId that its wizard showed.
        "TENSORCOST_AWS__CHOSEN_EXTERNAL_IDS": "true",
    }


def _positive(text: str) -> int:
    number = int(text)
    if number <= 0:
        raise argparse.ArgumentTypeError("must be positive")
    return number
