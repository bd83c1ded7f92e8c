"""The rotation of a connection's secret: looked at, switched, ended."""

import asyncio
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, Final

from temporalio import activity

from tensorcost.activities.failures import MAX_MESSAGE, gone_is_final, never
from tensorcost.activities.integration.choose import connector_for
from tensorcost.activities.integration.ports import Connector, Connectors
from tensorcost.domain.clock import Clock
from tensorcost.domain.errors import NotFound
from tensorcost.domain.events.catalogue import EventType
from tensorcost.domain.events.envelope import NewEvent
from tensorcost.domain.identity.actors import system_actor
from tensorcost.domain.integration.contracts import Failure
from tensorcost.domain.integration.contracts_connection import Connection
from tensorcost.domain.integration.contracts_rotation import (
    Admission,
    FinishRotation,
    Look,
    LookOrder,
    RotationState,
    SecretRotation,
    Side,
    SwitchSecret,
)
from tensorcost.domain.integration.contracts_steps import Done
from tensorcost.domain.integration.progress_rotation import RotationCode, findings_of
from tensorcost.domain.integration.rotation import ending_when_stopped
from tensorcost.storage import audit
from tensorcost.storage.findings import record_findings
from tensorcost.storage.integration import get_connection, lock_connection
from tensorcost.storage.secret_rotation import (
    end_rotation,
    find_rotation,
    record_look,
    take_new_secret,
)
from tensorcost.storage.session import Database, TenantTx

ACTOR: Final = system_actor("rotation")
JUDGED: Final = tuple(code.value for code in RotationCode)
_KEPT_ON_EXPIRY: Final = (RotationCode.OLD_EXTERNAL_ID_TRUSTED.value,)
"""Still true when the overlap has ended with the old secret trusted."""


@dataclass(frozen=True, slots=True)
class RotationActivities:
    """Rotation of secrets. Asking the provider blocks in ``threads``; all else is rows."""

    db: Database
    connectors: Connectors
    threads: Executor
    clock: Clock

    @activity.defn(name="integration.look_at_secrets")
    async def look(self, order: LookOrder) -> Look:
        """Ask the provider for both secrets, and write down what it said and what is to do.

        ApplicationError ``AlreadyClosed`` where the rotation has ended, ``ConnectionGone`` where
        the connection is no more.
        """
        async with self.db.tenant(order.connection.tenant_id) as tx:
            rotation, connection = await _open_rotation(tx, order)
        connector = connector_for(self.connectors, connection.provider)
        loop = asyncio.get_running_loop()
        look = await loop.run_in_executor(self.threads, _ask, connector, connection, rotation.state)
        now = self.clock()
        async with self.db.tenant(order.connection.tenant_id) as tx:
            if await record_look(tx, rotation.rotation_id, look, now):
                found = findings_of(rotation, look, now)
                await record_findings(
                    tx, connection.connection_id, found, judged=_judged(look), now=now
                )
                if _is_news(rotation, look):
                    told = {"new": look.new.value, "old": look.old.value}
                    await _note(tx, rotation, "data.probe", **told, healthy=look.healthy)
        return look

    @activity.defn(name="integration.switch_secret")
    async def switch(self, order: SwitchSecret) -> Done:
        """Put the new secret into use. A repeat changes nothing."""
        now = self.clock()
        with gone_is_final():
            async with self.db.tenant(order.connection.tenant_id) as tx:
                rotation = await _locked(tx, order)
                if not await take_new_secret(tx, rotation, now):
                    return Done(changed=False)
                state = RotationState.VERIFYING_OLD_DROPPED
                rotation = rotation.model_copy(update={"state": state})
                tell_rotation(tx, EventType.CONNECTION_SECRET_ROTATED, rotation)
                await _note(tx, rotation, EventType.CONNECTION_SECRET_ROTATED.value)
        return Done()

    @activity.defn(name="integration.finish_rotation")
    async def finish(self, order: FinishRotation) -> Done:
        """Close the rotation and destroy the secret that is not kept. A repeat changes nothing."""
        now = self.clock()
        with gone_is_final():
            async with self.db.tenant(order.connection.tenant_id) as tx:
                rotation = await _locked(tx, order)
                keep = order.keep
                if order.state is RotationState.CANCELLED:
                    # A process stopped in the middle of a switch does not know that it is done.
                    keep = ending_when_stopped(rotation.state).keep
                if not await end_rotation(tx, rotation, order.state, keep, order.note, now):
                    return Done(changed=False)
                expired = order.state is RotationState.EXPIRED and keep is Side.NEW
                judged = [code for code in JUDGED if not (expired and code in _KEPT_ON_EXPIRY)]
                connection_id = rotation.connection.connection_id
                await record_findings(tx, connection_id, (), judged=judged, now=now)
                rotation = rotation.model_copy(update={"state": order.state, "note": order.note})
                event = (
                    EventType.CONNECTION_SECRET_ROLLED_BACK
                    if keep is Side.OLD
                    else EventType.CONNECTION_SECRET_ROTATION_ENDED
                )
                tell_rotation(tx, event, rotation)
                await _note(
                    tx, rotation, event.value, note=order.note, requested_by=order.requested_by
                )
        return Done()


