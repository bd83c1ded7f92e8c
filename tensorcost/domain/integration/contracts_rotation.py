"""The rotation of a connection's secret as services, workflow and activities speak of it.

Secrets never travel in these: the connection's row holds them, and a rotation says only which of
the two, the old or the new one, is meant.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from tensorcost.domain.integration.contracts import ConnectionKey, Contract

BEGIN_UPDATE: Final = "begin"
VERIFY_UPDATE: Final = "verify"
ROLLBACK_UPDATE: Final = "rollback"
OVERLAP: Final = timedelta(days=7)
"""How long both secrets may be valid, unless asked otherwise."""


class SecretKind(StrEnum):
    """What rotates. A provider with keys of its own adds a kind here."""

    EXTERNAL_ID = "external_id"


class RotationState(StrEnum):
    """The ``State`` search attribute of a SecretRotation run, as in the database."""

    WAITING_FOR_CUSTOMER = "waiting_for_customer"
    VERIFYING_OLD_DROPPED = "verifying_old_dropped"
    ROTATED = "rotated"
    ROLLED_BACK = "rolled_back"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


OPEN_ROTATIONS: Final = (RotationState.WAITING_FOR_CUSTOMER, RotationState.VERIFYING_OLD_DROPPED)


class Side(StrEnum):
    """One of the two secrets of a rotation."""

    OLD = "old"
    NEW = "new"


class Admission(StrEnum):
    """Whether the provider lets us in with one of the two. Unknown is neither: ask again."""

    ADMITTED = "admitted"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class RotationInput(Contract):
    """Follow one rotation to its end. What follows ``settle`` travels across continue-as-new.

    ``interval`` is the first pause between two looks; it grows while nothing changes. ``settle``
    is how long a refusal of the old secret must last: a changed policy takes effect here sooner
    than there.
    """

    connection: ConnectionKey
    rotation_id: UUID
    deadline: datetime
    interval: timedelta = timedelta(seconds=30)
    settle: timedelta = timedelta(seconds=10)
    state: RotationState = RotationState.WAITING_FOR_CUSTOMER
    looks: int = 0
    """Looks in this state so far."""


class LookOrder(Contract):
    connection: ConnectionKey
    rotation_id: UUID


class Look(Contract):
    """What the provider said of both secrets at one moment.

    ``healthy``: with the new one the sample read works too. ``note`` says why not, for people.
    """

    new: Admission
    old: Admission
    healthy: bool = False
    note: str = ""


class SwitchSecret(Contract):
    """Put the new secret into use; the old one is kept until the rotation ends."""

    connection: ConnectionKey
    rotation_id: UUID


class FinishRotation(Contract):
    """End the rotation. The secret that is not kept is destroyed."""

    connection: ConnectionKey
    rotation_id: UUID
    state: RotationState
    keep: Side
    note: str = ""
    requested_by: str = ""
    """Who asked for this end; empty where the process itself came to it."""


class VerifyRequest(Contract):
    """Look at once."""

    requested_by: str


class RollbackRequest(Contract):
    requested_by: str
    reason: str = ""


class RotationStatus(Contract):
    rotation_id: UUID
    state: RotationState
    last: Look | None = None


class RotationOutcome(Contract):
    rotation_id: UUID
    state: RotationState


class SecretRotation(Contract):
    """A rotation as stored."""

    rotation_id: UUID
    connection: ConnectionKey
    kind: SecretKind
    state: RotationState
    requested_by: str
    started_at: datetime
    deadline: datetime
    switched_at: datetime | None = None
    finished_at: datetime | None = None
    looks: int = 0
    looked_at: datetime | None = None
    new: Admission = Admission.UNKNOWN
    old: Admission = Admission.UNKNOWN
    note: str = ""

    @property
    def is_open(self) -> bool:
        return self.state in OPEN_ROTATIONS


def rotation_workflow_id(connection_id: UUID) -> str:
    return f"connection/{connection_id}/rotation"
