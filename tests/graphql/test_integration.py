"""Connections: created, read with what became of them, steered; problems are typed."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from tensorcost.domain.identity.scopes import Scope
from tensorcost.domain.ids import TenantId
from tensorcost.domain.integration.contracts_findings import NewFinding, RankedCause, Severity
from tensorcost.domain.integration.progress_records import AccountCoverage
from tensorcost.domain.integration.states import Coverage
from tensorcost.storage.findings import record_findings
from tensorcost.storage.integration import save_accounts
from tensorcost.storage.sync_steps import plan_steps
from tests.graphql.world import TRACE, GraphqlWorld
from tests.support.connections import NOW, log_item, make_connection, make_run
from tests.support.principals import caller

CREATE = """mutation ($new: NewConnectionInput!) { createConnection(connection: $new) {
    __typename
    ... on ConnectionSetup { launchUrl cliCommand backendAccountId
        connection { id name state mode externalId settings { regions curRegion } } }
    ... on Problem { code message traceId }
    ... on ValidationProblem { field } } }"""


async def test_a_connection_is_created_with_what_its_owner_needs(
    face: GraphqlWorld, tenant: TenantId
) -> None:
    new = {
        "name": "Main",
        "accountId": "123412341234",
        "mode": "ORGANIZATION",
        "settings": {"regions": ["us-east-1", "eu-west-1"]},
    }
    found = (await face.data(caller(tenant), CREATE, new=new))["createConnection"]
    assert found["__typename"] == "ConnectionSetup"
    assert found["connection"]["state"] == "PENDING"
    assert found["connection"]["mode"] == "ORGANIZATION"
    assert found["connection"]["settings"] == {
        "regions": ["us-east-1", "eu-west-1"],
        "curRegion": "us-east-1",
    }
    again = (await face.data(caller(tenant), CREATE, new=new))["createConnection"]
    assert (again["__typename"], again["code"]) == ("ConflictProblem", "CONFLICT")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"accountId": "12341234123412"}, "account_id"),
        ({"name": ""}, "name"),
        ({"roleArn": "arn:nonsense"}, "role_arn"),
        ({"settings": {"regions": ["Mars"]}}, "settings.regions.0"),
        ({"provider": "nobody"}, "provider"),
    ],
)
async def test_what_cannot_be_a_connection_is_a_typed_problem_naming_the_field(
    face: GraphqlWorld, tenant: TenantId, change: dict[str, Any], field: str
) -> None:
    new = {"name": "Main", "accountId": "123412341234"} | change
    found = (await face.data(caller(tenant), CREATE, new=new))["createConnection"]
    assert (found["__typename"], found["field"]) == ("ValidationProblem", field)
    assert found["traceId"] == TRACE


async def test_a_caller_without_the_scope_gets_a_typed_problem(
    face: GraphqlWorld, tenant: TenantId
) -> None:
    reader = caller(tenant, {Scope.INTEGRATION_READ})
    new = {"name": "Main", "accountId": "123412341234"}
    found = (await face.data(reader, CREATE, new=new))["createConnection"]
    assert found["__typename"] == "ForbiddenProblem"


async def test_connections_are_paged_in_the_order_of_their_creation(
    face: GraphqlWorld, tenant: TenantId
) -> None:
    for n in range(5):
        await make_connection(
            face.world.database,
            tenant,
            name=f"c{n}",
            account_id=f"{n:012d}",
            created_at=NOW + timedelta(seconds=n),
        )
    query = """query ($after: String) { connections(first: 2, after: $after) {
        edges { cursor node { name } } nodes { name } pageInfo { hasNextPage endCursor } } }"""
    names, after = [], None
    for _ in range(3):
        page = (await face.data(caller(tenant), query, after=after))["connections"]
        assert [edge["node"] for edge in page["edges"]] == page["nodes"]
        names += [node["name"] for node in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
    assert names == ["c0", "c1", "c2", "c3", "c4"]
    assert not page["pageInfo"]["hasNextPage"]


async def test_a_connection_shows_its_accounts_runs_steps_and_findings(
    face: GraphqlWorld, tenant: TenantId
) -> None:
    connection = await make_connection(face.world.database, tenant)
    run = await make_run(face.world.database, connection)
    async with face.world.database.tenant(tenant) as tx:
        await plan_steps(tx, run.run_id, [log_item(n) for n in range(3)], NOW)
        await save_accounts(tx, connection.connection_id, [_account("role_missing")])
        await record_findings(
            tx, connection.connection_id, [_finding()], judged=["ROLE_MISSING"], now=NOW
        )
    query = """query ($id: ID!) { connection(id: $id) {
        id provider state roleArn lastSyncedAt
        accounts { accountId coverage detail }
        findings(first: 5) { nodes { code severity remedy causes { code likelihood } evidence } }
        runs(first: 5) { nodes { kind state percent steps(first: 2) {
            nodes { position source state tally { accepted } } pageInfo { hasNextPage endCursor }
        } } } } }"""
    found = (await face.data(caller(tenant), query, id=str(connection.connection_id)))["connection"]
    assert found["accounts"] == [
        {"accountId": "222233334444", "coverage": "ROLE_MISSING", "detail": "no role"}
    ]
    (finding,) = found["findings"]["nodes"]
    assert (finding["severity"], finding["causes"][0]["code"]) == ("WARNING", "NOT_DEPLOYED")
    (shown,) = found["runs"]["nodes"]
    assert [step["position"] for step in shown["steps"]["nodes"]] == [0, 1]
    assert shown["steps"]["pageInfo"]["hasNextPage"]
    node = "query ($id: ID!) { node(id: $id) { __typename id } }"
    assert (await face.data(caller(tenant), node, id=found["id"]))["node"] == {
        "__typename": "ProviderConnection",
        "id": found["id"],
    }


async def test_the_next_page_of_steps_begins_where_the_first_ended(
    face: GraphqlWorld, tenant: TenantId
) -> None:
    connection = await make_connection(face.world.database, tenant)
    run = await make_run(face.world.database, connection)
    async with face.world.database.tenant(tenant) as tx:
        await plan_steps(tx, run.run_id, [log_item(n) for n in range(3)], NOW)
    query = """query ($id: ID!, $after: String) { syncRun(id: $id) {
        steps(first: 2, after: $after) { nodes { position } pageInfo { endCursor } } } }"""
    first = (await face.data(caller(tenant), query, id=str(run.run_id)))["syncRun"]["steps"]
    after = first["pageInfo"]["endCursor"]
    rest = await face.data(caller(tenant), query, id=str(run.run_id), after=after)
    assert rest["syncRun"]["steps"]["nodes"] == [{"position": 2}]


async def test_the_steps_of_many_runs_are_one_query(face: GraphqlWorld, tenant: TenantId) -> None:
    connection = await make_connection(face.world.database, tenant)
    for n in range(6):
        await make_run(
            face.world.database,
            connection,
            started_at=NOW + timedelta(minutes=n),
            workflow_id=f"w{n}",
        )
    query = """query ($id: ID!) { connection(id: $id) {
        runs(first: 10) { nodes { steps(first: 3) { nodes { position } } } } } }"""
    statements: list[str] = []

    def seen(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    engine = face.world.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", seen)
    try:
        found = await face.data(caller(tenant), query, id=str(connection.connection_id))
    finally:
        event.remove(engine, "before_cursor_execute", seen)
    assert len(found["connection"]["runs"]["nodes"]) == 6
    assert sum("sync_step" in statement for statement in statements) == 1


async def test_validation_is_started_and_retry_without_a_failure_is_a_conflict(
    face: GraphqlWorld, tenant: TenantId
) -> None:
    connection = await make_connection(face.world.database, tenant)
    mutation = """mutation ($id: ID!) {
        started: validateConnection(id: $id) { ... on StartedRun { runId workflowId joined } }
        retried: retryConnection(id: $id) { __typename ... on Problem { code message } }
        cancelled: cancelConnection(id: $id, reason: "no") { ... on Cancelled { id } }
        changed: changeConnection(id: $id, changes: {settings: {logBucket: "fake-logs"}}) {
            ... on ProviderConnection { settings { logBucket } } }
        missing: changeConnection(id: "00000000-0000-7000-8000-000000000009", changes: {}) {
            __typename } }"""
    found = await face.data(caller(tenant), mutation, id=str(connection.connection_id))
    assert found["started"]["joined"] is False
    assert found["retried"]["__typename"] == "ConflictProblem"
    assert found["cancelled"] == {"id": str(connection.connection_id)}
    assert found["changed"] == {"settings": {"logBucket": "fake-logs"}}
    assert found["missing"] == {"__typename": "NotFoundProblem"}


async def test_a_tenant_without_onboarding_has_none_and_setup_shows_the_artefacts(
    face: GraphqlWorld, tenant: TenantId
) -> None:
    connection = await make_connection(face.world.database, tenant)
    query = """query ($id: ID!) { onboarding { state }
        connectionSetup(id: $id) { launchUrl } connectionTemplate
        quarantine(first: 5) { nodes { reason } } findings(first: 5) { nodes { code } }
        connectionBucketPolicy(id: $id) }"""
    answer = await face.ask(caller(tenant), query, id=str(connection.connection_id))
    assert answer["data"]["onboarding"] is None
    assert answer["data"]["connectionSetup"]["launchUrl"].startswith("https://")
    assert "AWSTemplateFormatVersion" in answer["data"]["connectionTemplate"]
    assert answer["errors"][0]["extensions"]["code"] == "CONFLICT"


def _account(coverage: str) -> AccountCoverage:
    return AccountCoverage(
        "222233334444", "Member", "ACTIVE", "INVITED", Coverage(coverage), "no role", NOW
    )


def _finding() -> NewFinding:
    return NewFinding(
        code="ROLE_MISSING",
        severity=Severity.WARNING,
        title="A member account has no role",
        remedy="Deploy the stack set.",
        subject="222233334444",
        causes=(RankedCause(code="NOT_DEPLOYED", title="t", remedy="r", likelihood=0.8),),
        evidence={"error": "AccessDenied"},
    )
