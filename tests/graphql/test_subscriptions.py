"""graphql-transport-ws over real sockets: authentication, resumption, limits, isolation."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from tensorcost.domain.events.catalogue import EventType
from tensorcost.domain.events.envelope import NewEvent
from tensorcost.domain.identity.principal import Plan, Principal
from tensorcost.domain.identity.scopes import Role, Scope
from tensorcost.domain.ids import TenantId
from tests.events.world import commit
from tests.graphql.sockets import Socket, sign_in
from tests.graphql.world import GraphqlWorld, served
from tests.support.databases import Database
from tests.support.tenants import make_tenant

EVENTS = """subscription ($types: [String!], $after: String) {
  events(types: $types, after: $after) { id cursor type data timestamp traceId }
}"""


async def next_events(socket: Socket, count: int) -> list[dict[str, Any]]:
    found = []
    for _ in range(count):
        message = await socket.receive()
        assert message["type"] == "next", message
        found.append(message["payload"]["data"]["events"])
    return found


async def test_a_committed_event_arrives_with_its_envelope(
    face: GraphqlWorld, tenant: TenantId
) -> None:
    token = sign_in(face, tenant, "fake-envelope")
    async with served(face.gateway()) as address, Socket(address, token) as socket:
        await socket.subscribe("1", EVENTS, after="0")
        await commit(face.world.database, tenant, 7)
        (event,) = await next_events(socket, 1)
    assert (event["type"], event["data"], event["cursor"]) == ("cost.updated", {"n": 7}, "1")
    assert event["timestamp"].endswith("Z")


async def test_the_gateways_own_tokens_open_a_socket(face: GraphqlWorld) -> None:
    created = await face.world.tenant()
    token = face.world.token(created)
    async with served(face.gateway()) as address, Socket(address, None) as socket:
        await socket.send(
            {"type": "connection_init", "payload": {"Authorization": f"Bearer {token}"}}
        )
        assert (await socket.receive())["type"] == "connection_ack"


async def test_a_client_that_drops_again_and_again_loses_nothing_and_sees_nothing_twice(
    face: GraphqlWorld, tenant: TenantId
) -> None:
    token = sign_in(face, tenant, "fake-dropper")
    seen: list[int] = []

    async def write() -> None:
        for number in range(60):
            await commit(face.world.database, tenant, number)

    async with served(face.gateway()) as address:
        writer = asyncio.create_task(write())
        while len(seen) < 60:
            async with Socket(address, token) as socket:
                await socket.subscribe("1", EVENTS, after=str(len(seen)))
                events = await next_events(socket, min(13, 60 - len(seen)))
            seen += [int(event["cursor"]) for event in events]
        await writer
    assert seen == list(range(1, 61))


async def test_streams_of_two_tenants_do_not_mix(
    face: GraphqlWorld, tenant: TenantId, database: Database
) -> None:
    other = await make_tenant(database)
    mine, theirs = sign_in(face, tenant, "fake-mine"), sign_in(face, other, "fake-theirs")
    async with (
        served(face.gateway()) as address,
        Socket(address, mine) as first,
        Socket(address, theirs) as second,
    ):
        await first.subscribe("1", EVENTS)
        await second.subscribe("1", EVENTS)
        await asyncio.sleep(0.2)
        await commit(face.world.database, other, 1)
        await commit(face.world.database, tenant, 2)
        assert [e["data"] for e in await next_events(first, 1)] == [{"n": 2}]
        assert [e["data"] for e in await next_events(second, 1)] == [{"n": 1}]


async def test_a_stream_holds_only_what_the_scopes_allow(
    face: GraphqlWorld, tenant: TenantId
) -> None:
    token = sign_in(face, tenant, "fake-narrow", scopes={Scope.INTEGRATION_READ})
    async with served(face.gateway()) as address, Socket(address, token) as socket:
        await socket.subscribe("1", EVENTS, after="0")
        await commit(face.world.database, tenant, 1)
        await commit(face.world.database, tenant, 2, kind=EventType.SYNC_COMPLETED)
        assert [e["data"] for e in await next_events(socket, 1)] == [{"n": 2}]
        await socket.subscribe("2", EVENTS, types=["cost.*"])
        message = await socket.receive()
    assert message["payload"][0]["extensions"]["code"] == "FORBIDDEN"


@pytest.mark.parametrize(
    ("variables", "code"),
    [
        ({"types": ["no.such.*"]}, "VALIDATION_FAILED"),
        ({"after": "x1"}, "VALIDATION_FAILED"),
        ({"after": "999"}, "GONE"),
    ],
)
async def test_a_stream_that_cannot_begin_says_why(
    face: GraphqlWorld, tenant: TenantId, variables: dict[str, Any], code: str
) -> None:
    token = sign_in(face, tenant, "fake-why")
    async with served(face.gateway()) as address, Socket(address, token) as socket:
        await socket.subscribe("1", EVENTS, **variables)
        message = await socket.receive()
    assert message["type"] == "error"
    assert message["payload"][0]["extensions"]["code"] == code


async def test_a_reader_too_far_behind_is_ended_with_its_cursor_and_resumes(
    face: GraphqlWorld, tenant: TenantId
) -> None:
    token = sign_in(face, tenant, "fake-slow")
    # More than this machine's socket buffers hold, so that the server feels that nobody reads.
    filler = "x" * 600_000
    async with served(face.gateway(max_frames=5)) as address:
        async with Socket(address, token, max_queue=1) as socket:
            await socket.subscribe("1", EVENTS)
            await asyncio.sleep(0.2)
            for number in range(40):
                async with face.world.database.tenant(tenant) as tx:
                    tx.emit(NewEvent(EventType.COST_UPDATED, {"n": number, "filler": filler}))
            await asyncio.sleep(1)
            cursors, ending = await _read_to_the_end(socket)
        async with Socket(address, token) as socket:
            await socket.subscribe("1", EVENTS, after=ending["cursor"])
            rest = await next_events(socket, 40 - len(cursors))
    assert ending["code"] == "UNAVAILABLE"
    assert [*cursors, *(int(event["cursor"]) for event in rest)] == list(range(1, 41))


async def _read_to_the_end(socket: Socket) -> tuple[list[int], dict[str, Any]]:
    cursors = []
    while (message := await socket.receive())["type"] == "next":
        cursors.append(int(message["payload"]["data"]["events"]["cursor"]))
    extensions: dict[str, Any] = message["payload"][0]["extensions"]
    return cursors, extensions


async def test_subscribers_who_ask_the_same_share_one_execution(
    face: GraphqlWorld, tenant: TenantId
) -> None:
    token = sign_in(face, tenant, "fake-shared")
    narrow = sign_in(face, tenant, "fake-shared-narrow", scopes={Scope.COST_READ})
    calls = _count_streams(face)
    async with (
        served(face.gateway()) as address,
        Socket(address, token) as first,
        Socket(address, token) as second,
        Socket(address, narrow) as third,
    ):
        for socket in (first, second, third):
            await socket.subscribe("same", EVENTS, types=["cost.*"])
        await first.subscribe("resumed", EVENTS, types=["cost.*"], after="0")
        await asyncio.sleep(0.3)
        assert len(calls) == 3
        await commit(face.world.database, tenant, 5)
        for socket in (second, third):
            assert [e["data"] for e in await next_events(socket, 1)] == [{"n": 5}]
        ids = {(await first.receive())["id"] for _ in range(2)}
        assert ids == {"same", "resumed"}
        await first.send({"id": "same", "type": "complete"})
        await asyncio.sleep(0.1)
        await commit(face.world.database, tenant, 6)
        assert [e["data"] for e in await next_events(second, 1)] == [{"n": 6}]
        assert (await first.receive())["id"] == "resumed"


async def test_the_stream_ends_with_the_token(face: GraphqlWorld, tenant: TenantId) -> None:
    token = sign_in(face, tenant, "fake-short", seconds=0.3)
    async with served(face.gateway()) as address, Socket(address, token) as socket:
        await socket.subscribe("1", EVENTS)
        await asyncio.sleep(0.1)
        face.world.clock.move(seconds=1)
        assert await socket.close_code() == 4403
        assert "expired" in (socket.raw.close_reason or "")


async def test_a_lost_membership_ends_the_socket(face: GraphqlWorld, tenant: TenantId) -> None:
    token = sign_in(face, tenant, "fake-lost")
    async with served(face.gateway()) as address, Socket(address, token) as socket:
        await socket.subscribe("1", EVENTS)
        del face.principals[token]
        assert await socket.close_code() == 4403


async def test_a_real_membership_that_is_removed_ends_the_socket(face: GraphqlWorld) -> None:
    created = await face.world.tenant()
    user_id, token = await face.world.member(created.tenant_id, Role.VIEWER)
    async with served(face.gateway()) as address, Socket(address, token) as socket:
        await socket.subscribe("1", EVENTS)
        owner = await face.world.deps.authenticator.authenticate(face.world.token(created))
        await face.deps.services.members.remove(owner, user_id)
        face.world.clock.move(seconds=4.5)
        assert await socket.close_code() == 4403


async def test_changed_scopes_end_the_socket(face: GraphqlWorld, tenant: TenantId) -> None:
    token = sign_in(face, tenant, "fake-changed")
    async with served(face.gateway()) as address, Socket(address, token) as socket:
        await socket.subscribe("1", EVENTS)
        known: Principal = face.principals[token]
        face.principals[token] = replace(known, scopes=frozenset({Scope.COST_READ}))
        assert await socket.close_code() == 4403


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        ([{"type": "connection_init", "payload": {"authToken": "fake-nobody-knows"}}], 4403),
        ([{"type": "connection_init"}], 4403),
        ([{"id": "1", "type": "subscribe", "payload": {"query": EVENTS}}], 4401),
        ([{"type": "nonsense"}], 4400),
        ([{"id": 5, "type": "complete"}], 4400),
    ],
)
async def test_a_client_that_does_not_keep_the_protocol_is_closed(
    face: GraphqlWorld, messages: list[dict[str, Any]], code: int
) -> None:
    async with served(face.gateway()) as address, Socket(address, None) as socket:
        for message in messages:
            await socket.send(message)
        assert await socket.close_code() == code


async def test_a_second_init_and_a_second_use_of_an_id_are_closed(
    face: GraphqlWorld, tenant: TenantId
) -> None:
    token = sign_in(face, tenant, "fake-second")
    async with served(face.gateway()) as address:
        async with Socket(address, token) as socket:
            await socket.send({"type": "connection_init", "payload": {"authToken": token}})
            assert await socket.close_code() == 4429
        async with Socket(address, token) as socket:
            await socket.subscribe("1", EVENTS)
            await socket.subscribe("1", EVENTS)
            assert await socket.close_code() == 4409


async def test_a_socket_that_never_authenticates_is_closed(face: GraphqlWorld) -> None:
    app = face.gateway(init_timeout_seconds=0.1)
    async with served(app) as address, Socket(address, None) as socket:
        assert await socket.close_code() == 4408


async def test_a_message_that_is_too_large_or_no_json_is_closed(
    face: GraphqlWorld, tenant: TenantId
) -> None:
    token = sign_in(face, tenant, "fake-large")
    async with served(face.gateway(max_body_bytes=1_000)) as address:
        async with Socket(address, token) as socket:
            await socket.subscribe("1", "#" * 2_000)
            assert await socket.close_code() == 1009
        async with Socket(address, token) as socket:
            await socket.raw.send("{")
            assert await socket.close_code() == 4400


async def test_the_streams_of_one_socket_are_limited(face: GraphqlWorld, tenant: TenantId) -> None:
    token = sign_in(face, tenant, "fake-many")
    async with served(face.gateway(max_streams=2)) as address, Socket(address, token) as socket:
        for name in ("1", "2", "3"):
            await socket.subscribe(name, EVENTS)
        message = await socket.receive()
        assert (message["type"], message["id"]) == ("error", "3")
        await socket.send({"id": "1", "type": "complete"})
        await socket.subscribe("3", EVENTS)
        await socket.send({"type": "ping"})
        assert (await socket.receive())["type"] == "pong"


async def test_every_stream_that_is_started_counts_as_a_request(
    face: GraphqlWorld, tenant: TenantId
) -> None:
    token = sign_in(face, tenant, "fake-eager")
    app = face.gateway(quota={Plan.GROWTH: 2})
    async with served(app) as address, Socket(address, token) as socket:
        for name in ("1", "2", "3"):
            await socket.subscribe(name, EVENTS)
        message = await socket.receive()
        assert (message["type"], message["id"]) == ("error", "3")
        assert message["payload"][0]["extensions"]["code"] == "RATE_LIMITED"
        await socket.send({"type": "ping"})
        assert (await socket.receive())["type"] == "pong"


@pytest.mark.parametrize(
    "query", ["{ viewer { kind } }", 'mutation { updateTenant(name: "x") { __typename } }']
)
async def test_queries_and_mutations_are_not_served_on_the_socket(
    face: GraphqlWorld, tenant: TenantId, query: str
) -> None:
    token = sign_in(face, tenant, "fake-query")
    async with served(face.gateway()) as address, Socket(address, token) as socket:
        await socket.subscribe("1", query)
        assert (await socket.receive())["type"] == "error"


async def test_a_page_of_another_origin_cannot_open_a_socket(face: GraphqlWorld) -> None:
    allowed = frozenset({"https://console.example"})
    async with served(face.gateway(allowed_origins=allowed)) as address:
        for origin in ("https://evil.example", "null"):
            with pytest.raises(InvalidStatus):
                await Socket(address, None, origin=origin).__aenter__()
        for origin in ("https://console.example", f"http://{address}"):
            async with Socket(address, None, origin=origin) as socket:
                assert socket.raw.subprotocol == "graphql-transport-ws"


async def test_another_protocol_is_refused(face: GraphqlWorld) -> None:
    async with served(face.gateway()) as address:
        socket = Socket(address, None)
        socket.raw = await connect(
            f"ws://{address}/graphql", subprotocols=[Subprotocol("graphql-ws")]
        )
        assert await socket.close_code() == 4406


def _count_streams(face: GraphqlWorld) -> list[object]:
    """Every stream that the event service opens from now on."""
    calls: list[object] = []
    original = face.source.subscribe

    async def counted(*arguments: Any, **named: Any) -> Any:
        calls.append(arguments)
        return await original(*arguments, **named)

    object.__setattr__(face.deps.services.events, "_source", _Source(counted))
    return calls


class _Source:
    def __init__(self, subscribe: Any) -> None:
        self.subscribe = subscribe
