"""A rotation as people see it: findings for the owner, details for the Temporal UI."""

from datetime import datetime
from enum import StrEnum

from tensorcost.domain.integration.contracts_findings import NewFinding, Severity
from tensorcost.domain.integration.contracts_rotation import (
    Admission,
    Look,
    RotationInput,
    RotationState,
    SecretRotation,
)
from tensorcost.domain.integration.progress import MAX_DETAILS, fenced


class RotationCode(StrEnum):
    """Codes of the findings of a rotation."""

    NEW_EXTERNAL_ID_UNTRUSTED = "NEW_EXTERNAL_ID_UNTRUSTED"
    NEW_EXTERNAL_ID_UNHEALTHY = "NEW_EXTERNAL_ID_UNHEALTHY"
    OLD_EXTERNAL_ID_TRUSTED = "OLD_EXTERNAL_ID_TRUSTED"
    EXTERNAL_ID_IN_USE_REFUSED = "EXTERNAL_ID_IN_USE_REFUSED"


def findings_of(rotation: SecretRotation, look: Look, now: datetime) -> tuple[NewFinding, ...]:
    """What the owner has to do, judged anew by each look; nothing is said of an unknown."""
    in_use, other = (
        (look.old, look.new)
        if rotation.state is RotationState.WAITING_FOR_CUSTOMER
        else (look.new, look.old)
    )
    found = [_to_do(rotation, look, now)]
    if in_use is Admission.REFUSED:
        found.append(_in_use_refused(other))
    return tuple(one for one in found if one is not None)


def _to_do(rotation: SecretRotation, look: Look, now: datetime) -> NewFinding | None:
    until = f"{rotation.deadline:%Y-%m-%d %H:%M} UTC"
    is_late = now >= rotation.started_at + (rotation.deadline - rotation.started_at) / 2
    severity = Severity.WARNING if is_late else Severity.INFO
    if rotation.state is RotationState.VERIFYING_OLD_DROPPED:
        if look.old is not Admission.ADMITTED:
            return None
        return NewFinding(
            code=RotationCode.OLD_EXTERNAL_ID_TRUSTED,
            severity=severity,
            title="The role still trusts the old ExternalId",
            remedy="Update the stack as the rotation shows, so that only the new ExternalId is "
            f"trusted, before {until}.",
        )
    if look.new is Admission.REFUSED:
        return NewFinding(
            code=RotationCode.NEW_EXTERNAL_ID_UNTRUSTED,
            severity=severity,
            title="The role does not trust the new ExternalId yet",
            remedy="Update the stack as the rotation shows, so that both ExternalIds are "
            f"trusted, before {until}. Until then the old one stays in use.",
        )
    if look.new is Admission.ADMITTED and not look.healthy:
        return NewFinding(
            code=RotationCode.NEW_EXTERNAL_ID_UNHEALTHY,
            severity=Severity.WARNING,
            title="The new ExternalId opens the role, but its check fails",
            remedy="Repair what the evidence names; the new ExternalId is used once the check "
            "succeeds.",
            evidence={"text": look.note},
        )
    return None


def _in_use_refused(other: Admission) -> NewFinding:
    if other is Admission.ADMITTED:
        return NewFinding(
            code=RotationCode.EXTERNAL_ID_IN_USE_REFUSED,
            severity=Severity.WARNING,
            title="The role refuses the ExternalId in use",
            remedy="Nothing is lost: the other one of the rotation works and is used instead. "
            "Trust both, as the rotation shows, until it has ended.",
        )
    return NewFinding(
        code=RotationCode.EXTERNAL_ID_IN_USE_REFUSED,
        severity=Severity.ERROR,
        title="The role refuses both ExternalIds of the rotation",
        remedy="Update the stack as the rotation shows.",
    )


def rotation_markdown(
    request: RotationInput, state: RotationState, looks: int, last: Look | None, problem: str
) -> str:
    """Current details of a SecretRotation run. Foreign text stands in code spans."""
    lines = [
        f"### {state.value.replace('_', ' ').capitalize()}",
        "",
        f"Looks in this state: {looks}. Overlap ends {request.deadline:%Y-%m-%d %H:%M} UTC.",
    ]
    if last is not None:
        lines += [
            "",
            "| secret | the provider |",
            "|---|---|",
            f"| new | {last.new.value} |",
            f"| old | {last.old.value} |",
        ]
    for text in (last.note if last else "", problem):
        if text:
            lines += ["", fenced(text)]
    return "\n".join(lines)[:MAX_DETAILS]
