"""Live streams of two tenants over real sockets: what one emits, the other never hears.

Every message that our sockets get is read until one of our own, sent last, has come.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import UUID

import pytest

from tensorcost.domain.events.catalogue import EventType
from tensorcost.domain.events.envelope import NewEvent
from tensorcost.graphql.ids import global_id
from tensorcost.graphql.schema import build_schema
from tensorcost.storage.session import Database
from tests.graphql.sockets import Socket
from tests.isolation.belongings import Belongings, belongings_of
from tests.isolation.catalogue import open_catalogue
from tests.isolation.conftest import Street
from tests.isolation.graphql_operations import root_fields
from tests.isolation.settling import Household
from tests.support.tenants import app_database

SCHEMA = build_schema()._schema
EVENTS = """subscription ($types: [String!], $after: String) {
  events(types: $types, after: $after) { id cursor type data timestamp traceId }
}"""
PROGRESS = {
    "connectionProgress": """subscription ($id: ID!) { connectionProgress(connectionId: $id) {
        event connection { id name accountId externalId }
        run { id note steps(first: 3) { nodes { key } } } } }""",
    "backfillProgress": """subscription ($id: ID!) { backfillProgress(connectionId: $id) {
        event run { id connectionId note } } }""",
}


@pytest.fixture(scope="module")
async def db(street: Street) -> AsyncIterator[Database]:
    async with app_database(street.database) as opened:
        yield opened


@pytest.fixture
async def theirs(street: Street) -> Belongings:
    async with open_catalogue(street.database.superuser_url) as catalogue:
        return await belongings_of(catalogue, street.theirs.id, [street.ours.id])


@asynccontextmanager
async def listening(street: Street, home: Household) -> AsyncIterator[Socket]:
    async with Socket(street.api.address, home.token) as socket:
        yield socket


async def emit_everything(db: Database, home: Household) -> None:
    """One event of every type, about the tenant's own connection."""
    async with db.tenant(home.id) as tx:
        for kind in EventType:
            data = {"connection_id": str(home.connection_id), "says": home.named("event")}
            tx.emit(NewEvent(kind, data))


async def until(socket: Socket, sentinel: str) -> list[dict[str, Any]]:
    """Everything that came, up to the message that contains ``sentinel``."""
    heard: list[dict[str, Any]] = []
    while not heard or sentinel not in json.dumps(heard[-1]):
        heard.append(await socket.receive())
    return heard


async def mark(db: Database, home: Household, sentinel: str) -> None:
    async with db.tenant(home.id) as tx:
        tx.emit(NewEvent(EventType.COST_UPDATED, {"sentinel": sentinel}))


async def last_cursor(db: Database, home: Household) -> int:
    async with db.tenant(home.id) as tx:
        return int(await tx.scalar("SELECT last FROM app.event_cursor"))


def test_every_subscription_is_tried_here() -> None:
    assert set(root_fields(SCHEMA, "subscription")) == {"events", *PROGRESS}


async def test_nothing_of_theirs_is_heard_while_they_are_busy(
    street: Street, db: Database, theirs: Belongings
) -> None:
    async with (
        listening(street, street.ours) as mine,
        listening(street, street.theirs) as other,
    ):
        start = str(await last_cursor(db, street.ours))
        await mine.subscribe("live", EVENTS)
        await mine.subscribe("resumed", EVENTS, after=start)
        await mine.subscribe("some", EVENTS, types=["connection.*", "cost.*"])
        await other.subscribe("live", EVENTS)
        await both_listen(db, street, mine, other)
        await emit_everything(db, street.theirs)
        assert len(await until(other, list(EventType)[-1].value)) == len(EventType)
        await mark(db, street.ours, "ours-and-last")
        heard = [message for _ in range(3) for message in await until(mine, "ours-and-last")]
    assert {message["id"] for message in heard} == {"live", "resumed", "some"}
    assert theirs.in_answer(json.dumps(heard)) == []
    assert street.theirs.marker not in json.dumps(heard)


async def both_listen(db: Database, street: Street, mine: Socket, other: Socket) -> None:
    """A stream without a cursor begins at some moment: mark until both have heard a mark."""
    for home, socket, streams in ((street.ours, mine, 3), (street.theirs, other, 1)):
        heard = set[str]()
        number = 0
        while len(heard) < streams:
            number += 1
            sentinel = f"begin-{number}-{home.marker}"
            await mark(db, home, sentinel)
            with suppress(TimeoutError):
                async with asyncio.timeout(1):
                    while len(heard) < streams:
                        message = await socket.receive()
                        if sentinel in json.dumps(message):
                            heard.add(message["id"])
        await mark(db, home, f"begun-{home.marker}")
        for _ in range(streams):
            await until(socket, f"begun-{home.marker}")


