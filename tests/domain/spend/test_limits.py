"""What an acceptable row is."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorcost.domain.spend.labels import labels_of_tags
from tensorcost.domain.spend.limits import (
    EARLIEST,
    RejectReason,
    TimeBounds,
    context_bucket,
    to_us,
    tokens_problem,
)

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def test_accepted_time_runs_from_2015_to_a_day_ahead() -> None:
    bounds = TimeBounds.at(NOW)
    assert bounds.problem(to_us(EARLIEST)) is None
    assert bounds.problem(to_us(EARLIEST) - 1) == RejectReason.TOO_OLD
    assert bounds.problem(to_us(NOW + timedelta(hours=24))) is None
    assert bounds.problem(to_us(NOW + timedelta(hours=24)) + 1) == RejectReason.IN_THE_FUTURE


def test_a_connections_own_lower_bound_never_reaches_before_the_common_one() -> None:
    early = datetime(1999, 1, 1, tzinfo=UTC)
    assert TimeBounds.at(NOW, early) == TimeBounds.at(NOW)
    late = datetime(2026, 1, 1, tzinfo=UTC)
    assert TimeBounds.at(NOW, late).problem(to_us(late) - 1) == RejectReason.TOO_OLD


@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2200, 1, 1)))
def test_microseconds_are_exact(naive: datetime) -> None:
    moment = naive.replace(tzinfo=UTC)
    assert datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=to_us(moment)) == moment


@pytest.mark.parametrize(
    ("counts", "problem"),
    [
        ((0, 0, 0, 0, 0), None),
        ((1, -1, 0, 0, 0), RejectReason.NEGATIVE_TOKENS),
        ((100_000_001, 0, 0, 0, 0), RejectReason.ABSURD_TOKENS),
    ],
)
def test_impossible_token_counts_have_a_reason(
    counts: tuple[int, ...], problem: str | None
) -> None:
    assert tokens_problem(counts) == problem


@pytest.mark.parametrize(
    ("tokens", "bucket"),
    [
        (0, "base"),
        (128_000, "base"),
        (128_001, "above_128k"),
        (200_000, "above_128k"),
        (200_001, "above_200k"),
        (272_001, "above_272k"),
        (512_001, "above_512k"),
    ],
)
def test_a_context_bucket_begins_just_above_its_threshold(tokens: int, bucket: str) -> None:
    assert context_bucket(tokens) == bucket


def test_tags_of_every_spelling_name_the_same_label() -> None:
    tags = (("user_team", "care"), ("resourceTags/App-Name", "bot"), ("unrelated", "x"))
    labels = labels_of_tags(tags)
    assert (labels.team, labels.application, labels.owner) == ("care", "bot", "")
