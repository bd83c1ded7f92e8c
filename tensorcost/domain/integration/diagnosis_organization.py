"""Organisations: who may list them, and which members let us in."""

from datetime import datetime

from tensorcost.domain.integration.contracts_findings import NewFinding, RankedCause, Severity
from tensorcost.domain.integration.diagnosis_codes import (
    REFUSED,
    Code,
    Judgement,
    evidence_of,
    finding,
    ranked,
)
from tensorcost.domain.integration.onboarding import CONTROL_TOWER_JUMP_ROLE, DEFAULT_JUMP_ROLE
from tensorcost.domain.integration.probe_facts import CallFailure, ErrorKind, ProbedConnection


def judge_list_accounts(
    failure: CallFailure, about: ProbedConnection, management: str = ""
) -> Judgement | None:
    """Why the organisation cannot be listed; None when the failure is none of access.

    ``management`` is the organisation's management account, which members may ask for too:
    it tells a stack in the wrong account from a policy that is too narrow.
    """
    if failure.kind is ErrorKind.NOT_IN_ORGANIZATION:
        found = finding(
            Code.ORG_NONE,
            Severity.ERROR,
            f"Account {about.account_id} belongs to no organisation",
            "Connect it in the mode SingleAccount.",
            evidence=evidence_of(failure),
        )
        return Judgement(found, blocks=True, may_heal=False)
    if failure.kind not in REFUSED:
        return None
    if management == about.account_id:
        return Judgement(_narrow_policy(failure), blocks=True)
    found = _not_management(failure, about, management)
    return Judgement(found, blocks=True, may_heal=not management)


def judge_member_role(failure: CallFailure, about: ProbedConnection) -> Judgement | None:
    """Why a member account cannot be entered. AWS answers a missing role with a denial."""
    if failure.kind is ErrorKind.EXPLICIT_DENY:
        return Judgement(_member_denied(failure, about))
    if failure.kind not in (*REFUSED, ErrorKind.NOT_FOUND):
        return None
    return Judgement(_member_missing(failure, about))


def role_was_lost(found: NewFinding, read_until: datetime) -> NewFinding:
    """The finding of a member that could be entered before: its role was there."""
    role = found.evidence.get("role", "the role")
    causes = ranked(
        RankedCause(
            code="ROLE_REMOVED",
            title=f"{role} was deleted there, or no longer trusts the management account",
            remedy=f"Deploy {role} to the account again. What was missed meanwhile is read then.",
            likelihood=0.8,
        ),
        RankedCause(
            code="POLICY_DENIES",
            title="A policy of the organisation is in the way since then",
            remedy="Ask who administers the organisation what was changed.",
            likelihood=0.2,
        ),
    )
    return found.model_copy(
        update={
            "title": f"Account {found.subject} can no longer be entered: nothing new of it is read",
            "remedy": causes[0].remedy,
            "causes": causes,
            "evidence": found.evidence | {"read_until": read_until.isoformat()},
        }
    )


def named_otherwise(found: NewFinding) -> NewFinding:
    """The finding where not one member lets us in: then it is the name that is wrong."""
    weights = {"OTHER_ROLE_NAME": 0.75, "ROLE_MISSING": 0.15, "ROLE_DOES_NOT_TRUST": 0.1}
    causes = ranked(
        *(
            cause.model_copy(update={"likelihood": weights.get(cause.code, cause.likelihood)})
            for cause in found.causes
        )
    )
    return found.model_copy(update={"causes": causes, "remedy": causes[0].remedy})


def _narrow_policy(failure: CallFailure) -> NewFinding:
    return finding(
        Code.ORG_DENIED,
        Severity.ERROR,
        "The role may not list the organisation's accounts",
        "Deploy the stack again with OnboardingMode=Organization: it attaches the policy with "
        "organizations:ListAccounts.",
        evidence=evidence_of(failure),
    )


def _not_management(failure: CallFailure, about: ProbedConnection, management: str) -> NewFinding:
    where = f" ({management})" if management else ""
    causes = ranked(
        RankedCause(
            code="STACK_IN_MEMBER_ACCOUNT",
            title=f"The stack stands in {about.account_id}, which does not manage the organisation",
            remedy=f"Deploy the stack in the management account{where} with "
            "OnboardingMode=Organization, and connect that account.",
            likelihood=0.95 if management else 0.7,
        ),
        RankedCause(
            code="STACK_IN_SINGLE_MODE",
            title="The stack was deployed with OnboardingMode=SingleAccount",
            remedy="Update the stack with OnboardingMode=Organization.",
            likelihood=0.05 if management else 0.3,
        ),
    )
    return finding(
        Code.ORG_NOT_MANAGEMENT,
        Severity.ERROR,
        "The stack is not in the organisation's management account",
        causes[0].remedy,
        causes=causes,
        evidence=evidence_of(failure) | ({"management_account": management} if management else {}),
    )


def _member_denied(failure: CallFailure, about: ProbedConnection) -> NewFinding:
    return finding(
        Code.MEMBER_ROLE_DENIED,
        Severity.WARNING,
        f"A policy explicitly denies entering account {failure.account}",
        f"Ask who administers the organisation to exempt the role {about.organization_role_name} "
        "from the policy, or accept that this account is not covered.",
        subject=failure.account,
        evidence=evidence_of(failure),
    )


def _member_missing(failure: CallFailure, about: ProbedConnection) -> NewFinding:
    other = (
        CONTROL_TOWER_JUMP_ROLE
        if about.organization_role_name == DEFAULT_JUMP_ROLE
        else DEFAULT_JUMP_ROLE
    )
    causes = ranked(
        RankedCause(
            code="ROLE_MISSING",
            title=f"The account has no role {about.organization_role_name}: invited accounts "
            "often lack it",
            remedy=f"Deploy {about.organization_role_name} to the account with a StackSet, "
            "trusting the management account.",
            likelihood=0.6,
        ),
        RankedCause(
            code="OTHER_ROLE_NAME",
            title="The role has another name there, as under Control Tower",
            remedy=f"Set OrganizationAccountAccessRoleName to the role that exists, for example "
            f"{other}.",
            likelihood=0.25,
        ),
        RankedCause(
            code="ROLE_DOES_NOT_TRUST",
            title="The role does not trust the management account, or a policy is in the way",
            remedy="Compare the role's trust policy with those of accounts that are covered.",
            likelihood=0.15,
        ),
    )
    return finding(
        Code.MEMBER_ROLE_MISSING,
        Severity.WARNING,
        f"Account {failure.account} cannot be entered: nothing of it is read",
        causes[0].remedy,
        subject=failure.account,
        causes=causes,
        evidence=evidence_of(failure) | {"role": about.organization_role_name},
    )
