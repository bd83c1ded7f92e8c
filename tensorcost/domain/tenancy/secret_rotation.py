"""The rotation of a stored secret as service, workflow and activity speak of it.

The new secret is in use from the start, since nobody else has to be told of it; the earlier one is
only kept for the way back. Secrets never travel in these: a rotation names versions.
"""

from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from tensorcost.domain.ids import TenantId
from tensorcost.domain.integration.contracts import Contract
from tensorcost.domain.integration.progress import MAX_DETAILS, fenced
from tensorcost.domain.tenancy.stored_secrets import STORED_SECRETS, StoredSecretKind

STORED_SECRET_ROTATION: Final = "StoredSecretRotation"  # noqa: S105
FINISH_UPDATE: Final = "finish"


class StoredRotationState(StrEnum):
    """The ``State`` search attribute of a StoredSecretRotation run, as in the database."""

    OVERLAPPING = "overlapping"
    ROTATED = "rotated"
    ROLLED_BACK = "rolled_back"
    CANCELLED = "cancelled"


class StoredRotationKey(Contract):
    """Which rotation, for whom."""

    tenant_id: TenantId
    rotation_id: UUID


class StoredRotationInput(StoredRotationKey):
    """Keep the overlap of one rotation until its end."""

    kind: StoredSecretKind
    old_version: int
    new_version: int
    deadline: datetime


class EndRequest(Contract):
    """``finish`` or ``rollback`` of this rotation, and of no later one."""

    rotation_id: UUID
    requested_by: str
    reason: str = ""


class EndOrder(StoredRotationKey):
    """End the rotation so. The version that is not kept is destroyed."""

    state: StoredRotationState
    note: str = ""
    requested_by: str = ""
    """Who asked for this end; empty where the process itself came to it."""


class StoredRotationStatus(Contract):
    rotation_id: UUID
    state: StoredRotationState


class StoredRotation(StoredRotationInput):
    """A rotation as stored."""

    state: StoredRotationState
    requested_by: str
    started_at: datetime
    finished_at: datetime | None = None
    note: str = ""

    @property
    def is_open(self) -> bool:
        return self.state is StoredRotationState.OVERLAPPING

    @property
    def in_use(self) -> int:
        """The version that is in use, in this state of the rotation."""
        is_back = self.state is StoredRotationState.ROLLED_BACK
        return self.old_version if is_back else self.new_version

    @property
    def not_in_use(self) -> int:
        """The other version: kept while the rotation is open, destroyed once it has ended."""
        return self.old_version + self.new_version - self.in_use

    def ended(self, order: EndOrder, now: datetime) -> "StoredRotation":
        """The same rotation once it has ended so."""
        changes = {"state": order.state, "note": order.note, "finished_at": now}
        return self.model_copy(update=changes)


def stored_rotation_markdown(
    request: StoredRotationInput, state: StoredRotationState, problem: str
) -> str:
    """Current details of a StoredSecretRotation run. Foreign text stands in code spans."""
    spec = STORED_SECRETS[request.kind]
    lines = [
        f"### {state.value.replace('_', ' ').capitalize()}",
        "",
        f"Secret `{request.kind.value}`: {spec.purpose}. From version {request.old_version} to "
        f"{request.new_version}; overlap until {request.deadline:%Y-%m-%d %H:%M} UTC.",
    ]
    if problem:
        lines += ["", fenced(problem)]
    return "\n".join(lines)[:MAX_DETAILS]


def stored_rotation_workflow_id(tenant_id: UUID, kind: StoredSecretKind) -> str:
    return f"tenant/{tenant_id}/secret/{kind.value}/rotation"
