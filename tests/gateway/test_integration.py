"""``/v1/integration`` through the whole gateway."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from fastapi import APIRouter

from tensorcost.domain.identity.scopes import Role
from tensorcost.gateway.routes import integration
from tensorcost.services.integration import IntegrationService
from tensorcost.services.integration_history import IntegrationHistory
from tensorcost.services.processes import IntegrationProcesses
from tests.gateway.world import ARTEFACTS, World
from tests.support.scripted_connector import HEALTHY, ScriptedConnector, denied
from tests.support.temporal_house import House, utc_now

BODY = {"name": "Main", "account_id": "111122223333"}
CONNECTIONS = "/v1/integration/connections"


@pytest.fixture(scope="module")
def router(house: House) -> APIRouter:
    processes = IntegrationProcesses(
        house.processes, backfill_days=2, interval=timedelta(milliseconds=200)
    )
    return integration.router(
        IntegrationService(house.db, processes, ARTEFACTS, utc_now, chosen_external_ids=True),
        IntegrationHistory(house.db, processes),
    )


@pytest.fixture
async def http(world: World, router: APIRouter, connector: ScriptedConnector) -> AsyncIterator[Any]:
    connector.verdicts = [HEALTHY]
    token = world.token(await world.tenant())
    async with world.client(token, routers=[router]) as client:
        yield client


async def create(http: Any, **fields: Any) -> dict[str, Any]:
    answer = await http.post(CONNECTIONS, json=BODY | fields)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()["data"]
    return found


async def history_once(http: Any, connection: str, kind: str, state: str) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while True:
            url = f"{CONNECTIONS}/{connection}/sync-history?kind={kind}"
            runs = (await http.get(url)).json()["data"]
            if runs and runs[0]["state"] == state:
                first: dict[str, Any] = runs[0]
                return first
            await asyncio.sleep(0.05)


async def test_a_connection_is_created_listed_and_read(http: Any) -> None:
    made = await create(http)
    assert made["state"] == "pending"
    assert made["external_id"] in made["launch_url"]
    assert [variant["code"] for variant in made["variants"]] == ["A", "B", "C", "D"]
    assert all(one["title"] and one["when"] and one["advice"] for one in made["variants"])
    listed = (await http.get(CONNECTIONS)).json()
    assert (listed["success"], listed["count"]) == (True, 1)
    assert listed["data"][0]["id"] == made["id"]
    one = (await http.get(f"{CONNECTIONS}/{made['id']}")).json()["data"]
    assert one["role_arn"] == made["role_arn"]
    assert "tenant_id" not in one


async def test_an_account_of_fourteen_digits_is_a_validation_error(http: Any) -> None:
    answer = await http.post(CONNECTIONS, json=BODY | {"account_id": "11112222333344"})
    assert answer.status_code == 400
    body = answer.json()
    assert body["code"] == "VALIDATION_FAILED"
    assert body["details"][0]["field"].endswith("account_id")


async def test_a_duplicate_is_a_conflict(http: Any) -> None:
    await create(http)
    answer = await http.post(CONNECTIONS, json=BODY)
    assert (answer.status_code, answer.json()["code"]) == (409, "CONFLICT")


async def test_validate_answers_at_once_and_the_history_tells_the_rest(http: Any) -> None:
    made = await create(http)
    answer = await http.post(f"{CONNECTIONS}/{made['id']}/validate")
    assert answer.status_code == 202, answer.text
    run_id = answer.json()["data"]["run_id"]
    run = await history_once(http, made["id"], "backfill", "completed")
    assert run["percent"] == 100
    assert run["rows_accepted"] > 0
    assert run["steps"]
    validation = (await http.get(f"/v1/integration/runs/{run_id}")).json()["data"]
    assert (validation["kind"], validation["state"]) == ("validate", "completed")
    steps = (await http.get(f"/v1/integration/runs/{run['id']}/steps?limit=2")).json()
    rest = await http.get(f"/v1/integration/runs/{run['id']}/steps?cursor={steps['next_cursor']}")
    met = [step["key"] for step in [*steps["data"], *rest.json()["data"]]]
    assert len(met) == len(set(met)) == run["items_total"]
    accounts = (await http.get(f"{CONNECTIONS}/{made['id']}/accounts")).json()["data"]
    assert [account["coverage"] for account in accounts] == ["covered"]
    onboarding = (await http.get("/v1/integration/onboarding")).json()["data"]
    assert onboarding["history"][0]["state"] == "signed_up"


async def test_a_failure_shows_its_ranked_causes(http: Any, connector: ScriptedConnector) -> None:
    connector.verdicts = [denied(may_heal=False)]
    made = await create(http)
    await http.post(f"{CONNECTIONS}/{made['id']}/validate")
    await history_once(http, made["id"], "validate", "failed")
    findings = (await http.get(f"{CONNECTIONS}/{made['id']}/findings")).json()["data"]
    assert [(f["code"], f["severity"]) for f in findings] == [("TRUST_DENIED", "error")]
    assert findings[0]["causes"][0]["remedy"]
    again = await http.post(
        f"{CONNECTIONS}/{made['id']}/retry", json={"external_id": "bad id with spaces"}
    )
    assert again.status_code == 400
    connector.verdicts = [HEALTHY]
    retried = await http.post(f"{CONNECTIONS}/{made['id']}/retry")
    assert retried.status_code == 202
    await history_once(http, made["id"], "validate", "completed")


async def test_what_cannot_be_steered_is_a_conflict(http: Any) -> None:
    made = await create(http)
    for action in ("retry", "cancel"):
        answer = await http.post(f"{CONNECTIONS}/{made['id']}/{action}")
        assert (answer.status_code, answer.json()["code"]) == (409, "CONFLICT"), action


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("GET", "/setup"),
        ("GET", "/sync-history"),
        ("GET", "/findings"),
        ("GET", "/accounts"),
        ("POST", "/validate"),
    ],
)
async def test_an_unknown_connection_is_not_found(http: Any, method: str, path: str) -> None:
    unknown = "00000000-0000-0000-0000-00000000dead"
    answer = await http.request(method, f"{CONNECTIONS}/{unknown}{path}")
    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")


async def test_artefacts_are_downloads(http: Any) -> None:
    made = await create(http, settings={"cur_bucket": "fake-cur"})
    template = await http.get("/v1/integration/templates/bedrock")
    assert template.headers["content-type"] == "application/yaml"
    assert "AWSTemplateFormatVersion" in template.text
    policy = await http.get(f"{CONNECTIONS}/{made['id']}/bucket-policy")
    assert "attachment" in policy.headers["content-disposition"]
    assert policy.json()["Statement"][0]["Action"] == ["s3:GetObject", "s3:ListBucket"]
    script = await http.get(f"{CONNECTIONS}/{made['id']}/accounts-script")
    assert "attachment" in script.headers["content-disposition"]
    assert script.headers["content-type"] == "application/x-sh"
    assert script.text.startswith("#!")
    unknown = await http.get("/v1/integration/templates/abacus")
    assert unknown.status_code == 400


@pytest.mark.parametrize("path", ["/findings", "/quarantine", "/sync-history"])
async def test_a_cursor_of_another_list_is_refused(http: Any, path: str) -> None:
    made = await create(http)
    foreign = "WzEsMiwzXQ"  # [1,2,3]
    answer = await http.get(f"{CONNECTIONS}/{made['id']}{path}?cursor={foreign}")
    assert answer.status_code == 400


async def test_pages_of_connections_meet_each_once(http: Any) -> None:
    made = [(await create(http, account_id=f"{n:012d}"))["id"] for n in range(1, 6)]
    met: list[str] = []
    cursor = ""
    while True:
        page = (await http.get(f"{CONNECTIONS}?limit=2{cursor}")).json()
        met += [row["id"] for row in page["data"]]
        if "next_cursor" not in page:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert met == made


async def test_a_viewer_may_look_and_not_touch(world: World, router: APIRouter) -> None:
    tenant = await world.tenant()
    _, token = await world.member(tenant.tenant_id, Role.VIEWER)
    async with world.client(token, routers=[router]) as client:
        assert (await client.get(CONNECTIONS)).status_code == 200
        assert (await client.post(CONNECTIONS, json=BODY)).status_code == 403
