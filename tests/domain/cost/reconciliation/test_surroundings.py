"""The facts of a place, put together from connections, counters and bills."""

from dataclasses import replace
from datetime import date, timedelta
from uuid import UUID

import pytest

from tensorcost.domain.cost.reconciliation.silence import Logging, SilenceCause, silence_cause
from tensorcost.domain.cost.reconciliation.surroundings import (
    Calls,
    KnownAccount,
    PlaceFinding,
    Surroundings,
)
from tensorcost.domain.integration.states import Coverage
from tensorcost.domain.spend.facts import Grain

TODAY = date(2026, 11, 20)
ACCOUNT, OTHER = "111122223333", "444455556666"
EAST, WEST = (ACCOUNT, "us-east-1"), (ACCOUNT, "us-west-2")
OLD, NEW = (Calls(7, TODAY - timedelta(days=days), TODAY) for days in (3, 2))
COVERED = KnownAccount("Main", frozenset({Coverage.COVERED}))
AROUND = Surroundings(
    accounts={ACCOUNT: COVERED},
    logged_places=frozenset(),
    calls={(EAST, Grain.REQUEST): OLD, (WEST, Grain.METRIC): OLD},
    billed_accounts=frozenset({ACCOUNT}),
    batch_nano={},
    findings=(),
    today=TODAY,
)


def finding(code: str, subject: str) -> PlaceFinding:
    return PlaceFinding(UUID(int=1), code, subject, "title", "remedy")


@pytest.mark.parametrize(
    ("around", "logging"),
    [
        (AROUND, Logging.UNKNOWN),
        (replace(AROUND, logged_places=frozenset({WEST})), Logging.ON),
        (replace(AROUND, logged_places=frozenset({EAST})), Logging.UNKNOWN),
        (replace(AROUND, findings=[finding("LOGGING_OFF", f"{ACCOUNT}/us-west-2")]), Logging.OFF),
        (replace(AROUND, findings=[finding("WRONG_REGION", f"{ACCOUNT}/us-west-2")]), Logging.OFF),
        (replace(AROUND, findings=[finding("LOGGING_OFF", ACCOUNT)]), Logging.UNKNOWN),
        (
            replace(AROUND, findings=[finding("KMS_DENIED", f"{ACCOUNT}/us-west-2")]),
            Logging.UNKNOWN,
        ),
    ],
)
def test_whether_logging_is_on_comes_from_sites_and_findings(
    around: Surroundings, logging: Logging
) -> None:
    assert around.facts(WEST, 0).logging is logging


def test_logs_of_another_region_are_those_that_arrive_there() -> None:
    assert AROUND.facts(WEST, 0).log_regions == {"us-east-1"}
    assert AROUND.facts(EAST, 0).log_regions == frozenset()
    assert AROUND.facts((OTHER, "eu-west-1"), 0).log_regions == frozenset()


@pytest.mark.parametrize(
    ("coverage", "is_shut"),
    [
        ({Coverage.ROLE_MISSING}, True),
        ({Coverage.DENIED, Coverage.ROLE_MISSING}, True),
        ({Coverage.ROLE_MISSING, Coverage.COVERED}, False),
        ({Coverage.UNKNOWN}, False),
    ],
)
def test_an_account_is_shut_where_no_connection_can_enter_it(
    coverage: set[Coverage], is_shut: bool
) -> None:
    around = replace(AROUND, accounts={OTHER: KnownAccount("", frozenset(coverage))})
    assert around.facts((OTHER, "x"), 0).is_role_missing is is_shut
    assert ((OTHER, "") in set(around.places())) is is_shut


def test_a_shut_account_with_known_places_is_not_named_twice() -> None:
    shut = KnownAccount("", frozenset({Coverage.DENIED}))
    assert set(replace(AROUND, accounts={ACCOUNT: shut}).places()) == {EAST, WEST}


@pytest.mark.parametrize(
    ("calls", "cause"), [(OLD, SilenceCause.EXPORT_MISSING), (NEW, None)], ids=["old", "new"]
)
def test_a_missing_bill_says_nothing_while_it_may_still_come(
    calls: Calls, cause: SilenceCause | None
) -> None:
    around = replace(AROUND, billed_accounts=frozenset(), calls={(EAST, Grain.REQUEST): calls})
    assert silence_cause(around.facts(EAST, 0)) is cause


def test_findings_are_about_the_place_or_its_whole_account() -> None:
    here, account = finding("A", f"{ACCOUNT}/us-west-2"), finding("B", ACCOUNT)
    around = replace(
        AROUND, findings=[here, account, finding("C", f"{ACCOUNT}/us-west-20"), finding("D", OTHER)]
    )
    assert around.findings_about(WEST) == [here, account]
    assert around.findings_about(EAST) == [account]


@pytest.mark.parametrize(
    ("coverage", "left_out"),
    [
        ({Coverage.SKIPPED}, True),
        ({Coverage.SKIPPED, Coverage.ROLE_MISSING}, True),
        ({Coverage.ROLE_MISSING}, False),  # that is a role to deploy, not an account left out
        ({Coverage.SKIPPED, Coverage.COVERED}, False),
        ({Coverage.ERROR}, False),
    ],
)
def test_an_account_that_every_connection_leaves_out_is_not_read(
    coverage: set[Coverage], left_out: bool
) -> None:
    assert KnownAccount("member", frozenset(coverage)).is_not_read is left_out
