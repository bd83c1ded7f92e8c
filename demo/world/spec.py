"""What world is wanted, and what a finished world says about itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Self

import msgspec

from demo.world import story


class Variant(StrEnum):
    ORGANIZATION = "organization"
    SINGLE = "single"


class CurFormat(StrEnum):
    PARQUET = "parquet"
    CSV = "csv"
    BOTH = "both"
    """Two exports of one bill: a reader that adds them up doubles it."""


@dataclass(frozen=True, slots=True)
class WorldSpec:
    """``end`` is exclusive and falls on a whole hour; equal specs make equal worlds."""

    end: datetime
    days: int = 90
    requests: int = 200_000
    seed: int = 20_260_101
    variant: Variant = Variant.ORGANIZATION
    cur: CurFormat = CurFormat.PARQUET
    dirty: bool = False

    @classmethod
    def until(cls, until: date | datetime, **more: object) -> Self:
        """A world ending with the day ``until`` (a date), or at an aware time's last full hour."""
        if not isinstance(until, datetime):
            midnight = datetime.combine(until, time(), UTC)
            return cls(midnight + timedelta(days=1), **more)  # type: ignore[arg-type]
        if until.tzinfo is None:
            raise ValueError("a world ends at an aware time")
        hour = until.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        return cls(hour, **more)  # type: ignore[arg-type]

    @property
    def start(self) -> datetime:
        return self.end - timedelta(days=self.days)

    def calendar_days(self) -> list[tuple[datetime, datetime]]:
        """Begin and end of every UTC day of the world; the first and the last may be cut."""
        found, at = [], self.start
        while at < self.end:
            midnight = at.replace(hour=0) + timedelta(days=1)
            found.append((at, min(midnight, self.end)))
            at = midnight
        return found

    @property
    def story(self) -> story.Story:
        single = self.variant is Variant.SINGLE
        return story.single_account() if single else story.organization()


class LogBucket(msgspec.Struct, frozen=True, kw_only=True):
    account: str
    region: str
    bucket: str
    key_prefix: str | None


class LogGroupPlace(msgspec.Struct, frozen=True, kw_only=True):
    account: str
    region: str
    name: str
    arn: str


class CurExport(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    arn: str
    bucket: str
    prefix: str
    parquet: bool
    periods: list[str]


class World(msgspec.Struct, frozen=True, kw_only=True):
    """How to reach a world once the simulator serves it. All credentials are fake."""

    folder: str
    variant: Variant
    start: datetime
    end: datetime
    requests: int
    region: str
    backend_account: str
    backend_arn: str
    backend_access_key: str
    backend_secret_key: str
    reader_account: str
    reader_role_arn: str
    external_id: str
    jump_role_name: str
    accounts: dict[str, str]
    members_with_jump_role: list[str]
    suspended: list[str]
    log_buckets: list[LogBucket]
    log_groups: list[LogGroupPlace]
    cur_exports: list[CurExport]
    restated_period: str
    """The billing month that ``publish_restatement`` restates, empty where none has ended."""
    price_file: str
    prices_effective: datetime

    @property
    def path(self) -> Path:
        return Path(self.folder)

    @property
    def truth_file(self) -> Path:
        return self.path / "truth.json"

    @property
    def cells_file(self) -> Path:
        return self.path / "cells.json"


class NotAWorld(ValueError):
    """The folder was not made by ``demo.world``."""


class OldWorld(ValueError):
    """The folder was made by a ``demo.world`` that told another story."""


def read_world(folder: Path) -> World:
    """The facts of a world on disk; raises NotAWorld and OldWorld."""
    path = folder / "facts.json"
    if not path.is_file():
        raise NotAWorld(f"{folder} holds no facts.json")
    try:
        facts = msgspec.json.decode(path.read_bytes(), type=World)
    except msgspec.ValidationError as error:
        told = f"{folder} was built by an older demo: remove it (make clean), or move it away"
        raise OldWorld(told) from error
    return msgspec.structs.replace(facts, folder=str(folder.resolve()))
