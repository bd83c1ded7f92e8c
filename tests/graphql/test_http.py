"""What is a GraphQL request is answered 200; what is none has a status, and says why."""

from typing import Any

import httpx2
import pytest

from tensorcost.domain.identity.principal import Plan
from tensorcost.domain.identity.scopes import Scope
from tensorcost.domain.ids import TenantId
from tensorcost.services.cost.service import CostService
from tensorcost.services.tenancy.members import MemberService
from tests.graphql.world import TRACE, GraphqlWorld, as_caller, client_of
from tests.support.principals import caller


async def test_the_gateway_signs_in_and_the_face_answers(face: GraphqlWorld) -> None:
    created = await face.world.tenant()
    async with client_of(face.gateway()) as client:
        answer = await client.post(
            "/graphql",
            json={"query": "{ viewer { kind roles tenant { name plan } } }"},
            headers={"authorization": f"Bearer {face.world.token(created)}"},
        )
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["data"]["viewer"]["roles"] == ["OWNER"]
    assert answer.json()["data"]["viewer"]["tenant"]["plan"] == "GROWTH"


@pytest.mark.parametrize("token", [None, "not-a-token"])
async def test_without_a_valid_token_the_answer_is_401(
    face: GraphqlWorld, token: str | None
) -> None:
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    async with client_of(face.gateway()) as client:
        answer = await client.post(
            "/graphql", json={"query": "{ viewer { kind } }"}, headers=headers
        )
    assert answer.status_code == 401
    (error,) = answer.json()["errors"]
    assert error["extensions"]["code"] == "UNAUTHENTICATED"
    assert len(error["extensions"]["traceId"]) == 32


@pytest.mark.parametrize(
    ("content", "headers", "status", "code"),
    [
        (b"{", {}, 400, "VALIDATION_FAILED"),
        (b"[]", {}, 400, "VALIDATION_FAILED"),
        (b'[{"query": "{ viewer { kind } }"}]', {}, 400, "VALIDATION_FAILED"),
        (b'{"query": ""}', {}, 400, "VALIDATION_FAILED"),
        (b'{"query": "{ viewer { kind } }", "variables": []}', {}, 400, "VALIDATION_FAILED"),
        (b'{"query": "{ viewer { kind } }", "operationName": 1}', {}, 400, "VALIDATION_FAILED"),
        (b"query=x", {"content-type": "text/plain"}, 400, "VALIDATION_FAILED"),
        (b'{"query": "' + b"#" * 300_000 + b'"}', {}, 413, "PAYLOAD_TOO_LARGE"),
    ],
)
async def test_what_is_no_graphql_request_is_refused_with_its_reason(
    face: GraphqlWorld,
    tenant: TenantId,
    content: bytes,
    headers: dict[str, str],
    status: int,
    code: str,
) -> None:
    async with client_of(as_caller(face.face(), caller(tenant))) as client:
        answer = await client.post(
            "/graphql", content=content, headers={"content-type": "application/json"} | headers
        )
    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (status, code)


async def test_a_body_in_many_pieces_is_counted_too(face: GraphqlWorld, tenant: TenantId) -> None:
    async def pieces() -> Any:
        for _ in range(400):
            yield b" " * 1024

    async with client_of(as_caller(face.face(), caller(tenant))) as client:
        answer = await client.post(
            "/graphql", content=pieces(), headers={"content-type": "application/json"}
        )
    assert answer.status_code == 413


