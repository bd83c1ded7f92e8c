"""Tenant, members, flags and audit trail through the face."""

from typing import Any

from tensorcost.domain.identity.principal import Principal
from tensorcost.services.tenancy.create import CreatedTenant
from tests.graphql.world import GraphqlWorld


async def owner_of(face: GraphqlWorld, created: CreatedTenant) -> Principal:
    return await face.world.deps.authenticator.authenticate(face.world.token(created))


async def test_members_are_invited_promoted_and_removed(face: GraphqlWorld) -> None:
    owner = await owner_of(face, await face.world.tenant())
    invite = """mutation { inviteMember(email: "Ada@Example.com", role: VIEWER) {
        ... on Invitation { token expiresAt member { id email role status } } } }"""
    invited = (await face.data(owner, invite))["inviteMember"]
    assert invited["member"]["email"] == "ada@example.com"
    assert invited["member"]["status"] == "INVITED"
    assert invited["token"]
    member = invited["member"]["id"]
    change = """mutation ($id: ID!) { changeMemberRole(id: $id, role: FINOPS) {
        ... on Member { role } ... on Problem { code } } }"""
    assert (await face.data(owner, change, id=member))["changeMemberRole"] == {"role": "FINOPS"}
    remove = "mutation ($id: ID!) { removeMember(id: $id) { ... on RemovedMember { id } } }"
    assert (await face.data(owner, remove, id=member))["removeMember"] == {"id": member}
    left = await face.data(owner, "{ members(first: 10) { nodes { role } } }")
    assert left["members"]["nodes"] == [{"role": "OWNER"}]


async def test_the_last_owner_stays_and_bad_input_is_a_typed_problem(face: GraphqlWorld) -> None:
    created = await face.world.tenant()
    owner = await owner_of(face, created)
    mutation = """mutation ($id: ID!) {
        last: removeMember(id: $id) { __typename }
        service: inviteMember(email: "x@example.com", role: SERVICE) {
            __typename ... on ValidationProblem { field } }
        address: inviteMember(email: "nobody", role: VIEWER) {
            __typename ... on ValidationProblem { field } }
        zone: updateTenant(timeZone: "Mars/Base") {
            __typename ... on ValidationProblem { field } }
        colour: updateBranding(branding: {primaryColor: "blue"}) {
            __typename ... on ValidationProblem { field } } }"""
    found = await face.data(owner, mutation, id=str(created.owner_id))
    assert found == {
        "last": {"__typename": "ConflictProblem"},
        "service": {"__typename": "ValidationProblem", "field": "role"},
        "address": {"__typename": "ValidationProblem", "field": "email"},
        "zone": {"__typename": "ValidationProblem", "field": "time_zone"},
        "colour": {"__typename": "ValidationProblem", "field": "primary_color"},
    }


async def test_tenant_and_branding_can_be_changed(face: GraphqlWorld) -> None:
    owner = await owner_of(face, await face.world.tenant())
    mutation = """mutation {
        updateTenant(name: "New name", timeZone: "Europe/Berlin") {
            ... on Tenant { name timeZone } }
        updateBranding(branding: {primaryColor: "#102030"}) {
            ... on Branding { primaryColor } } }"""
    found = await face.data(owner, mutation)
    assert found["updateTenant"] == {"name": "New name", "timeZone": "Europe/Berlin"}
    read = await face.data(owner, "{ tenant { name } branding { primaryColor logoUrl } }")
    assert read == {
        "tenant": {"name": "New name"},
        "branding": {"primaryColor": "#102030", "logoUrl": None},
    }


async def test_a_flag_is_overridden_and_the_override_taken_back(face: GraphqlWorld) -> None:
    owner = await owner_of(face, await face.world.tenant())
    mutation = """mutation ($on: Boolean) {
        overrideFeatureFlag(key: "mcp-write-tools-enabled", enabled: $on) {
            ... on FeatureFlag { enabled reason } } }"""
    query = "{ featureFlags { key enabled reason } }"
    changed = (await face.data(owner, mutation, on=True))["overrideFeatureFlag"]
    assert changed == {"enabled": True, "reason": "TARGETING_MATCH"}
    assert _flag(await face.data(owner, query))["enabled"]
    await face.data(owner, mutation, on=None)
    assert not _flag(await face.data(owner, query))["enabled"]


async def test_the_audit_trail_is_paged_newest_first_and_its_chain_holds(
    face: GraphqlWorld,
) -> None:
    owner = await owner_of(face, await face.world.tenant())
    await face.data(owner, 'mutation { updateTenant(name: "Renamed") { __typename } }')
    query = """query ($after: String) { auditEntries(first: 1, after: $after) {
        nodes { action actor detail } pageInfo { endCursor hasNextPage } } }"""
    actions, after = [], None
    for _ in range(2):
        page = (await face.data(owner, query, after=after))["auditEntries"]
        actions += [entry["action"] for entry in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
    assert actions == ["tenant.updated", "tenant.created"]
    chain = (await face.data(owner, "{ auditChain { intact findings { kind } } }"))["auditChain"]
    assert chain == {"intact": True, "findings": []}


def _flag(found: dict[str, Any]) -> dict[str, Any]:
    (flag,) = (f for f in found["featureFlags"] if f["key"] == "mcp-write-tools-enabled")
    return dict(flag)
