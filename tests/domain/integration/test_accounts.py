"""Accounts over time: what is kept, what is told, and what is no news."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorcost.domain.integration.accounts import (
    ACTIVE,
    LEFT,
    NEWS_FOR,
    AccountChange,
    account_changes,
    follow_accounts,
    judge_accounts,
)
from tensorcost.domain.integration.places import QUIET_FOR, SPREAD, KnownPlace, PlaceState, is_due
from tensorcost.domain.integration.progress_records import AccountCoverage
from tensorcost.domain.integration.states import Coverage

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
READ = AccountCoverage("222233334444", "shop", ACTIVE, "CREATED", Coverage.COVERED, "", NOW)
OTHER = replace(READ, account_id="333344445555", name="lab")
MISSING = replace(READ, coverage=Coverage.ROLE_MISSING)
SUSPENDED = replace(READ, state="SUSPENDED", coverage=Coverage.SKIPPED)
CLOSED = replace(SUSPENDED, state="CLOSED")
FAILED = replace(READ, coverage=Coverage.ERROR)


def follow(*looks: list[AccountCoverage]) -> list[AccountCoverage]:
    """The accounts after so many looks, an hour apart."""
    known: list[AccountCoverage] = []
    for hour, listed in enumerate(looks):
        known = follow_accounts(known, listed, NOW + timedelta(hours=hour))
    return known


def changes(*looks: list[AccountCoverage]) -> list[AccountChange]:
    """What the last look changed."""
    before = follow(*looks[:-1])
    after = follow_accounts(before, looks[-1], NOW + timedelta(hours=len(looks) - 1))
    return [found.change for found in account_changes(before, after)]


@pytest.mark.parametrize(
    ("looks", "told"),
    [
        ([[READ]], []),  # the first look is no news
        ([[READ], [READ]], []),
        ([[READ], [READ, OTHER]], [AccountChange.JOINED]),
        ([[READ, OTHER], [READ]], [AccountChange.LEFT]),
        ([[READ, OTHER], [READ], [READ]], []),
        ([[READ, OTHER], [READ], [READ, OTHER]], [AccountChange.JOINED]),
        ([[READ], [SUSPENDED]], [AccountChange.SUSPENDED]),
        ([[READ], [SUSPENDED], [CLOSED]], []),
        ([[READ], [SUSPENDED], [READ]], [AccountChange.REACTIVATED]),
        ([[SUSPENDED, OTHER], [OTHER]], [AccountChange.LEFT]),
        ([[READ], [MISSING]], [AccountChange.ROLE_LOST]),
        ([[READ], [MISSING], [MISSING]], []),
        ([[MISSING], [READ]], [AccountChange.ROLE_GAINED]),
        ([[READ], [FAILED]], []),
        ([[READ], [FAILED], [READ]], []),
        ([[READ], [FAILED], [MISSING]], [AccountChange.ROLE_LOST]),
        ([[MISSING], [FAILED], [MISSING]], []),
    ],
)
def test_what_became_of_an_account_is_told_once(
    looks: list[list[AccountCoverage]], told: list[AccountChange]
) -> None:
    assert changes(*looks) == told


def test_an_account_that_left_keeps_its_row_and_says_since_when() -> None:
    _, gone = follow([READ, OTHER], [READ], [READ])
    assert (gone.account_id, gone.state, gone.coverage) == (OTHER.account_id, LEFT, "skipped")
    assert (gone.covered_at, gone.changed_at) == (NOW, LATER)


def test_the_time_of_a_change_stays_while_nothing_changes() -> None:
    (account,) = follow([READ], [MISSING], [MISSING])
    assert (account.covered_at, account.changed_at) == (NOW, LATER)


def test_an_account_that_was_never_read_ends_without_a_finding() -> None:
    assert judge_accounts(follow([SUSPENDED]), NOW) == []
    assert judge_accounts(follow([MISSING], [SUSPENDED]), LATER) == []


@pytest.mark.parametrize(
    ("last", "code"), [([SUSPENDED], "ACCOUNT_SUSPENDED"), ([], "ACCOUNT_LEFT")]
)
def test_an_account_that_was_read_ends_with_a_finding_for_as_long_as_it_is_news(
    last: list[AccountCoverage], code: str
) -> None:
    accounts = follow([READ], last)
    (told,) = judge_accounts(accounts, LATER)
    assert (told.code, told.subject) == (code, READ.account_id)
    assert told.evidence["read_until"] == NOW.isoformat()
    assert judge_accounts(accounts, NOW + NEWS_FOR) == []


@given(st.lists(st.sets(st.integers(1, 9)), min_size=1, max_size=6))
def test_no_account_is_ever_forgotten(looks: list[set[int]]) -> None:
    seen: set[str] = set()
    known: list[AccountCoverage] = []
    for listed in looks:
        named = [replace(READ, account_id=f"{n:012d}") for n in sorted(listed)]
        known = follow_accounts(known, named, NOW)
        seen |= {account.account_id for account in named}
        assert {account.account_id for account in known} == seen
        assert {a.account_id for a in known if a.state != LEFT} == {a.account_id for a in named}


def place(state: PlaceState, region: str = "us-east-1") -> KnownPlace:
    return KnownPlace(READ.account_id, region, state, NOW)


def test_a_new_and_an_active_place_are_always_looked_at() -> None:
    known = place(PlaceState.ACTIVE)
    assert is_due(known.place, {}, NOW)
    assert is_due(known.place, {known.place: known}, NOW)


@pytest.mark.parametrize("state", [PlaceState.QUIET, PlaceState.DISABLED])
def test_a_quiet_place_is_looked_at_once_a_day(state: PlaceState) -> None:
    places = [place(state, f"region-{n}") for n in range(200)]
    known = {one.place: one for one in places}

    def due(after: timedelta) -> int:
        return sum(is_due(one.place, known, NOW + after) for one in places)

    assert due(QUIET_FOR - timedelta(seconds=1)) == 0
    assert 60 < due(QUIET_FOR + SPREAD / 2) < 140
    assert due(QUIET_FOR + SPREAD) == 200
