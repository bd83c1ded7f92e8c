"""Which sites a later backfill reads, and how soon it tries them again."""

from datetime import UTC, datetime, timedelta

import pytest

from tensorcost.domain.integration.catch_up import OwedSite, due_keys, owed_keys
from tensorcost.domain.integration.states import SourceKind

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def owed(
    key: str = "logs", source: SourceKind = SourceKind.LOGS_S3, tries: int = 0, hours: float = 0
) -> OwedSite:
    tried = NOW - timedelta(hours=hours) if tries else None
    return OwedSite(key, source, tries, tried)


def test_profiles_alone_are_no_reason_to_read_the_past() -> None:
    profiles = owed("profiles", SourceKind.PROFILES)
    assert owed_keys([profiles]) == []
    assert owed_keys([profiles, owed()]) == ["profiles", "logs"]
    assert owed_keys([]) == []


@pytest.mark.parametrize(
    ("tries", "hours", "due"),
    [
        (0, 0, True),
        (1, 0, True),  # what the first backfill could not read is tried again at once
        (2, 0.9, False),
        (2, 1, True),
        (3, 1.9, False),
        (3, 2, True),
        (9, 23, False),
        (9, 24, True),
        (10_000, 24, True),
    ],
)
def test_what_stays_unreadable_is_tried_more_and_more_seldom(
    tries: int, hours: float, due: bool
) -> None:
    assert due_keys([owed(tries=tries, hours=hours)], NOW) == (["logs"] if due else [])


def test_a_site_that_has_to_wait_holds_up_no_other() -> None:
    assert due_keys([owed("a", tries=5), owed("b")], NOW) == ["b"]