@pytest.mark.parametrize(
    "query",
    [
        "{ viewer {",
        "{ viewer { nothing } }",
        "query A { viewer { kind } } query B { viewer { kind } }",
        "query ($n: Int!) { members(first: $n) { nodes { email } } }",
        "subscription { events { type } }",
    ],
)
async def test_a_request_that_does_not_fit_the_schema_is_answered_200_with_bad_request(
    face: GraphqlWorld, tenant: TenantId, query: str
) -> None:
    answer = await face.ask(caller(tenant), query)
    assert answer["data"] is None
    assert answer["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


async def test_one_operation_of_several_is_chosen_by_name(
    face: GraphqlWorld, tenant: TenantId
) -> None:
    query = "query A { viewer { kind } } query B { tenant { name } }"
    async with client_of(as_caller(face.face(), caller(tenant))) as client:
        body = {"query": query, "operationName": "B"}
        answer = (await client.post("/graphql", json=body)).json()
    assert answer["data"] == {"tenant": {"name": "Test"}}


async def test_an_operation_over_the_cost_limit_is_not_run(
    face: GraphqlWorld, tenant: TenantId
) -> None:
    app = face.face(max_cost=100)
    query = "query ($n: Int!) { members(first: $n) { edges { node { email } } } }"
    cheap = await face.ask(caller(tenant), query, app, n=10)
    assert cheap["extensions"]["cost"] == {"requested": 21, "limit": 100, "requests": 1}
    dear = await face.ask(caller(tenant), query, app, n=50)
    assert dear["data"] is None
    assert dear["errors"][0]["extensions"]["code"] == "TOO_COSTLY"
    assert dear["errors"][0]["extensions"]["cost"] == {"requested": 101, "limit": 100}


async def test_a_dear_operation_takes_more_of_the_quota_than_a_cheap_one(
    face: GraphqlWorld,
) -> None:
    token = face.world.token(await face.world.tenant())
    async with client_of(face.gateway()) as client:

        async def left(query: str) -> tuple[int, int]:
            answer = await client.post(
                "/graphql", json={"query": query}, headers={"authorization": f"Bearer {token}"}
            )
            (told,) = answer.headers.get_list("x-ratelimit-remaining")
            return int(told), answer.json()["extensions"]["cost"]["requests"]

        cheap, one = await left("{ tenant { name } }")
        dear, many = await left("{ members(first: 200) { edges { node { id } } } }")
    assert (one, many) == (1, 3)
    # What flows back meanwhile is less than half of a request.
    assert cheap - dear in (many, many - 1)


async def test_an_operation_over_what_is_left_of_the_quota_is_not_run_and_says_when_to_come_back(
    face: GraphqlWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = face.gateway(quota={Plan.GROWTH: 10}, cost_of_a_request=20)
    asked: list[object] = []
    members = MemberService.list

    async def listed(*arguments: Any, **named: Any) -> Any:
        asked.append(named)
        return await members(*arguments, **named)

    monkeypatch.setattr(MemberService, "list", listed)
    token = face.world.token(await face.world.tenant())
    headers = {"authorization": f"Bearer {token}"}
    query = "query ($n: Int!) { members(first: $n) { nodes { id } } }"
    async with client_of(app) as client:
        dear = await client.post(
            "/graphql", json={"query": query, "variables": {"n": 200}}, headers=headers
        )
        cheap = await client.post(
            "/graphql", json={"query": query, "variables": {"n": 10}}, headers=headers
        )
    assert dear.status_code == 429
    assert int(dear.headers["retry-after"]) > 0
    (error,) = dear.json()["errors"]
    assert error["extensions"]["code"] == "RATE_LIMITED"
    assert error["extensions"]["retryAfterSeconds"] > 0
    assert (cheap.status_code, len(asked)) == (200, 1)


async def test_an_unexpected_error_keeps_its_text_to_itself_and_the_rest_is_answered(
    face: GraphqlWorld, tenant: TenantId, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: Any) -> None:
        raise RuntimeError("password=hunter2")

    monkeypatch.setattr(CostService, "summary", broken)
    answer = await face.ask(caller(tenant), "{ costSummary { asOf } tenant { name } }")
    assert answer["data"] == {"costSummary": None, "tenant": {"name": "Test"}}
    (error,) = answer["errors"]
    assert error["path"] == ["costSummary"]
    assert error["extensions"] == {"code": "INTERNAL", "traceId": TRACE}
    assert "hunter2" not in str(answer)


async def test_an_expected_error_keeps_its_message_code_and_field(
    face: GraphqlWorld, tenant: TenantId
) -> None:
    answer = await face.ask(
        caller(tenant), '{ costSummary(window: {from: "2026-02-01", to: "2026-01-01"}) { asOf } }'
    )
    (error,) = answer["errors"]
    assert error["extensions"] == {"code": "VALIDATION_FAILED", "field": "from", "traceId": TRACE}


@pytest.mark.parametrize("first", [0, 201, -1])
async def test_a_page_is_asked_for_within_bounds(
    face: GraphqlWorld, tenant: TenantId, first: int
) -> None:
    query = "query ($n: Int!) { members(first: $n) { nodes { email } } }"
    answer = await face.ask(caller(tenant), query, n=first)
    assert answer["errors"][0]["extensions"]["field"] == "first"


async def test_a_foreign_cursor_or_id_is_refused(face: GraphqlWorld, tenant: TenantId) -> None:
    for query in (
        '{ members(first: 1, after: "%%%") { nodes { email } } }',
        '{ members(first: 1, after: "WzFd") { nodes { email } } }',
        '{ connection(id: "nonsense") { name } }',
        '{ syncRun(id: "UHJvdmlkZXJDb25uZWN0aW9uOng") { state } }',
    ):
        answer = await face.ask(caller(tenant), query)
        assert answer["errors"][0]["extensions"]["code"] == "VALIDATION_FAILED", query


async def test_introspection_can_be_switched_off(face: GraphqlWorld, tenant: TenantId) -> None:
    query = "{ __schema { queryType { name } } }"
    assert (await face.ask(caller(tenant), query))["data"]
    answer = await face.ask(caller(tenant), query, face.face(introspection=False))
    assert answer["data"] is None


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_only_post_asks(face: GraphqlWorld, method: str) -> None:
    async with client_of(face.gateway(explorer=False)) as client:
        answer = await client.request(method, "/graphql?query={viewer{kind}}")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"


async def test_the_explorer_and_its_parts_are_served_when_switched_on(face: GraphqlWorld) -> None:
    async with client_of(face.gateway()) as client:
        page = await client.get("/graphql")
        script = await client.get("/graphql/explorer.js")
        style = await client.get("/graphql/explorer.css")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert script.headers["content-type"].startswith("text/javascript")
    assert style.headers["content-type"].startswith("text/css")
    for part in (page, script, style):
        assert "://" not in _without_comments(part)


async def test_a_principal_without_any_scope_may_still_ask_who_it_is(
    face: GraphqlWorld, tenant: TenantId
) -> None:
    data = await face.data(caller(tenant, ()), "{ viewer { scopes tenant { id } } }")
    assert data["viewer"]["scopes"] == []


async def test_a_scope_is_checked_before_any_argument(face: GraphqlWorld, tenant: TenantId) -> None:
    without = caller(tenant, set(Scope) - {Scope.INTEGRATION_READ})
    answer = await face.ask(without, '{ connection(id: "nonsense") { name } }')
    assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"


def _without_comments(part: httpx2.Response) -> str:
    lines = part.text.splitlines()
    return "\n".join(line for line in lines if not line.strip().startswith(("//", "#")))
