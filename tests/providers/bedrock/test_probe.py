"""Probes against the emulated AWS, judged by the real diagnosis: what a customer is told."""

from typing import Any

import pytest

from demo.aws.control import SimControl
from tensorcost.domain.integration.contracts_connection import Connection
from tensorcost.domain.integration.contracts_steps import ProbeVerdict
from tensorcost.domain.integration.diagnosis import diagnose
from tensorcost.domain.integration.probe_facts import ErrorKind, Fact, Probe, ProbeResult
from tensorcost.domain.integration.states import ConnectionMode
from tensorcost.providers.bedrock.probe import about, probe
from tests.providers.aws.world import (
    ACQUIRED,
    BACKEND,
    CUR_BUCKET,
    GROUP,
    HOME,
    JUMP,
    MEMBER,
    NOW,
    OTHER,
    PAYER,
    READER,
    ROLE_ARN,
    sessions,
    world,
)
from tests.providers.bedrock.connections import connection

ORGANIZATION = ConnectionMode.ORGANIZATION


def run(aws: SimControl, subject: Connection | None = None) -> list[ProbeResult]:
    return probe(sessions(aws.endpoint_url), subject or connection(), lambda: NOW)


def verdict(aws: SimControl, subject: Connection | None = None) -> ProbeVerdict:
    made = sessions(aws.endpoint_url)
    subject = subject or connection()
    return diagnose(probe(made, subject, lambda: NOW), about(subject, made))


def of(results: list[ProbeResult], name: Probe) -> ProbeResult:
    return next(result for result in results if result.probe is name)


def test_a_sound_connection_is_healthy_with_nothing_to_say(aws: SimControl) -> None:
    found = verdict(aws)
    assert (found.healthy, found.findings) == (True, ())


def test_every_probe_reports_exactly_once_and_in_order(aws: SimControl) -> None:
    assert [result.probe for result in run(aws)] == list(Probe)
    aws.preset("external_id_mismatch", account=PAYER)
    assert sorted(result.probe for result in run(aws)) == sorted(Probe)


def test_the_facts_are_those_of_the_world(aws: SimControl) -> None:
    results = run(aws, connection(ORGANIZATION))
    assert of(results, Probe.BACKEND_IDENTITY).fact(Fact.ACCOUNT) == BACKEND
    assert of(results, Probe.EXTERNAL_ID_REQUIRED).fact(Fact.WITHOUT_EXTERNAL_ID) == "no"
    assert of(results, Probe.CLOUDWATCH).number(Fact.INVOCATIONS) == 24
    assert of(results, Probe.LOG_GROUP).number(Fact.LOGGED) == 10
    assert of(results, Probe.LOG_BUCKET).number(Fact.LOGGED) == 3
    assert of(results, Probe.OTHER_REGIONS).skipped
    assert of(results, Probe.ORGANIZATION).fact(Fact.MEMBERS) == "4"
    members = {r.account: r.ok for r in results if r.probe is Probe.MEMBER_ROLE}
    assert members == {MEMBER: True, ACQUIRED: False}


def test_a_round_never_writes_and_always_sends_the_external_id(aws: SimControl) -> None:
    run(aws, connection(ORGANIZATION))
    reads = ("Get", "List", "Describe", "Filter", "Head", "AssumeRole")
    assert all(entry.operation.startswith(reads) for entry in aws.requests())
    first = aws.requests(operation="AssumeRole")[0]
    assert first.external_id is not None


