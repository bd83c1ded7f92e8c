"""What one failed call means. The same refusal means another thing to another probe."""

from collections.abc import Callable, Mapping
from typing import Final

from tensorcost.domain.integration.contracts_findings import NewFinding, Severity
from tensorcost.domain.integration.contracts_steps import UNEXPLAINED
from tensorcost.domain.integration.diagnosis_codes import (
    Code,
    Judgement,
    evidence_of,
    finding,
    place,
)
from tensorcost.domain.integration.diagnosis_organization import (
    judge_list_accounts,
    judge_member_role,
)
from tensorcost.domain.integration.diagnosis_sources import (
    judge_cloudwatch,
    judge_cur_bucket,
    judge_log_bucket,
    judge_log_group,
    judge_logging,
)
from tensorcost.domain.integration.diagnosis_trust import judge_assume_role
from tensorcost.domain.integration.probe_facts import (
    CallFailure,
    ErrorKind,
    Probe,
    ProbedConnection,
)

ESSENTIAL: Final = frozenset(
    {
        Probe.BACKEND_IDENTITY,
        Probe.ASSUME_ROLE,
        Probe.EXTERNAL_ID_REQUIRED,
        Probe.CLOUDWATCH,
        Probe.ORGANIZATION,
    }
)
"""A connection is validated by its role and a sample read of CloudWatch (004); every other
source may be missing (B6)."""

COMMON: Final = (
    Code.BACKEND_CREDENTIALS,
    Code.THROTTLED,
    Code.NETWORK,
    Code.PROVIDER_FAILING,
    Code.REGION_DISABLED,
    Code.ACCOUNT_NOT_ALLOWED,
)
"""What any call may meet."""

RETRY_AFTER: Final[Mapping[ErrorKind, float]] = {
    ErrorKind.NETWORK: 5.0,
    ErrorKind.THROTTLED: 20.0,
    ErrorKind.SERVER: 10.0,
    ErrorKind.CHANGED: 30.0,
    ErrorKind.BACKEND_CREDENTIALS: 30.0,
}
"""Seconds after which reading again may help; kinds that are not here need a person.

Our own credentials are among them because the person is our operator, not the customer.
"""


def judge_failure(probe: Probe, failure: CallFailure, about: ProbedConnection) -> Judgement:
    """What a failed call of ``probe`` means. An error that nobody knows keeps its text."""
    own = _BY_PROBE.get(probe)
    judged = own(failure, about) if own else None
    if judged is None:
        judged = _common(probe, failure)
    return judged


def _common(probe: Probe, failure: CallFailure) -> Judgement:
    blocks = probe in ESSENTIAL
    subject = place(failure.account, failure.region)
    known = _COMMON_TEXTS.get(failure.kind)
    if known is None:
        return Judgement(_unexplained(probe, failure, subject), blocks=blocks)
    code, severity, title, remedy, may_heal = known
    found = finding(
        code,
        severity if blocks else min(severity, Severity.WARNING, key=_RANK.index),
        title.format(call=_call(failure), region=failure.region, account=failure.account),
        remedy,
        subject="" if code is Code.BACKEND_CREDENTIALS else subject,
        evidence=evidence_of(failure),
    )
    return Judgement(found, blocks=blocks, may_heal=may_heal)


_RANK: Final = (Severity.INFO, Severity.WARNING, Severity.ERROR)
_COMMON_TEXTS: Final[Mapping[ErrorKind, tuple[Code, Severity, str, str, bool]]] = {
    ErrorKind.BACKEND_CREDENTIALS: (
        Code.BACKEND_CREDENTIALS,
        Severity.ERROR,
        "Our own AWS credentials are not accepted",
        "Nothing to do for you: our operator is told. Validation goes on once they are repaired.",
        True,
    ),
    ErrorKind.THROTTLED: (
        Code.THROTTLED,
        Severity.INFO,
        "AWS asks us to slow down ({call})",
        "Nothing to do: we wait and ask again.",
        True,
    ),
    ErrorKind.NETWORK: (
        Code.NETWORK,
        Severity.WARNING,
        "AWS could not be reached ({call})",
        "Usually passes by itself. If it stays, the operator checks the way from our servers "
        "to AWS.",
        True,
    ),
    ErrorKind.SERVER: (
        Code.PROVIDER_FAILING,
        Severity.WARNING,
        "AWS answered with an error of its own ({call})",
        "Usually passes by itself. The AWS health dashboard says more.",
        True,
    ),
    ErrorKind.REGION_DISABLED: (
        Code.REGION_DISABLED,
        Severity.ERROR,
        "The region {region} is switched off in account {account}",
        "Enable the region under Account, or take it from the connection's regions.",
        False,
    ),
    ErrorKind.NOT_ALLOWED: (
        Code.ACCOUNT_NOT_ALLOWED,
        Severity.ERROR,
        "Account {account} is not on the connection's list of allowed accounts",
        "Add the account to the connection's allowed accounts, or leave it out on purpose.",
        False,
    ),
    ErrorKind.CHANGED: (
        Code.CHANGED_WHILE_READ,
        Severity.INFO,
        "What was being read was replaced meanwhile ({call})",
        "Nothing to do: it is read again from the beginning.",
        True,
    ),
}


def _unexplained(probe: Probe, failure: CallFailure, subject: str) -> NewFinding:
    return NewFinding(
        code=UNEXPLAINED,
        severity=Severity.ERROR if probe in ESSENTIAL else Severity.WARNING,
        title=f"AWS gave an answer that we do not know ({_call(failure)})",
        remedy="Try again. If it stays, send this text to support.",
        subject=subject,
        evidence=evidence_of(failure),
    )


def _call(failure: CallFailure) -> str:
    return f"{failure.service}:{failure.operation}" if failure.operation else failure.service


_BY_PROBE: Final[Mapping[Probe, Callable[[CallFailure, ProbedConnection], Judgement | None]]] = {
    Probe.ASSUME_ROLE: judge_assume_role,
    Probe.CLOUDWATCH: judge_cloudwatch,
    Probe.LOGGING_CONFIGURATION: judge_logging,
    Probe.OTHER_REGIONS: judge_logging,
    Probe.LOG_GROUP: judge_log_group,
    Probe.LOG_BUCKET: judge_log_bucket,
    Probe.ORGANIZATION: judge_list_accounts,
    Probe.MEMBER_ROLE: judge_member_role,
    Probe.CUR_BUCKET: judge_cur_bucket,
}
