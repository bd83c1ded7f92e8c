"""Rotation of a stored secret: begun, read, steered; problems are typed."""

from tensorcost.domain.identity.scopes import Scope
from tensorcost.domain.ids import TenantId
from tests.graphql.world import GraphqlWorld
from tests.support.principals import caller

PARTS = """kind state oldVersion newVersion inUse requestedBy deadline finishedAt note joined
    consequence"""
ROTATE = f"""mutation ($days: Int! = 7) {{
    rotateStoredSecret(kind: CONTENT_HASH, overlapDays: $days) {{
    __typename ... on StoredSecretRotation {{ {PARTS} }}
    ... on ValidationProblem {{ field message }} }} }}"""
READ = f"{{ storedSecretRotation(kind: CONTENT_HASH) {{ {PARTS} }} }}"
STEER = """mutation {{ {0}(kind: CONTENT_HASH) {{ __typename ... on Problem {{ message }} }} }}"""
FINISH = STEER.format("finishStoredSecretRotation")
ROLL_BACK = STEER.format("rollBackStoredSecretRotation")


async def test_a_rotation_is_begun_joined_and_read(face: GraphqlWorld, tenant: TenantId) -> None:
    who = caller(tenant)
    begun = (await face.data(who, ROTATE))["rotateStoredSecret"]
    assert begun.pop("__typename") == "StoredSecretRotation"
    assert (begun["kind"], begun["state"]) == ("CONTENT_HASH", "OVERLAPPING")
    assert (begun["oldVersion"], begun["newVersion"], begun["inUse"]) == (1, 2, 2)
    assert (await face.data(who, READ))["storedSecretRotation"] == begun
    again = (await face.data(who, ROTATE, days=3))["rotateStoredSecret"]
    assert (again["joined"], again["deadline"]) == (True, begun["deadline"])


async def test_what_cannot_be_steered_is_a_typed_problem(
    face: GraphqlWorld, tenant: TenantId
) -> None:
    who = caller(tenant)
    for days in (0, 31, 2_000_000_000):
        refused = (await face.data(who, ROTATE, days=days))["rotateStoredSecret"]
        assert (refused["__typename"], refused["field"]) == ("ValidationProblem", "overlap_days")
    for steer, field in (
        (FINISH, "finishStoredSecretRotation"),
        (ROLL_BACK, "rollBackStoredSecretRotation"),
    ):
        found = (await face.data(who, steer))[field]
        assert found["__typename"] == "ConflictProblem"
        assert found["message"] == "no rotation of this secret is open"
    await face.data(who, ROTATE)
    late = (await face.data(who, ROLL_BACK))["rollBackStoredSecretRotation"]
    assert late["message"] == "the rotation has ended: rotated"
    away = (await face.data(who, FINISH))["finishStoredSecretRotation"]
    assert away["__typename"] == "UnavailableProblem"


async def test_who_does_not_administer_the_tenant_sees_nothing(
    face: GraphqlWorld, tenant: TenantId
) -> None:
    await face.data(caller(tenant), ROTATE)
    reader = caller(tenant, set(Scope) - {Scope.TENANT_ADMIN})
    refused = (await face.data(reader, ROTATE))["rotateStoredSecret"]
    assert refused["__typename"] == "ForbiddenProblem"
    answer = await face.ask(reader, READ)
    assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"
