"""Payload encryption: what opens where, and that histories hold no plain text."""

import base64
from datetime import timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError
from temporalio.api.common.v1 import Payload
from temporalio.client import Client
from temporalio.converter import ActivitySerializationContext, WorkflowSerializationContext

from tensorcost.domain.ids import TenantId
from tensorcost.domain.integration.contracts import onboarding_workflow_id
from tensorcost.domain.integration.contracts_connection import Connection
from tensorcost.runtime.embedded.temporal import TemporalAddress
from tensorcost.services.processes import IntegrationProcesses
from tensorcost.storage.session import Database
from tensorcost.workers.codec import EncryptionCodec, PayloadRefused, owner_of
from tensorcost.workers.settings import CodecSettings
from tests.support.connections import make_connection
from tests.support.scripted_connector import HEALTHY, ScriptedConnector, denied
from tests.support.temporal_house import open_house

OLD, NEW = bytes(range(32)), bytes(range(32, 64))
SETTINGS = CodecSettings(
    keys={
        "2026-01": SecretStr(base64.b64encode(OLD).decode()),
        "2026-11": SecretStr(base64.b64encode(NEW).decode()),
    },
    active="2026-11",
)
CANARY = "canary-text-that-must-not-be-readable"


def codec(active: str = "2026-11") -> EncryptionCodec:
    return EncryptionCodec.of(SETTINGS.raw_keys(), active)


def at(workflow_id: str) -> WorkflowSerializationContext:
    return WorkflowSerializationContext(namespace="default", workflow_id=workflow_id)


def plain(data: bytes = b'{"a":1}') -> Payload:
    return Payload(metadata={"encoding": b"json/plain"}, data=data)


@given(data=st.binary(max_size=5_000))
async def test_what_is_sealed_opens_as_it_was(data: bytes) -> None:
    bound = codec().with_context(at("connection/1/onboarding"))
    (sealed,) = await bound.encode([plain(data)])
    assert await bound.decode([sealed]) == [plain(data)]
    assert sealed.metadata["encoding"] == b"binary/encrypted"


async def test_a_payload_of_another_aggregate_is_refused() -> None:
    (sealed,) = await codec().with_context(at("connection/1/onboarding")).encode([plain()])
    same = codec().with_context(at("connection/1/backfill/2"))
    assert await same.decode([sealed]) == [plain()]
    with pytest.raises(PayloadRefused, match="belongs to connection/1"):
        await codec().with_context(at("connection/2/onboarding")).decode([sealed])


async def test_a_payload_relabelled_for_another_tenant_does_not_open() -> None:
    (sealed,) = await codec().with_context(at("tenant/1/onboarding")).encode([plain()])
    sealed.metadata["tc-owner"] = b"tenant/2"
    for reader in (codec(), codec().with_context(at("tenant/2/onboarding"))):
        with pytest.raises(PayloadRefused, match="changed"):
            await reader.decode([sealed])


async def test_an_activity_reads_what_its_workflow_wrote() -> None:
    (sealed,) = await codec().with_context(at("connection/1/sync-2026-11-20")).encode([plain()])
    context = ActivitySerializationContext(
        namespace="default",
        activity_id="1",
        activity_type="x",
        activity_task_queue="q",
        workflow_id="connection/1/sync-2026-11-20",
        workflow_type="Sync",
        is_local=False,
    )
    assert await codec().with_context(context).decode([sealed]) == [plain()]


async def test_old_keys_still_open_and_unknown_ones_do_not() -> None:
    (sealed,) = await codec("2026-01").encode([plain()])
    assert await codec("2026-11").decode([sealed]) == [plain()]
    alone = EncryptionCodec.of({"2026-11": NEW}, "2026-11")
    with pytest.raises(PayloadRefused, match="no key 2026-01"):
        await alone.decode([sealed])


async def test_a_flipped_bit_is_noticed() -> None:
    (sealed,) = await codec().encode([plain()])
    broken = bytearray(sealed.data)
    broken[20] ^= 1
    sealed.data = bytes(broken)
    with pytest.raises(PayloadRefused):
        await codec().decode([sealed])


async def test_plain_payloads_pass_unchanged() -> None:
    assert await codec().decode([plain()]) == [plain()]


@pytest.mark.parametrize(
    ("workflow_id", "owner"),
    [
        ("connection/1/sync-2026-11-20T11:53:00Z", "connection/1"),
        ("tenant/7/onboarding", "tenant/7"),
        ("", ""),
    ],
)
def test_the_owner_is_the_aggregate(workflow_id: str, owner: str) -> None:
    assert owner_of(workflow_id) == owner


@pytest.mark.parametrize(
    ("keys", "active", "why"),
    [
        ({"a": "AAAA"}, "a", "32 bytes"),
        ({"a": "!"}, "a", "base64"),
        ({"a": base64.b64encode(OLD).decode()}, "b", "not among"),
    ],
)
def test_unusable_keys_are_refused(keys: dict[str, str], active: str, why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        CodecSettings(keys={k: SecretStr(v) for k, v in keys.items()}, active=active)


async def history(client: Client, workflow_id: str) -> str:
    fetched = await client.get_workflow_handle(workflow_id).fetch_history()
    return fetched.to_json()


async def onboard(
    db: Database,
    connection: Connection,
    server: TemporalAddress,
    settings: CodecSettings | None,
) -> str:
    """The whole way in one house; every history it wrote, as text."""
    connector = ScriptedConnector(verdicts=[denied(title=CANARY), HEALTHY])
    async with open_house(server, db, connector, codec=settings) as house:
        processes = IntegrationProcesses(
            house.processes, backfill_days=1, interval=timedelta(milliseconds=200)
        )
        await processes.validate(connection, "user:fake")
        workflow_id = onboarding_workflow_id(connection.connection_id)
        outcome = await house.client.get_workflow_handle(workflow_id).result()
        backfill = str(outcome["backfill_id"])
        await house.client.get_workflow_handle(backfill).result()
        raw = await Client.connect(server.frontend, namespace=server.namespace)
        texts = [await history(raw, name) for name in (workflow_id, backfill)]
    # Payloads stand in base64 in the JSON of a history.
    return "".join(texts + [_opened(text) for text in texts])


def _opened(text: str) -> str:
    chunks = [piece for piece in text.replace('"', "\n").split("\n") if len(piece) > 12]
    found = []
    for chunk in chunks:
        try:
            found.append(base64.b64decode(chunk, validate=True).decode("utf-8", "replace"))
        except ValueError:
            continue
    return "".join(found)


async def test_an_encrypted_history_holds_no_plain_text(
    db: Database, tenant: TenantId, temporal_server: TemporalAddress
) -> None:
    canary = f"user-{uuid4().hex}"
    connection = await make_connection(db, tenant, name=canary)
    read = await onboard(db, connection, temporal_server, SETTINGS)
    assert CANARY not in read
    assert "TRUST_DENIED" not in read
    assert "requested_by" not in read


async def test_without_the_codec_the_same_history_is_readable(
    db: Database, tenant: TenantId, temporal_server: TemporalAddress
) -> None:
    connection = await make_connection(db, tenant)
    read = await onboard(db, connection, temporal_server, None)
    assert CANARY in read
