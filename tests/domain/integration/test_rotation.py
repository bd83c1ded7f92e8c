"""When to look again, what a look leads to, how a rotation ends, and what its owner is told."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorcost.domain.errors import ValidationFailed
from tensorcost.domain.ids import ConnectionId, TenantId
from tensorcost.domain.integration.contracts import ConnectionKey
from tensorcost.domain.integration.contracts_findings import Severity
from tensorcost.domain.integration.contracts_rotation import (
    Admission,
    Look,
    RotationInput,
    RotationState,
    SecretKind,
    SecretRotation,
    Side,
)
from tensorcost.domain.integration.progress_rotation import findings_of, rotation_markdown
from tensorcost.domain.integration.rotation import (
    LONGEST_PAUSE,
    Move,
    ending_at_deadline,
    ending_when_stopped,
    next_move,
    overlap_of,
    pause_after,
)

START = datetime(2026, 11, 20, 12, tzinfo=UTC)
OVERLAP = timedelta(days=7)
WAITING, VERIFYING = RotationState.WAITING_FOR_CUSTOMER, RotationState.VERIFYING_OLD_DROPPED
YES, NO, UNKNOWN = Admission.ADMITTED, Admission.REFUSED, Admission.UNKNOWN
KEY = ConnectionKey(
    tenant_id=TenantId(UUID(int=1)), connection_id=ConnectionId(UUID(int=2)), provider="bedrock"
)


def rotation(state: RotationState) -> SecretRotation:
    return SecretRotation(
        rotation_id=UUID(int=3),
        connection=KEY,
        kind=SecretKind.EXTERNAL_ID,
        state=state,
        requested_by="user:a",
        started_at=START,
        deadline=START + OVERLAP,
    )


def codes(state: RotationState, look: Look) -> list[str]:
    return [found.code for found in findings_of(rotation(state), look, START)]


@given(st.integers(0, 10**6), st.integers(1, 3600))
def test_pauses_grow_from_the_interval_to_ten_minutes_and_no_further(
    looks: int, seconds: int
) -> None:
    interval = timedelta(seconds=seconds)
    pause = pause_after(looks, interval)
    assert interval <= pause <= max(LONGEST_PAUSE, interval)
    assert pause <= pause_after(looks + 1, interval)


def test_the_first_ten_minutes_are_looked_at_every_thirty_seconds() -> None:
    interval = timedelta(seconds=30)
    assert {pause_after(looks, interval) for looks in range(20)} == {interval}
    assert pause_after(20, interval) == 2 * interval


@pytest.mark.parametrize(
    ("state", "look", "move"),
    [
        (WAITING, Look(new=NO, old=YES), Move.WAIT),
        (WAITING, Look(new=YES, old=YES), Move.WAIT),  # the sample read fails
        (WAITING, Look(new=YES, old=YES, healthy=True), Move.SWITCH),
        (WAITING, Look(new=YES, old=NO, healthy=True), Move.SWITCH),
        (WAITING, Look(new=UNKNOWN, old=YES, healthy=True), Move.WAIT),
        (VERIFYING, Look(new=YES, old=YES), Move.WAIT),
        (VERIFYING, Look(new=YES, old=NO), Move.FINISH),
        (VERIFYING, Look(new=YES, old=UNKNOWN), Move.WAIT),
        (VERIFYING, Look(new=NO, old=NO), Move.WAIT),  # the role may be gone: no proof
        (VERIFYING, Look(new=UNKNOWN, old=NO), Move.WAIT),
    ],
)
def test_a_look_leads_on_only_when_it_proves_something(
    state: RotationState, look: Look, move: Move
) -> None:
    assert next_move(state, look) is move


@pytest.mark.parametrize(
    ("state", "last", "keep"),
    [
        (WAITING, None, Side.OLD),
        (WAITING, Look(new=NO, old=YES), Side.OLD),
        (WAITING, Look(new=YES, old=NO), Side.NEW),
        (VERIFYING, None, Side.NEW),
        (VERIFYING, Look(new=YES, old=YES), Side.NEW),
        (VERIFYING, Look(new=UNKNOWN, old=YES), Side.NEW),
        (VERIFYING, Look(new=NO, old=YES), Side.OLD),
    ],
)
def test_at_the_deadline_stays_what_is_in_use_unless_only_the_other_works(
    state: RotationState, last: Look | None, keep: Side
) -> None:
    ending = ending_at_deadline(state, last)
    assert (ending.state, ending.keep) == (RotationState.EXPIRED, keep)
    assert ending.note


def test_who_stops_the_process_changes_nothing_that_is_in_use() -> None:
    assert ending_when_stopped(WAITING).keep is Side.OLD
    assert ending_when_stopped(VERIFYING).keep is Side.NEW


@pytest.mark.parametrize(
    ("state", "look", "expected"),
    [
        (WAITING, Look(new=NO, old=YES), ["NEW_EXTERNAL_ID_UNTRUSTED"]),
        (WAITING, Look(new=YES, old=YES), ["NEW_EXTERNAL_ID_UNHEALTHY"]),
        (WAITING, Look(new=YES, old=YES, healthy=True), []),
        (WAITING, Look(new=UNKNOWN, old=UNKNOWN), []),
        (WAITING, Look(new=YES, old=NO, healthy=True), ["EXTERNAL_ID_IN_USE_REFUSED"]),
        (VERIFYING, Look(new=YES, old=YES), ["OLD_EXTERNAL_ID_TRUSTED"]),
        (VERIFYING, Look(new=YES, old=NO), []),
        (
            VERIFYING,
            Look(new=NO, old=YES),
            ["OLD_EXTERNAL_ID_TRUSTED", "EXTERNAL_ID_IN_USE_REFUSED"],
        ),
    ],
)
def test_the_owner_is_told_what_is_left_to_do(
    state: RotationState, look: Look, expected: list[str]
) -> None:
    assert codes(state, look) == expected


def test_a_wait_becomes_a_warning_at_half_time_and_both_refused_is_an_error() -> None:
    look = Look(new=NO, old=YES)
    early, late = (
        findings_of(rotation(WAITING), look, START + passed)[0].severity
        for passed in (OVERLAP / 2 - timedelta(seconds=1), OVERLAP / 2)
    )
    assert (early, late) == (Severity.INFO, Severity.WARNING)
    broken = findings_of(rotation(WAITING), Look(new=NO, old=NO), START)
    assert broken[-1].severity is Severity.ERROR


def test_the_temporal_ui_shows_both_answers_and_foreign_text_as_code() -> None:
    request = RotationInput(connection=KEY, rotation_id=UUID(int=3), deadline=START + OVERLAP)
    look = Look(new=NO, old=YES, note="**bold** <b>")
    shown = rotation_markdown(request, WAITING, 3, look, "")
    assert "Waiting for customer" in shown
    assert "| new | refused |" in shown
    assert "| old | admitted |" in shown
    assert "`**bold** <b>`" in shown


@pytest.mark.parametrize("days", [-1, 0, 31, 2_000_000_000])
def test_an_overlap_is_one_to_thirty_days(days: int) -> None:
    assert [overlap_of(one) for one in (1, 30)] == [timedelta(days=1), timedelta(days=30)]
    with pytest.raises(ValidationFailed, match="1 to 30 days") as caught:
        overlap_of(days)
    assert caught.value.field == "overlap_days"
