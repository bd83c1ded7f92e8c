"""Why the role cannot be assumed. STS says "not authorized" to almost every reason.

A wrong ExternalId, a missing one, an untrusted caller, a role that is not there and most
organisation policies get the same sentence, so the answer is a ranking, moved by what the
connection itself gives away.
"""

from typing import Final

from tensorcost.domain.integration.contracts_findings import NewFinding, RankedCause, Severity
from tensorcost.domain.integration.diagnosis_codes import (
    Code,
    Judgement,
    evidence_of,
    finding,
    ranked,
)
from tensorcost.domain.integration.onboarding import external_id_in_role, parse_role_arn
from tensorcost.domain.integration.probe_facts import (
    UNSET_BACKEND,
    CallFailure,
    ErrorKind,
    ProbedConnection,
)

_ID_DIFFERS: Final = 0.40
_BACKEND_UNSET: Final = 0.30
_ROLE_ELSEWHERE: Final = 0.20
_POLICY: Final = 0.10
_TELLING: Final = 0.40
"""What a contradiction in the connection itself adds to the cause that it points to."""


def judge_assume_role(
    failure: CallFailure, about: ProbedConnection, caller_account: str = ""
) -> Judgement | None:
    """The judgement of a refused AssumeRole; None when the failure is not a refusal.

    ``caller_account`` is the account that we really call from, where it is known.
    """
    if failure.kind is ErrorKind.INVALID:
        return Judgement(_bad_arn(failure, about), blocks=True, may_heal=False)
    if failure.kind is ErrorKind.EXPLICIT_DENY:
        return Judgement(_explicit_deny(failure), blocks=True)
    if failure.kind not in (ErrorKind.DENIED, ErrorKind.NOT_FOUND):
        return None
    if "externalid" in failure.message.replace(" ", "").lower():
        return Judgement(_mismatch(failure), blocks=True)
    return Judgement(_denied(failure, about, caller_account), blocks=True)


def external_id_not_required(about: ProbedConnection) -> Judgement:
    """Anybody who can call through us could name this role: we refuse to use it."""
    found = finding(
        Code.EXTERNAL_ID_NOT_REQUIRED,
        Severity.ERROR,
        "The role can be assumed without its ExternalId",
        "Deploy the published stack, or add the condition StringEquals sts:ExternalId to the "
        "role's trust policy: without it any customer could connect this account.",
        evidence={"role": about.role_arn},
    )
    return Judgement(found, blocks=True)


def _mismatch(failure: CallFailure) -> NewFinding:
    return finding(
        Code.EXTERNAL_ID_MISMATCH,
        Severity.ERROR,
        "The stack's ExternalId differs from this connection's",
        "Deploy the stack again with the ExternalId that the wizard shows, or give the "
        "connection the stack's.",
        evidence=evidence_of(failure),
    )


def _bad_arn(failure: CallFailure, about: ProbedConnection) -> NewFinding:
    return finding(
        Code.BAD_ROLE_ARN,
        Severity.ERROR,
        "The role's ARN is not valid",
        "Copy the output BedrockReaderRoleArn of the stack as it stands.",
        evidence=evidence_of(failure) | {"role": about.role_arn},
    )


def _explicit_deny(failure: CallFailure) -> NewFinding:
    return finding(
        Code.TRUST_EXPLICIT_DENY,
        Severity.ERROR,
        "A policy explicitly denies assuming the role",
        "Ask who administers the organisation to exempt arn:aws:iam::*:role/TensorCost-* from "
        "the service or resource control policy, or lift the role's permission boundary.",
        evidence=evidence_of(failure),
    )


def _denied(failure: CallFailure, about: ProbedConnection, caller_account: str) -> NewFinding:
    causes = ranked(
        *_our_own(about, caller_account),
        RankedCause(
            code="EXTERNAL_ID_DIFFERS",
            title="The stack was deployed with another ExternalId",
            remedy="Deploy the stack again with the ExternalId that the wizard shows, or give "
            "the connection the stack's.",
            likelihood=_ID_DIFFERS + _TELLING * _names_another_id(about),
        ),
        RankedCause(
            code="BACKEND_ACCOUNT_DEFAULT",
            title=f"The parameter TensorCostBackendAccountId was left at {UNSET_BACKEND}",
            remedy=f"Deploy the stack again with TensorCostBackendAccountId="
            f"{about.backend_account_id or 'the account that the wizard shows'}.",
            likelihood=_BACKEND_UNSET + _TELLING * _shows_no_account(about),
        ),
        RankedCause(
            code="ROLE_MISSING",
            title="The role is not there, or has another name, path or account",
            remedy="Compare the ARN with the stack's output BedrockReaderRoleArn, the path "
            "included.",
            likelihood=_ROLE_ELSEWHERE + _TELLING * _is_elsewhere(about),
        ),
        RankedCause(
            code="POLICY_DENIES",
            title="A service control policy or a permission boundary is in the way",
            remedy="Ask who administers the organisation whether sts:AssumeRole from outside "
            "is restricted.",
            likelihood=_POLICY,
        ),
    )
    return finding(
        Code.TRUST_DENIED,
        Severity.ERROR,
        "AWS does not let us assume the role",
        causes[0].remedy,
        causes=causes,
        evidence=evidence_of(failure),
    )


def _our_own(about: ProbedConnection, caller_account: str) -> tuple[RankedCause, ...]:
    if not caller_account or caller_account == about.backend_account_id:
        return ()
    cause = RankedCause(
        code="BACKEND_ACCOUNT_DIFFERS",
        title=f"We call from {caller_account}, but the wizard shows "
        f"{about.backend_account_id or 'no account'}",
        remedy="This is ours to repair: the operator sets the backend account to the one that "
        "its credentials belong to. The stack then needs that account.",
        likelihood=1.0,
    )
    return (cause,)


def _names_another_id(about: ProbedConnection) -> bool:
    """The published stack names its role after the ExternalId that it was given."""
    named_after = external_id_in_role(about.role_arn)
    return bool(named_after and about.external_id) and named_after != about.external_id


def _shows_no_account(about: ProbedConnection) -> bool:
    return about.backend_account_id in ("", UNSET_BACKEND)


def _is_elsewhere(about: ProbedConnection) -> bool:
    role = parse_role_arn(about.role_arn)
    if role is None:
        return False
    return role.account_id != about.account_id or role.path != (about.role_path_prefix or "/")
