"""``node(id:)`` finds whatever has an id, in the caller's tenant, through its own use case."""

from uuid import uuid4

import pytest
from graphql import GraphQLInterfaceType

from tensorcost.domain.identity.scopes import Scope
from tensorcost.domain.ids import TenantId
from tensorcost.domain.integration.contracts_findings import NewFinding, Severity
from tensorcost.domain.spend.parsed import Reject
from tensorcost.graphql.ids import global_id, split_id
from tensorcost.graphql.nodes import READERS
from tensorcost.graphql.schema import build_schema
from tensorcost.services.authorise import use_case_of
from tensorcost.storage.findings import record_findings
from tensorcost.storage.spend.batches import Origin
from tensorcost.storage.spend.quarantine import quarantine
from tests.graphql.world import GraphqlWorld
from tests.support.answers import ids_in
from tests.support.connections import NOW, make_connection, make_run
from tests.support.principals import caller
from tests.support.rerated import waiting_books

SCHEMA = build_schema()._schema
NODE = SCHEMA.type_map["Node"]
assert isinstance(NODE, GraphQLInterfaceType)
TYPES = sorted(kind.name for kind in SCHEMA.get_implementations(NODE).objects)
BY_ID = "query ($id: ID!) { node(id: $id) { __typename id } }"
HARVEST = """{ tenant { __typename id }
    members(first: 1) { nodes { __typename id } }
    auditEntries(first: 1) { nodes { __typename id } }
    connections(first: 1) { nodes { __typename id
        findings(first: 1) { nodes { __typename id } }
        runs(first: 1) { nodes { __typename id } } } }
    quarantine(first: 1) { nodes { __typename id } }
    reratings(first: 1) { nodes { __typename id } } }"""


@pytest.fixture(scope="module")
async def home(face: GraphqlWorld) -> TenantId:
    """A tenant with one of everything."""
    tenant = (await face.world.tenant()).tenant_id
    db = face.world.database
    connection = await make_connection(db, tenant)
    run = await make_run(db, connection)
    finding = NewFinding(code="ROLE_MISSING", severity=Severity.WARNING, title="t", remedy="r")
    async with db.tenant(tenant) as tx:
        await record_findings(tx, connection.connection_id, [finding], judged=[], now=NOW)
        origin = Origin("test", connection.connection_id, run.run_id)
        await quarantine(tx, origin, [Reject("a.json", 1, "not_json")])
    await waiting_books(db, tenant)
    return tenant


@pytest.fixture(scope="module")
async def ids(face: GraphqlWorld, home: TenantId) -> dict[str, str]:
    """The tenant's ids by type, as its lists show them."""
    return dict(ids_in(await face.data(caller(home), HARVEST)))


def test_every_type_with_an_id_has_a_reader() -> None:
    assert sorted(READERS) == TYPES


@pytest.mark.parametrize("kind", TYPES)
async def test_an_object_is_found_by_its_id(
    face: GraphqlWorld, home: TenantId, ids: dict[str, str], kind: str
) -> None:
    found = await face.data(caller(home), BY_ID, id=ids[kind])
    assert found["node"] == {"__typename": kind, "id": ids[kind]}


@pytest.mark.parametrize("kind", TYPES)
async def test_a_foreign_id_and_an_unknown_one_are_both_null_and_no_error(
    face: GraphqlWorld, tenant: TenantId, home: TenantId, ids: dict[str, str], kind: str
) -> None:
    assert split_id(ids[kind])[0] == kind
    assert await face.data(caller(tenant), BY_ID, id=ids[kind]) == {"node": None}
    assert await face.data(caller(home), BY_ID, id=global_id(kind, uuid4())) == {"node": None}


@pytest.mark.parametrize("kind", TYPES)
async def test_each_type_asks_for_the_scopes_of_its_own_use_case(
    face: GraphqlWorld, home: TenantId, ids: dict[str, str], kind: str
) -> None:
    scopes = set(use_case_of(READERS[kind].use_case).scopes)
    assert (await face.data(caller(home, scopes), BY_ID, id=ids[kind]))["node"]["id"] == ids[kind]
    for key in (ids[kind], global_id(kind, uuid4())) if scopes else ():
        answer = await face.ask(caller(home, set(Scope) - scopes), BY_ID, id=key)
        assert answer["data"] == {"node": None}
        assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"


@pytest.mark.parametrize("value", ["nonsense", "", str(uuid4()), global_id("Viewer", uuid4())])
async def test_what_is_no_id_of_ours_is_refused(
    face: GraphqlWorld, home: TenantId, value: str
) -> None:
    answer = await face.ask(caller(home), BY_ID, id=value)
    assert answer["errors"][0]["extensions"]["code"] == "VALIDATION_FAILED"


async def test_reading_an_audit_entry_leaves_one(
    face: GraphqlWorld, home: TenantId, ids: dict[str, str]
) -> None:
    await face.data(caller(home), BY_ID, id=ids["AuditEntry"])
    query = '{ auditEntries(first: 1, action: "data.read") { nodes { resourceType detail } } }'
    (last,) = (await face.data(caller(home), query))["auditEntries"]["nodes"]
    assert last == {"resourceType": "audit", "detail": {"grain": "raw", "rows": 1}}
