"""A look for accounts and sources, as a step of its run's history."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from tensorcost.domain.integration.accounts import ChangedAccount
from tensorcost.domain.integration.contracts_steps import Discovered

STEP: Final = "discovery"
"""Key and source of the step: it is a fact and no work."""
BEFORE_ITEMS: Final = 0
AFTER_PROBES: Final = 1_000
"""Positions of the step: items and probes are counted from 1."""
_NAMED: Final = 20


def changes_told(changes: Sequence[ChangedAccount]) -> tuple[str, ...]:
    """Each change in two words, of many the first twenty and how many more there are."""
    told = [f"{one.change.value} {one.account.account_id}" for one in changes]
    rest = len(told) - _NAMED
    return tuple(told[:_NAMED]) + ((f"{rest} more",) if rest > 0 else ())


def look_told(found: Discovered) -> str:
    """What was found, and what is new, in one line."""
    parts = [
        f"{found.accounts_covered} of {found.accounts_total} accounts can be read",
        f"{found.sites} sources",
    ]
    if found.changes:
        parts.append(f"changed: {', '.join(found.changes)}")
    if found.missing:
        parts.append(f"missing: {', '.join(found.missing)}")
    return "; ".join(parts)


def trouble_told(code: str, error: str, attempt: int, again: datetime | None) -> str:
    """Why an attempt to look failed, after when the next one follows: the text may be cut."""
    when = "soon" if again is None else f"at {again:%H:%M:%S} UTC"
    return f"attempt {attempt} failed, the next one follows {when}; {code_and_text(code, error)}"


def code_and_text(code: str, error: str) -> str:
    """The text of an error, with its code before it where it has one."""
    return f"{code}: {error}" if code else error