DAY_ONE: list[tuple[str, dict[str, Any], ConnectionMode, str]] = [
    ("external_id_mentioned", {}, ConnectionMode.SINGLE_ACCOUNT, "EXTERNAL_ID_MISMATCH"),
    ("external_id_mismatch", {"account": PAYER}, ConnectionMode.SINGLE_ACCOUNT, "TRUST_DENIED"),
    ("backend_account_default", {"account": PAYER}, ConnectionMode.SINGLE_ACCOUNT, "TRUST_DENIED"),
    ("role_missing", {"account": PAYER, "role": READER}, ConnectionMode.SINGLE_ACCOUNT,
     "TRUST_DENIED"),
    ("trust_explicit_deny", {"account": BACKEND}, ConnectionMode.SINGLE_ACCOUNT,
     "TRUST_EXPLICIT_DENY"),
    ("logging_off", {"account": PAYER, "region": HOME}, ConnectionMode.SINGLE_ACCOUNT,
     "LOGGING_OFF"),
    ("no_traffic", {"account": PAYER, "region": HOME}, ConnectionMode.SINGLE_ACCOUNT,
     "NO_TRAFFIC"),
    ("cloudwatch_denied", {"account": PAYER}, ConnectionMode.SINGLE_ACCOUNT, "CW_DENIED"),
    ("not_management", {}, ORGANIZATION, "ORG_NOT_MANAGEMENT"),
    ("no_organization", {}, ORGANIZATION, "ORG_NONE"),
    ("wrong_region", {"account": PAYER, "region": HOME, "value": OTHER},
     ConnectionMode.SINGLE_ACCOUNT, "WRONG_REGION"),
    ("external_id_not_required", {"account": PAYER, "role": READER},
     ConnectionMode.SINGLE_ACCOUNT, "EXTERNAL_ID_NOT_REQUIRED"),
    ("logs_denied", {"account": PAYER}, ConnectionMode.SINGLE_ACCOUNT, "LOGS_DENIED"),
    ("kms_denied", {"resource": GROUP}, ConnectionMode.SINGLE_ACCOUNT, "KMS_DENIED"),
    ("cur_denied", {"resource": CUR_BUCKET}, ConnectionMode.SINGLE_ACCOUNT, "CUR_DENIED"),
    ("bucket_missing", {"resource": CUR_BUCKET}, ConnectionMode.SINGLE_ACCOUNT, "CUR_BUCKET"),
    ("backend_credentials", {}, ConnectionMode.SINGLE_ACCOUNT, "BACKEND_CREDENTIALS"),
    ("region_disabled", {"account": PAYER, "region": HOME}, ConnectionMode.SINGLE_ACCOUNT,
     "REGION_DISABLED"),
    ("always_throttled", {"service": "cloudwatch"}, ConnectionMode.SINGLE_ACCOUNT, "THROTTLED"),
]  # fmt: skip


@pytest.mark.parametrize(("preset", "args", "mode", "code"), DAY_ONE)
def test_each_trouble_is_told_first_by_its_name(
    aws: SimControl, preset: str, args: dict[str, Any], mode: ConnectionMode, code: str
) -> None:
    aws.preset(preset, **args)
    found = verdict(aws, connection(mode))
    assert found.findings[0].code == code
    assert found.findings[0].remedy


def test_members_without_the_jump_role_are_named_and_do_not_stop_the_rest(aws: SimControl) -> None:
    found = verdict(aws, connection(ORGANIZATION))
    assert found.healthy
    assert [(one.code, one.subject) for one in found.findings] == [
        ("MEMBER_ROLE_MISSING", ACQUIRED)
    ]


def test_the_real_no_such_entity_of_a_member_is_understood_too(aws: SimControl) -> None:
    aws.preset("member_role_no_such_entity", resource=f"arn:aws:iam::{MEMBER}:role/{JUMP}")
    subjects = {one.subject for one in verdict(aws, connection(ORGANIZATION)).findings}
    assert subjects == {MEMBER, ACQUIRED}


def test_a_silent_log_while_calls_are_counted_is_not_taken_for_quiet(aws: SimControl) -> None:
    state = world()
    for place in (*state.buckets, *state.log_groups):
        place.silent = True
    aws.seed_state(state)
    found = verdict(aws)
    assert found.findings[0].code == "LOGS_SILENT"


def test_without_a_role_nothing_is_called_in_the_customers_account(aws: SimControl) -> None:
    results = run(aws, connection(role_arn=""))
    failed = of(results, Probe.ASSUME_ROLE)
    assert failed.failure is not None
    assert (failed.ok, failed.failure.kind) == (False, ErrorKind.INVALID)
    assert aws.requests(operation="AssumeRole") == []


def test_a_role_of_an_account_that_the_connection_does_not_name_is_not_assumed(
    aws: SimControl,
) -> None:
    foreign = ROLE_ARN.replace(PAYER, MEMBER)
    results = run(aws, connection(role_arn=foreign))
    failure = of(results, Probe.ASSUME_ROLE).failure
    assert failure is not None
    assert failure.kind is ErrorKind.NOT_ALLOWED
    assert aws.requests(operation="AssumeRole") == []