async def test_reading_from_the_beginning_gives_our_events_alone(
    street: Street, db: Database, theirs: Belongings
) -> None:
    await emit_everything(db, street.theirs)
    await mark(db, street.ours, "the-end-of-ours")
    ours = await last_cursor(db, street.ours)
    async with listening(street, street.ours) as socket:
        await socket.subscribe("all", EVENTS, after="0")
        heard = await until(socket, "the-end-of-ours")
    cursors = [int(message["payload"]["data"]["events"]["cursor"]) for message in heard]
    assert cursors == list(range(1, ours + 1))
    assert theirs.in_answer(json.dumps(heard)) == []


@pytest.mark.parametrize("behind", [0, 1, 5])
async def test_a_cursor_of_theirs_opens_nothing_of_theirs(
    street: Street, db: Database, theirs: Belongings, behind: int
) -> None:
    """Beyond our own events it is refused; within them it is a place in ours."""
    await emit_everything(db, street.theirs)
    cursor = await last_cursor(db, street.theirs) - behind
    async with listening(street, street.ours) as socket:
        if cursor > await last_cursor(db, street.ours):
            await socket.subscribe("far", EVENTS, after=str(cursor))
            message = await socket.receive()
            assert message["type"] == "error"
            assert message["payload"][0]["extensions"]["code"] == "GONE"
            assert theirs.in_answer(json.dumps(message), [str(cursor)]) == []
        await mark(db, street.ours, "after-their-cursor")
        near = str(min(cursor, await last_cursor(db, street.ours) - 1))
        await socket.subscribe("near", EVENTS, after=near)
        heard = await until(socket, "after-their-cursor")
    assert theirs.in_answer(json.dumps(heard)) == []


@pytest.mark.parametrize("name", PROGRESS)
@pytest.mark.parametrize("form", ["global", "plain"])
async def test_progress_of_their_connection_is_not_found(
    street: Street, theirs: Belongings, name: str, form: str
) -> None:
    key: UUID = street.theirs.connection_id
    given = str(key) if form == "plain" else str(global_id("ProviderConnection", key))
    async with listening(street, street.ours) as socket:
        await socket.subscribe("1", PROGRESS[name], id=given)
        message = await socket.receive()
    assert message["type"] == "error"
    assert message["payload"][0]["extensions"]["code"] == "NOT_FOUND"
    assert theirs.in_answer(json.dumps(message), [given, str(key)]) == []


@pytest.mark.parametrize("name", PROGRESS)
async def test_progress_of_our_connection_is_not_stirred_by_theirs(
    street: Street, db: Database, theirs: Belongings, name: str
) -> None:
    """Not even by an event of theirs that names our connection."""
    async with listening(street, street.ours) as socket:
        await socket.subscribe("1", PROGRESS[name], id=str(street.ours.connection_id))
        assert (await socket.receive())["payload"]["data"][name]["event"] is None
        await emit_everything(db, street.theirs)
        async with db.tenant(street.theirs.id) as tx:
            data = {"connection_id": str(street.ours.connection_id)}
            tx.emit(NewEvent(EventType.BACKFILL_FAILED, data))
        async with db.tenant(street.ours.id) as tx:
            tx.emit(NewEvent(EventType.BACKFILL_COMPLETED, data))
        message = await socket.receive()
    assert _event_of(message, name) == "backfill.completed"
    assert theirs.in_answer(json.dumps(message)) == []


async def test_they_do_hear_their_own_progress(street: Street, theirs: Belongings) -> None:
    async with listening(street, street.theirs) as socket:
        for name, query in PROGRESS.items():
            await socket.subscribe(name, query, id=str(street.theirs.connection_id))
            assert theirs.in_answer(json.dumps(await socket.receive())) != []


@pytest.mark.parametrize("name", ["activeTenantId", "X-Active-Tenant-Id"])
async def test_a_socket_cannot_be_opened_in_their_tenant(street: Street, name: str) -> None:
    claimed = street.api.minter.user(street.ours.tenant.owner_id, street.theirs.id)
    wished = {name: str(street.theirs.id)}
    for payload in (
        {"authToken": street.ours.token, **wished},
        {"authToken": street.api.service_token(street.ours.id), **wished},
        {"authToken": claimed},
    ):
        async with Socket(street.api.address, None) as socket:
            await socket.send({"type": "connection_init", "payload": payload})
            assert await socket.close_code() == 4403


def _event_of(message: Mapping[str, Any], name: str) -> object:
    return message["payload"]["data"][name]["event"]
