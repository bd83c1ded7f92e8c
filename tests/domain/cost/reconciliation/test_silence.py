"""Every silent place is named with its most probable cause."""

from dataclasses import replace

import pytest

from tensorcost.domain.cost.reconciliation.silence import (
    REMEDIES,
    Logging,
    PlaceFacts,
    SilenceCause,
    silence_cause,
)

SILENT = PlaceFacts(
    billed_nano=100,
    batch_nano=0,
    logged_requests=0,
    metered_requests=50,
    logging=Logging.OFF,
    log_regions=frozenset(),
    is_role_missing=False,
    is_bill_delivered=True,
)


@pytest.mark.parametrize(
    ("facts", "cause"),
    [
        (SILENT, SilenceCause.LOGGING_OFF),
        (replace(SILENT, log_regions=frozenset({"eu-west-1"})), SilenceCause.LOGS_ELSEWHERE),
        (replace(SILENT, logging=Logging.ON), SilenceCause.LOGS_LOST),
        (replace(SILENT, logging=Logging.ON, are_logs_gone=True), SilenceCause.LOGS_EXPIRED),
        (replace(SILENT, are_logs_gone=True), SilenceCause.LOGGING_OFF),
        (replace(SILENT, logging=Logging.UNKNOWN), SilenceCause.UNKNOWN),
        (replace(SILENT, batch_nano=100), SilenceCause.BATCH_ONLY),
        (replace(SILENT, batch_nano=99), SilenceCause.LOGGING_OFF),
        (replace(SILENT, billed_nano=0), SilenceCause.LOGGING_OFF),
        (replace(SILENT, is_bill_delivered=False), SilenceCause.EXPORT_MISSING),
        (replace(SILENT, is_role_missing=True), SilenceCause.ROLE_MISSING),
        (replace(SILENT, is_not_read=True), SilenceCause.ACCOUNT_NOT_READ),
        (replace(SILENT, is_not_read=True, logged_requests=1), None),
        (
            replace(SILENT, logged_requests=5, is_bill_delivered=False),
            SilenceCause.EXPORT_MISSING,
        ),
        (
            replace(SILENT, billed_nano=0, metered_requests=0, is_role_missing=True),
            SilenceCause.ROLE_MISSING,
        ),
    ],
)
def test_the_most_probable_cause_is_named(facts: PlaceFacts, cause: SilenceCause) -> None:
    assert silence_cause(facts) is cause


@pytest.mark.parametrize(
    "facts",
    [
        replace(SILENT, logged_requests=1),
        replace(SILENT, billed_nano=0, metered_requests=0),
    ],
)
def test_a_place_that_speaks_or_is_unused_is_not_silent(facts: PlaceFacts) -> None:
    assert silence_cause(facts) is None


def test_every_cause_comes_with_a_remedy() -> None:
    assert set(REMEDIES) == set(SilenceCause)
