"""Rounds of probes for tests of the diagnosis: a healthy one, and what differs from it."""

from collections.abc import Sequence

from tensorcost.domain.integration.contracts_findings import NewFinding
from tensorcost.domain.integration.contracts_steps import ProbeVerdict
from tensorcost.domain.integration.diagnosis import diagnose
from tensorcost.domain.integration.probe_facts import (
    CallFailure,
    ErrorKind,
    Fact,
    Probe,
    ProbedConnection,
    ProbeResult,
)
from tensorcost.domain.integration.states import ConnectionMode

ACCOUNT, MEMBER, BACKEND = "111122223333", "222233334444", "900000000001"
HOME = "us-east-1"
ABOUT = ProbedConnection(
    mode=ConnectionMode.ORGANIZATION,
    role_arn=f"arn:aws:iam::{ACCOUNT}:role/TensorCost-BedrockReader-tc-fake",
    account_id=ACCOUNT,
    home_region=HOME,
    backend_account_id=BACKEND,
    cur_bucket="fake-cur",
    external_id="tc-fake",
)
DENIED_TEXT = "User: arn:aws:iam::900000000001:user/b is not authorized to perform: sts:AssumeRole"


def ok(probe: Probe, region: str = "", account: str = ACCOUNT, **facts: str) -> ProbeResult:
    return ProbeResult(probe, True, account, region, facts={Fact(k): v for k, v in facts.items()})


def failed(
    probe: Probe,
    kind: ErrorKind,
    *,
    service: str = "sts",
    operation: str = "AssumeRole",
    code: str = "AccessDenied",
    message: str = DENIED_TEXT,
    account: str = ACCOUNT,
    region: str = "",
    facts: dict[Fact, str] | None = None,
) -> ProbeResult:
    failure = CallFailure(kind, service, operation, code, account, region, message)
    return ProbeResult(probe, False, account, region, failure, facts or {})


def identity(account: str) -> ProbeResult:
    return ProbeResult(Probe.BACKEND_IDENTITY, True, facts={Fact.ACCOUNT: account})


def healthy_round() -> dict[Probe, ProbeResult]:
    return {
        Probe.BACKEND_IDENTITY: identity(BACKEND),
        Probe.ASSUME_ROLE: ok(Probe.ASSUME_ROLE),
        Probe.EXTERNAL_ID_REQUIRED: ok(
            Probe.EXTERNAL_ID_REQUIRED, account="", assumed_without_external_id="no"
        ),
        Probe.CLOUDWATCH: ok(Probe.CLOUDWATCH, HOME, invocations="120", window="three days"),
        Probe.LOGGING_CONFIGURATION: ok(
            Probe.LOGGING_CONFIGURATION, HOME, logging="on", bucket="fake-logs"
        ),
        Probe.LOG_GROUP: ProbeResult(Probe.LOG_GROUP, True, skipped="no log group is named"),
        Probe.LOG_BUCKET: ok(Probe.LOG_BUCKET, HOME, logged="3", bucket="fake-logs"),
        Probe.OTHER_REGIONS: ProbeResult(Probe.OTHER_REGIONS, True, skipped="logs arrive here"),
        Probe.ORGANIZATION: ok(Probe.ORGANIZATION, members="3", management_account=ACCOUNT),
        Probe.MEMBER_ROLE: ok(Probe.MEMBER_ROLE, account=MEMBER),
        Probe.CUR_BUCKET: ok(Probe.CUR_BUCKET, HOME, bucket="fake-cur"),
    }


def verdict_with(
    *changed: ProbeResult, about: ProbedConnection = ABOUT, without: Sequence[Probe] = ()
) -> ProbeVerdict:
    """The verdict of a healthy round in which some probes went another way."""
    results = healthy_round() | {result.probe: result for result in changed}
    return diagnose([r for r in results.values() if r.probe not in without], about)


def only(verdict: ProbeVerdict) -> NewFinding:
    (found,) = verdict.findings
    return found


def denied_assume(**more: str) -> ProbeVerdict:
    refused = failed(Probe.ASSUME_ROLE, ErrorKind.DENIED, **more)  # type: ignore[arg-type]
    return diagnose([identity(BACKEND), refused], ABOUT)
