"""Rotation of the secrets that are stored for a tenant (B9)."""

from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field

from tensorcost.domain.tenancy.secret_rotation import StoredRotationState
from tensorcost.domain.tenancy.stored_secrets import StoredSecretKind
from tensorcost.gateway.envelope import Bytes, Envelope, accepted, ok
from tensorcost.gateway.routes.integration_shapes import CancelIn
from tensorcost.gateway.routes.rotation import RotateIn
from tensorcost.gateway.scoped import Caller, api
from tensorcost.services.authorise import serves
from tensorcost.services.tenancy.secret_rotation import StoredRotationView, StoredSecretService


class StoredRotationOut(BaseModel):
    id: UUID
    kind: StoredSecretKind
    state: StoredRotationState
    old_version: int
    new_version: int
    in_use: int = Field(description="The version in use. Once ended, the other is destroyed.")
    requested_by: str
    started_at: datetime
    deadline: datetime = Field(description="Until when the earlier version is kept.")
    finished_at: datetime | None
    note: str
    joined: bool = Field(description="True when this rotation was under way already.")
    consequence: str = Field(description="What the rotation changes for good.")


def router(stored_secrets: StoredSecretService) -> APIRouter:
    """``/v1/tenant/secrets/{kind}/rotation``."""
    routes = api("/v1/tenant/secrets", "tenant")
    shape = Envelope[StoredRotationOut]

    @routes.post("/{kind}/rotation", status_code=202, response_model=shape)
    @serves(StoredSecretService.begin)
    async def rotate_stored_secret(
        caller: Caller, kind: StoredSecretKind, body: RotateIn | None = None
    ) -> Bytes:
        """Take a new secret into use and keep the earlier one, or join the rotation under way."""
        overlap_days = (body or RotateIn()).overlap_days
        return accepted(_out(await stored_secrets.begin(caller, kind, overlap_days)))

    @routes.get("/{kind}/rotation", response_model=shape)
    @serves(StoredSecretService.get)
    async def get_stored_secret_rotation(caller: Caller, kind: StoredSecretKind) -> Bytes:
        """The rotation under way, else the last one."""
        return ok(_out(await stored_secrets.get(caller, kind)))

    @routes.post("/{kind}/rotation/finish", response_model=shape)
    @serves(StoredSecretService.finish)
    async def finish_stored_secret_rotation(
        caller: Caller, kind: StoredSecretKind, body: CancelIn | None = None
    ) -> Bytes:
        """Destroy the earlier secret now rather than at the end of the overlap."""
        return ok(_out(await stored_secrets.finish(caller, kind, _reason(body))))

    @routes.post("/{kind}/rotation/rollback", response_model=shape)
    @serves(StoredSecretService.roll_back)
    async def roll_back_stored_secret_rotation(
        caller: Caller, kind: StoredSecretKind, body: CancelIn | None = None
    ) -> Bytes:
        """Use the earlier secret again, and destroy the new one."""
        return ok(_out(await stored_secrets.roll_back(caller, kind, _reason(body))))

    return routes


def _reason(body: CancelIn | None) -> str:
    return "" if body is None else body.reason


def _out(view: StoredRotationView) -> dict[str, Any]:
    stored = view.rotation
    return {
        "id": stored.rotation_id,
        **stored.model_dump(exclude={"rotation_id", "tenant_id"}),
        "in_use": stored.in_use,
        "joined": view.joined,
        "consequence": view.consequence,
    }
