"""One place, one finding: the one that knows the cause."""

import pytest

from tensorcost.domain.integration.contracts_findings import NewFinding, Severity
from tensorcost.domain.integration.duplicates import (
    BETTER_SAID_BY,
    is_better_said,
    without_duplicates,
)

HERE, THERE = "111122223333/us-east-1", "111122223333/eu-west-1"
PAIRS = [(vague, exact) for vague, exacts in BETTER_SAID_BY.items() for exact in exacts]


def finding(code: str, subject: str = HERE) -> NewFinding:
    return NewFinding(code=code, severity=Severity.INFO, title="t", remedy="r", subject=subject)


@pytest.mark.parametrize(("vague", "exact"), PAIRS)
def test_only_the_finding_that_names_the_cause_stands(vague: str, exact: str) -> None:
    assert without_duplicates([finding(vague), finding(exact)], ()) == [finding(exact)]
    assert without_duplicates([finding(vague)], {(exact, HERE)}) == []
    assert is_better_said(vague, HERE, {(exact, HERE)})
    assert not is_better_said(exact, HERE, {(vague, HERE)})


def test_logging_that_is_off_says_more_than_calls_that_are_not_logged() -> None:
    assert ("REGION_NOT_LOGGED", "LOGGING_OFF") in PAIRS


@pytest.mark.parametrize(("vague", "exact"), PAIRS)
def test_another_place_is_another_finding(vague: str, exact: str) -> None:
    both = [finding(vague), finding(exact, THERE)]
    assert without_duplicates(both, ()) == both


def test_findings_of_other_codes_stand_side_by_side() -> None:
    both = [finding("REGION_NOT_LOGGED"), finding("BEDROCK_DENIED")]
    assert without_duplicates(both, {("MEMBER_ROLE_MISSING", HERE)}) == both
