"""Places whose calls nobody logs, judged together with the account's other regions."""

from tensorcost.domain.integration.contracts_findings import Severity
from tensorcost.domain.integration.diagnosis_logs import LogPlace, judge_unlogged

ACCOUNT, OTHER = "111122223333", "222233334444"


def place(region: str, is_on: bool, *, calls: bool = True, account: str = ACCOUNT) -> LogPlace:
    return LogPlace(account, region, is_on, invocations=None if calls else 0)


def test_places_that_log_need_no_word() -> None:
    assert judge_unlogged([place("us-east-1", True), place("eu-west-1", True, calls=False)]) == []


def test_a_region_that_logs_its_own_calls_is_only_mentioned() -> None:
    (found,) = judge_unlogged([place("us-east-1", False), place("us-west-2", True)])
    assert (found.code, found.subject) == ("LOGGING_OFF", f"{ACCOUNT}/us-east-1")
    assert found.evidence["logging_on_in"] == "us-west-2"


def test_a_region_that_logs_and_is_never_called_is_where_logging_went_wrong() -> None:
    (found,) = judge_unlogged([place("us-east-1", False), place("us-west-2", True, calls=False)])
    assert found.code == "WRONG_REGION"
    assert found.evidence["found_in"] == "us-west-2"


def test_a_quiet_region_without_logging_is_no_loss_while_another_one_logs() -> None:
    assert judge_unlogged([place("us-east-1", False, calls=False), place("eu-west-1", True)]) == []


def test_logging_off_everywhere_is_said_of_the_quiet_home_too() -> None:
    (found,) = judge_unlogged([place("us-east-1", False, calls=False)])
    assert (found.code, found.severity) == ("LOGGING_OFF", Severity.INFO)


def test_accounts_are_judged_apart() -> None:
    places = [place("us-east-1", False), place("us-west-2", True, calls=False, account=OTHER)]
    assert [found.code for found in judge_unlogged(places)] == ["LOGGING_OFF"]
