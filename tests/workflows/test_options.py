"""Retries: soon after an outage, not for ever on what is broken, without hammering."""

from datetime import timedelta

import pytest
from temporalio.common import RetryPolicy
from temporalio.workflow import ActivityConfig

from tensorcost.domain.integration.contracts import LONGEST_PAUSE
from tensorcost.domain.integration.diagnosis_failures import RETRY_AFTER
from tensorcost.domain.integration.probe_facts import ErrorKind
from tensorcost.workflows.options import (
    CLOUD_INGEST,
    CLOUD_LOOK,
    CLOUD_READ,
    DB_LONG,
    DB_SHORT,
)


def pauses(options: ActivityConfig, attempts: int) -> list[timedelta]:
    """What the server waits after each failed attempt."""
    policy = options["retry_policy"]
    assert isinstance(policy, RetryPolicy)
    longest = policy.maximum_interval or policy.initial_interval * 100
    factors = [policy.backoff_coefficient ** min(n, 20) for n in range(attempts)]
    grown = [policy.initial_interval * factor for factor in factors]
    return [min(pause, longest) for pause in grown]


@pytest.mark.parametrize("options", [DB_SHORT, DB_LONG, CLOUD_READ, CLOUD_INGEST])
def test_work_stands_idle_for_half_a_minute_at_most_after_an_outage(
    options: ActivityConfig,
) -> None:
    assert max(pauses(options, 50)) == LONGEST_PAUSE == timedelta(seconds=30)


@pytest.mark.parametrize("options", [DB_SHORT, DB_LONG, CLOUD_INGEST])
def test_a_worker_that_is_gone_is_missed_within_half_a_minute(options: ActivityConfig) -> None:
    missed_after = options.get("heartbeat_timeout") or options["start_to_close_timeout"]
    assert missed_after is not None
    assert missed_after <= timedelta(seconds=30)


def patience(options: ActivityConfig) -> timedelta:
    policy = options["retry_policy"]
    assert isinstance(policy, RetryPolicy)
    return sum(pauses(options, policy.maximum_attempts - 1), timedelta())


@pytest.mark.parametrize("options", [CLOUD_READ, CLOUD_INGEST])
def test_an_outage_of_fifty_minutes_is_waited_out_and_not_one_of_hours(
    options: ActivityConfig,
) -> None:
    assert timedelta(minutes=50) <= patience(options) <= timedelta(hours=2)


def test_a_sync_does_not_wait_long_for_a_look_at_what_may_be_new() -> None:
    assert patience(CLOUD_LOOK) <= timedelta(minutes=1)


@pytest.mark.parametrize("kind", RETRY_AFTER)
def test_what_a_provider_makes_us_wait_for_is_no_longer(kind: ErrorKind) -> None:
    assert RETRY_AFTER[kind] <= LONGEST_PAUSE.total_seconds()
