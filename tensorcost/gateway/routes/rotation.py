"""Rotation of a connection's secret: both valid for a while, none interrupted (B9)."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from tensorcost.domain.integration.contracts_rotation import (
    OVERLAP,
    Admission,
    RotationState,
    SecretKind,
)
from tensorcost.domain.integration.rotation import LONGEST_OVERLAP, SHORTEST_OVERLAP
from tensorcost.gateway.envelope import Bytes, Envelope, accepted, ok
from tensorcost.gateway.routes.integration_shapes import CancelIn
from tensorcost.gateway.scoped import Caller, api
from tensorcost.services.authorise import serves
from tensorcost.services.secret_rotation import RotationView, SecretRotationService


class RotateIn(BaseModel):
    model_config = ConfigDict(extra="forbid")
    overlap_days: Annotated[int, Field(ge=SHORTEST_OVERLAP, le=LONGEST_OVERLAP)] = OVERLAP.days


class CustomerStepOut(BaseModel):
    title: str
    update_command: str = Field(description="For who deployed our stack.")
    trust_policy: str = Field(description="The role's trust policy that results, as JSON.")


class RotationOut(BaseModel):
    id: UUID
    connection_id: UUID
    kind: SecretKind
    state: RotationState
    requested_by: str
    started_at: datetime
    deadline: datetime = Field(description="Until when both secrets may be valid.")
    switched_at: datetime | None = Field(description="Since when the new secret is in use.")
    finished_at: datetime | None
    looks: int = Field(description="How often the provider was asked.")
    looked_at: datetime | None
    new: Admission = Field(description="What the provider last said to the new secret.")
    old: Admission
    note: str
    joined: bool = Field(description="True when this rotation was under way already.")
    step: CustomerStepOut | None = Field(description="What there is to do now.")


def router(rotations: SecretRotationService) -> APIRouter:
    """``/v1/integration/connections/{connection_id}/rotate-secret`` and ``/rotation``."""
    routes = api("/v1/integration", "integration")
    shape = Envelope[RotationOut]

    @routes.post(
        "/connections/{connection_id}/rotate-secret", status_code=202, response_model=shape
    )
    @serves(SecretRotationService.begin)
    async def rotate_connection_secret(
        caller: Caller, connection_id: UUID, body: RotateIn | None = None
    ) -> Bytes:
        """Begin to rotate the ExternalId, or join the rotation under way; the step to take."""
        overlap_days = (body or RotateIn()).overlap_days
        return accepted(_out(await rotations.begin(caller, connection_id, overlap_days)))

    @routes.get("/connections/{connection_id}/rotation", response_model=shape)
    @serves(SecretRotationService.get)
    async def get_rotation(caller: Caller, connection_id: UUID) -> Bytes:
        """The rotation under way, else the last one."""
        return ok(_out(await rotations.get(caller, connection_id)))

    @routes.post("/connections/{connection_id}/rotation/verify", response_model=shape)
    @serves(SecretRotationService.verify)
    async def verify_rotation(caller: Caller, connection_id: UUID) -> Bytes:
        """Ask the provider now rather than at the next look."""
        return ok(_out(await rotations.verify(caller, connection_id)))

    @routes.post("/connections/{connection_id}/rotation/rollback", response_model=shape)
    @serves(SecretRotationService.roll_back)
    async def roll_back_rotation(
        caller: Caller, connection_id: UUID, body: CancelIn | None = None
    ) -> Bytes:
        """Go back to the old ExternalId. 409 where the role refuses it."""
        reason = body.reason if body is not None else ""
        return ok(_out(await rotations.roll_back(caller, connection_id, reason)))

    return routes


def _out(view: RotationView) -> dict[str, Any]:
    stored = view.rotation.model_dump(exclude={"rotation_id", "connection"})
    return {
        "id": view.rotation.rotation_id,
        "connection_id": view.rotation.connection.connection_id,
        **stored,
        "joined": view.joined,
        "step": view.step,
    }
