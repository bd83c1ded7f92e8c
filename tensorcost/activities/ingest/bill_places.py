"""Where a bill file lies: the folder of its export, and the month that the path names."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Final

_PERIOD: Final = re.compile(
    r"billing_period=(?P<year>\d{4})-(?P<month>\d{2})(?:-\d{2})?"
    r"|(?P<from_year>\d{4})(?P<from_month>\d{2})01-\d{8}",
    re.IGNORECASE,
)
"""The month's folder as CUR 2.0 and FOCUS exports, legacy reports and Azure exports call it."""
_YEAR: Final = re.compile(r"year=(\d{4})", re.IGNORECASE)
_MONTH: Final = re.compile(r"month=(\d{1,2})", re.IGNORECASE)
_PLAIN: Final = re.compile(r"(\d{4})-(\d{2})")
_LEVELS: Final = 3
"""Runs of a month have one or two folders of their own in it."""
_LOOKED_THROUGH: Final = ("data", "metadata")
_TIMED: Final = re.compile(r"\d{8}")


@dataclass(frozen=True, slots=True)
class Place:
    """An export's billing month on disk."""

    root: Path
    """The export's own folder."""
    period: date | None
    """First day of the month; None where no folder names one."""
    folder: Path = field(compare=False)
    """The month's folder; data and manifests may each have one."""


def place_of(path: Path) -> Place:
    """The place of a file, by its absolute path. A folder that is called just ``2026-10`` is a
    month's only for the files right in it."""
    plain = _PLAIN.fullmatch(path.parent.name)
    for folder in list(path.parents)[:_LEVELS]:
        found, root = _period(folder), folder.parent
        if found is None and plain and folder == path.parent:
            found = _month(plain[1], plain[2])
        elif _MONTH.fullmatch(folder.name):
            root = root.parent
        if found is not None:
            return Place(root.parent if root.name in _LOOKED_THROUGH else root, found, folder)
    return Place(path.parent, None, path.parent)


def newest_run(runs: Iterable[str]) -> str | None:
    """The last of several runs of a month by the names of their folders; None where these do not
    begin with the time and so are in no order."""
    names = list(runs)
    return max(names) if all(_TIMED.match(name) for name in names) else None


def _period(folder: Path) -> date | None:
    if found := _PERIOD.fullmatch(folder.name):
        return _month(found["year"] or found["from_year"], found["month"] or found["from_month"])
    month, year = _MONTH.fullmatch(folder.name), _YEAR.fullmatch(folder.parent.name)
    return _month(year[1], month[1]) if year and month else None


def _month(year: str, month: str) -> date | None:
    return date(int(year), int(month), 1) if 1 <= int(month) <= 12 and int(year) else None
