"""A round's facts become ranked findings: each day-1 failure with its remedy."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorcost.domain.integration.contracts_findings import Severity
from tensorcost.domain.integration.diagnosis import diagnose
from tensorcost.domain.integration.probe_facts import (
    ErrorKind,
    Fact,
    Probe,
    ProbeResult,
)
from tests.domain.integration.rounds import (
    ABOUT,
    ACCOUNT,
    BACKEND,
    DENIED_TEXT,
    HOME,
    MEMBER,
    denied_assume,
    failed,
    healthy_round,
    identity,
    ok,
    only,
    verdict_with,
)


def test_a_healthy_round_has_nothing_to_say_and_closes_what_was_open() -> None:
    verdict = verdict_with()
    assert verdict.healthy
    assert verdict.findings == ()
    assert {"TRUST_DENIED", "CW_DENIED", "LOGGING_OFF", "UNEXPLAINED"} <= set(verdict.judged)
    assert "MEMBER_ROLE_MISSING" not in verdict.judged, "a sample cannot speak for all members"


def test_a_refusal_that_names_the_external_id_has_one_cause() -> None:
    text = "The ExternalId in the request does not match"
    verdict = denied_assume(message=text)
    found = only(verdict)
    assert found.code == "EXTERNAL_ID_MISMATCH"
    assert "ExternalId that the wizard shows" in found.remedy
    assert (verdict.healthy, verdict.may_heal) == (False, True)


def test_a_refusal_without_a_reason_gets_a_ranked_list() -> None:
    found = only(denied_assume())
    assert found.code == "TRUST_DENIED"
    assert [cause.code for cause in found.causes] == [
        "EXTERNAL_ID_DIFFERS",
        "BACKEND_ACCOUNT_DEFAULT",
        "ROLE_MISSING",
        "POLICY_DENIES",
    ]
    assert BACKEND in found.causes[1].remedy
    assert found.evidence["text"] == DENIED_TEXT
    likelihoods = [cause.likelihood for cause in found.causes]
    assert likelihoods == sorted(likelihoods, reverse=True)
    assert sum(likelihoods) == pytest.approx(1)


def test_a_path_that_differs_from_the_stack_points_to_the_role() -> None:
    about = replace(ABOUT, role_path_prefix="/customer-managed/")
    verdict = diagnose([failed(Probe.ASSUME_ROLE, ErrorKind.DENIED)], about)
    assert only(verdict).causes[0].code == "ROLE_MISSING"


def test_a_role_of_another_account_points_to_the_role() -> None:
    about = replace(ABOUT, account_id=MEMBER)
    verdict = diagnose([failed(Probe.ASSUME_ROLE, ErrorKind.DENIED)], about)
    assert only(verdict).causes[0].code == "ROLE_MISSING"


def test_an_installation_without_an_account_points_to_the_parameter() -> None:
    about = replace(ABOUT, backend_account_id="000000000000")
    verdict = diagnose([failed(Probe.ASSUME_ROLE, ErrorKind.DENIED)], about)
    assert only(verdict).causes[0].code == "BACKEND_ACCOUNT_DEFAULT"


def test_calling_from_another_account_than_shown_is_our_own_fault() -> None:
    verdict = diagnose(
        [identity("999900001111"), failed(Probe.ASSUME_ROLE, ErrorKind.DENIED)], ABOUT
    )
    assert only(verdict).causes[0].code == "BACKEND_ACCOUNT_DIFFERS"


def test_a_malformed_arn_never_heals() -> None:
    verdict = diagnose(
        [failed(Probe.ASSUME_ROLE, ErrorKind.INVALID, code="ValidationError")], ABOUT
    )
    assert only(verdict).code == "BAD_ROLE_ARN"
    assert not verdict.may_heal


def test_an_explicit_deny_is_told_apart() -> None:
    verdict = diagnose([failed(Probe.ASSUME_ROLE, ErrorKind.EXPLICIT_DENY)], ABOUT)
    assert only(verdict).code == "TRUST_EXPLICIT_DENY"


def test_a_role_that_asks_for_no_external_id_is_not_used() -> None:
    result = replace(
        healthy_round()[Probe.EXTERNAL_ID_REQUIRED],
        ok=False,
        facts={Fact.WITHOUT_EXTERNAL_ID: "yes"},
    )
    verdict = verdict_with(result)
    assert only(verdict).code == "EXTERNAL_ID_NOT_REQUIRED"
    assert not verdict.healthy


def cloudwatch_denied(kind: ErrorKind = ErrorKind.DENIED) -> ProbeResult:
    return failed(
        Probe.CLOUDWATCH, kind, service="cloudwatch", operation="GetMetricData", region=HOME
    )


def test_cloudwatch_denied_names_the_published_stack() -> None:
    verdict = verdict_with(cloudwatch_denied())
    found = only(verdict)
    assert found.code == "CW_DENIED"
    assert found.subject == f"{ACCOUNT}/{HOME}"
    assert [cause.code for cause in found.causes] == ["NARROW_POLICY", "POLICY_DENIES"]
    assert not verdict.healthy


def test_an_explicit_deny_of_cloudwatch_ranks_the_organisation_first() -> None:
    found = only(verdict_with(cloudwatch_denied(ErrorKind.EXPLICIT_DENY)))
    assert [cause.code for cause in found.causes] == ["POLICY_DENIES", "NARROW_POLICY"]


LOGGING_OFF = ok(Probe.LOGGING_CONFIGURATION, HOME, logging="off")
GROUP_MISSING = failed(
    Probe.LOG_GROUP,
    ErrorKind.NOT_FOUND,
    service="logs",
    operation="FilterLogEvents",
    code="ResourceNotFoundException",
    message="The specified log group does not exist.",
    region=HOME,
    facts={Fact.LOG_GROUP: "/bedrock/calls"},
)


def nowhere_else() -> ProbeResult:
    return ok(Probe.OTHER_REGIONS, HOME, found_in="")


@pytest.mark.parametrize("group", [GROUP_MISSING, healthy_round()[Probe.LOG_GROUP]])
def test_logging_off_degrades_and_says_what_it_would_add(group: ProbeResult) -> None:
    verdict = verdict_with(LOGGING_OFF, group, nowhere_else(), without=(Probe.LOG_BUCKET,))
    found = only(verdict)
    assert found.code == "LOGGING_OFF"
    assert found.severity is Severity.WARNING
    assert "adds attribution" in found.remedy
    assert verdict.healthy, "spend by model is read without logs"


def test_logging_off_where_nobody_calls_is_only_said() -> None:
    quiet = ok(Probe.CLOUDWATCH, HOME, invocations="0")
    verdict = verdict_with(LOGGING_OFF, quiet, nowhere_else(), without=(Probe.LOG_BUCKET,))
    assert only(verdict).severity is Severity.INFO


def test_logs_in_another_region_are_found_and_explained() -> None:
    elsewhere = ok(Probe.OTHER_REGIONS, HOME, found_in="eu-central-1")
    verdict = verdict_with(LOGGING_OFF, GROUP_MISSING, elsewhere, without=(Probe.LOG_BUCKET,))
    found = only(verdict)
    assert found.code == "WRONG_REGION"
    assert found.causes[0].code == "LOGGING_IN_ANOTHER_REGION"
    assert "describe-log-groups --region eu-central-1" in found.causes[1].remedy
    assert found.evidence["found_in"] == "eu-central-1"


def test_without_calls_here_the_connection_looks_in_the_wrong_place() -> None:
    quiet = ok(Probe.CLOUDWATCH, HOME, invocations="0")
    elsewhere = ok(Probe.OTHER_REGIONS, HOME, found_in="eu-central-1")
    verdict = verdict_with(LOGGING_OFF, quiet, elsewhere, without=(Probe.LOG_BUCKET,))
    assert only(verdict).causes[0].code == "CONNECTION_NAMES_ANOTHER_REGION"


def test_a_missing_group_while_logging_is_on_asks_for_the_right_destination() -> None:
    verdict = verdict_with(GROUP_MISSING, nowhere_else())
    assert only(verdict).code == "LOG_GROUP_MISSING"


@pytest.mark.parametrize(
    ("invocations", "code"),
    [("0", "NO_TRAFFIC"), ("7", "LOGS_SILENT"), ("", "ZERO_UNEXPLAINED")],
)
def test_zero_events_are_explained_by_the_count_of_calls(invocations: str, code: str) -> None:
    facts = {"invocations": invocations} if invocations else {}
    verdict = verdict_with(
        ok(Probe.LOG_BUCKET, HOME, logged="0"), ok(Probe.CLOUDWATCH, HOME, **facts), nowhere_else()
    )
    assert only(verdict).code == code
    assert verdict.healthy


def test_silent_logs_rank_the_wrong_region_first() -> None:
    verdict = verdict_with(ok(Probe.LOG_BUCKET, HOME, logged="0"), nowhere_else())
    assert [cause.code for cause in only(verdict).causes] == [
        "WRONG_REGION",
        "DELIVERY_FAILING",
        "OTHER_DESTINATION",
    ]


def test_events_in_one_destination_are_enough() -> None:
    group = ok(Probe.LOG_GROUP, HOME, logged="0", log_group="/bedrock/calls")
    assert verdict_with(group).findings == ()


def listing_denied(management: str) -> ProbeResult:
    facts = {Fact.MANAGEMENT: management} if management else {}
    return failed(
        Probe.ORGANIZATION,
        ErrorKind.DENIED,
        service="organizations",
        operation="ListAccounts",
        code="AccessDeniedException",
        message="You don't have permissions to access this resource.",
        facts=facts,
    )


def test_a_stack_outside_the_management_account_is_recognised() -> None:
    verdict = verdict_with(listing_denied(MEMBER))
    found = only(verdict)
    assert found.code == "ORG_NOT_MANAGEMENT"
    assert MEMBER in found.remedy
    assert (verdict.healthy, verdict.may_heal) == (False, False)


def test_an_unknown_management_account_leaves_two_causes() -> None:
    verdict = verdict_with(listing_denied(""))
    assert [cause.code for cause in only(verdict).causes] == [
        "STACK_IN_MEMBER_ACCOUNT",
        "STACK_IN_SINGLE_MODE",
    ]
    assert verdict.may_heal


def test_the_management_account_itself_only_lacks_the_policy() -> None:
    assert only(verdict_with(listing_denied(ACCOUNT))).code == "ORG_DENIED"


def test_no_organisation_asks_for_the_other_mode() -> None:
    none = failed(
        Probe.ORGANIZATION, ErrorKind.NOT_IN_ORGANIZATION, service="organizations", message="none"
    )
    verdict = verdict_with(none)
    assert only(verdict).code == "ORG_NONE"
    assert "SingleAccount" in only(verdict).remedy
    assert not verdict.may_heal


@pytest.mark.parametrize("kind", [ErrorKind.DENIED, ErrorKind.NOT_FOUND])
def test_a_member_without_the_role_is_named_and_does_not_block(kind: ErrorKind) -> None:
    verdict = verdict_with(failed(Probe.MEMBER_ROLE, kind, account=MEMBER))
    found = only(verdict)
    assert (found.code, found.subject) == ("MEMBER_ROLE_MISSING", MEMBER)
    assert [cause.code for cause in found.causes] == [
        "ROLE_MISSING",
        "OTHER_ROLE_NAME",
        "ROLE_DOES_NOT_TRUST",
    ]
    assert "StackSet" in found.remedy
    assert "AWSControlTowerExecution" in found.causes[1].remedy
    assert verdict.healthy


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (ErrorKind.DENIED, "CUR_DENIED"),
        (ErrorKind.NOT_FOUND, "CUR_BUCKET"),
        (ErrorKind.WRONG_REGION, "CUR_BUCKET"),
        (ErrorKind.KMS_DENIED, "KMS_DENIED"),
    ],
)
def test_the_bill_may_be_missing_and_says_why(kind: ErrorKind, code: str) -> None:
    bill = failed(Probe.CUR_BUCKET, kind, service="s3", operation="ListObjectsV2", region=HOME)
    verdict = verdict_with(bill)
    assert only(verdict).code == code
    assert verdict.healthy


@pytest.mark.parametrize("probe", [Probe.LOG_GROUP, Probe.LOG_BUCKET])
def test_logs_that_may_not_be_read_are_named(probe: Probe) -> None:
    refused = failed(probe, ErrorKind.DENIED, service="logs", region=HOME)
    expected = {"LOG_GROUP": "LOGS_DENIED", "LOG_BUCKET": "LOG_BUCKET_DENIED"}
    assert only(verdict_with(refused)).code == expected[probe.name]


@pytest.mark.parametrize(
    ("kind", "code", "may_heal"),
    [
        (ErrorKind.BACKEND_CREDENTIALS, "BACKEND_CREDENTIALS", True),
        (ErrorKind.THROTTLED, "THROTTLED", True),
        (ErrorKind.NETWORK, "NETWORK", True),
        (ErrorKind.SERVER, "PROVIDER_FAILING", True),
        (ErrorKind.REGION_DISABLED, "REGION_DISABLED", False),
        (ErrorKind.NOT_ALLOWED, "ACCOUNT_NOT_ALLOWED", False),
    ],
)
def test_what_any_call_may_meet_says_whether_waiting_helps(
    kind: ErrorKind, code: str, may_heal: bool
) -> None:
    verdict = diagnose([failed(Probe.ASSUME_ROLE, kind)], ABOUT)
    assert only(verdict).code == code
    assert (verdict.healthy, verdict.may_heal) == (False, may_heal)


def test_throttling_elsewhere_does_not_fail_the_connection() -> None:
    busy = failed(Probe.CUR_BUCKET, ErrorKind.THROTTLED, service="s3", operation="ListObjectsV2")
    verdict = verdict_with(busy)
    assert only(verdict).code == "THROTTLED"
    assert verdict.healthy


def test_an_unknown_error_keeps_its_text() -> None:
    odd = failed(
        Probe.CLOUDWATCH,
        ErrorKind.UNKNOWN,
        service="cloudwatch",
        operation="GetMetricData",
        code="SomethingNew",
        message="a sentence nobody has seen " + "x" * 2000,
    )
    found = only(verdict_with(odd))
    assert found.code == "UNEXPLAINED"
    assert found.evidence["error"] == "SomethingNew"
    assert found.evidence["text"].startswith("a sentence nobody has seen")
    assert len(found.evidence["text"]) == 1000


def test_a_failed_look_does_not_close_what_it_could_not_see() -> None:
    busy = failed(Probe.CUR_BUCKET, ErrorKind.THROTTLED, service="s3")
    assert "CUR_DENIED" not in verdict_with(busy).judged


def test_what_blocks_comes_before_what_degrades() -> None:
    verdict = verdict_with(
        LOGGING_OFF, nowhere_else(), cloudwatch_denied(), without=(Probe.LOG_BUCKET,)
    )
    assert [found.code for found in verdict.findings] == ["CW_DENIED", "LOGGING_OFF"]


def test_steps_have_names_of_their_own() -> None:
    members = [ok(Probe.MEMBER_ROLE, account=f"{n:012d}") for n in range(3)]
    verdict = diagnose([*healthy_round().values(), *members], ABOUT)
    names = [step.name for step in verdict.steps]
    assert len(set(names)) == len(names) == 14


failures = st.builds(
    failed,
    st.sampled_from(Probe),
    st.sampled_from(ErrorKind),
    region=st.sampled_from(["", HOME]),
    message=st.text(max_size=50),
)


@given(st.lists(failures, max_size=12))
def test_every_failure_is_told_and_none_is_healthy_without_the_role(
    results: list[ProbeResult],
) -> None:
    verdict = diagnose(results, ABOUT)
    assert not verdict.healthy
    assert len(verdict.steps) == len(results)
    told = [r for r in results if r.probe is not Probe.LOG_GROUP]
    assert len(verdict.findings) >= len(told)
    assert all(found.title and found.remedy for found in verdict.findings)