def tell_rotation(tx: TenantTx, event: EventType, rotation: SecretRotation) -> None:
    """Append ``event`` about the rotation to the outbox. It never names a secret."""
    data = {
        "connection_id": str(rotation.connection.connection_id),
        "provider": rotation.connection.provider,
        "rotation_id": str(rotation.rotation_id),
        "kind": rotation.kind.value,
        "state": rotation.state.value,
        "deadline": rotation.deadline.isoformat(),
        "note": rotation.note,
    }
    tx.emit(NewEvent(event, data, audit.trace_id_now()))


def _ask(connector: Connector, connection: Connection, state: RotationState) -> Look:
    """Both secrets, each alone: the fallback from one to the other would hide a refusal."""
    waiting = state is RotationState.WAITING_FOR_CUSTOMER
    in_use = connection.external_id
    other = connection.other_external_id
    new, old = (other, in_use) if waiting else (in_use, other)
    with_new = connector.admits(connection.only_with(new))
    with_old = connector.admits(connection.only_with(old))
    healthy, note = False, with_new.detail or with_old.detail
    if waiting and with_new.admission is Admission.ADMITTED:
        verdict = connector.probe(connection.only_with(new))
        healthy, note = verdict.healthy, note or verdict.headline
    return Look(
        new=with_new.admission, old=with_old.admission, healthy=healthy, note=note[:MAX_MESSAGE]
    )


def _is_news(rotation: SecretRotation, look: Look) -> bool:
    """Days of waiting are one entry of the ledger; every read of the customer's data is one."""
    sampled = not rotation.switched_at and look.new is Admission.ADMITTED
    return sampled or not rotation.looks or (look.new, look.old) != (rotation.new, rotation.old)


def _judged(look: Look) -> tuple[str, ...]:
    """Nothing is taken back on the strength of an answer that never came."""
    return () if Admission.UNKNOWN in (look.new, look.old) else JUDGED


async def _open_rotation(tx: TenantTx, order: LookOrder) -> tuple[SecretRotation, Connection]:
    with gone_is_final():
        connection = await get_connection(tx, order.connection.connection_id)
    rotation = await find_rotation(tx, order.rotation_id)
    if rotation is None or not rotation.is_open:
        raise never(Failure.CLOSED, "the rotation has ended")
    return rotation, connection


async def _locked(tx: TenantTx, order: SwitchSecret | FinishRotation) -> SecretRotation:
    """The rotation, with the connection's row held; NotFound."""
    await lock_connection(tx, order.connection.connection_id)
    rotation = await find_rotation(tx, order.rotation_id)
    if rotation is None:
        raise NotFound("rotation", order.rotation_id)
    return rotation


async def _note(tx: TenantTx, rotation: SecretRotation, action: str, **detail: Any) -> None:
    await audit.record(
        tx,
        actor=ACTOR,
        action=action,
        resource_type="connection",
        resource_id=str(rotation.connection.connection_id),
        detail={
            "rotation_id": str(rotation.rotation_id),
            "state": rotation.state.value,
            **detail,
        },
    )
