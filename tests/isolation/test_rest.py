"""Every REST operation of the published document, called by one tenant with another's values."""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import httpx2
import orjson
import pytest

from tensorcost.gateway.blueprint import published
from tests.isolation.belongings import Belongings, belongings_of
from tests.isolation.catalogue import Catalogue, differences, open_catalogue
from tests.isolation.conftest import Street
from tests.isolation.rest_calls import Call, Values, calls, listings, operations
from tests.isolation.settling import Household, settle

DOCUMENT: Mapping[str, Any] = orjson.loads(published())
READS_FIRST = sorted(
    operations(DOCUMENT),
    key=lambda one: (one[2]["operationId"] != "list_audit_entries", one[1] != "get"),
)
"""The trail before all: what we asked with their values in it is ours to read there later."""
OPERATIONS = {described["operationId"]: described for _, _, described in READS_FIRST}
SCOPED = [name for name, described in OPERATIONS.items() if "security" in described]
NOTHING_OF_ITS_OWN = {
    "get_template": "the same stack for everybody",
    "get_accounts_script": "the same script for every jump role of that name",
    "list_feature_flags": "names of flags and whether they are on",
    "get_onboarding": "a state and times",
}
"""Reads whose answer holds no id, name or amount of the tenant that asks."""
NEEDS_A_WORKER = frozenset(
    {
        "rotate_stored_secret",
        "finish_stored_secret_rotation",
        "roll_back_stored_secret_rotation",
    }
)
"""Answered by a process of our own tenant, for which no worker runs here."""
LEAVES_A_TRACE = {"login": ["app.audit_entry"]}
"""A refused sign-in is written into the trail of the tenant that it was tried at."""


@dataclass(frozen=True)
class Walk:
    street: Street
    catalogue: Catalogue
    client: httpx2.AsyncClient
    theirs: Values
    belongings: Belongings
    """What belongs to them and not to us."""

    def calls(self, name: str) -> list[Call]:
        """The calls of one operation, made of their values."""
        return [call for call in calls(DOCUMENT, self.theirs) if call.name == name]

    async def ask(
        self, call: Call, token: str | None, headers: Mapping[str, str] | None = None
    ) -> httpx2.Response:
        sent = dict(headers or {})
        if token is not None and not call.is_public:
            sent["authorization"] = f"Bearer {token}"
        return await self.client.request(
            call.method, call.path, params=call.query, json=call.body, headers=sent
        )

    def found(self, call: Call, answer: httpx2.Response) -> list[str]:
        """What of theirs the answer shows that the call did not say itself."""
        sent = [call.path, *call.query.values(), json.dumps(call.body)]
        headers = "\n".join(f"{name}: {value}" for name, value in answer.headers.items())
        return self.belongings.in_answer(f"{headers}\n{answer.text}", sent)


@pytest.fixture(scope="module")
async def walk(street: Street) -> AsyncIterator[Walk]:
    async with (
        open_catalogue(street.database.superuser_url) as catalogue,
        street.api.client() as client,
    ):
        found = await belongings_of(catalogue, street.theirs.id, [street.ours.id])
        theirs = await _values(catalogue, street, client)
        yield Walk(street, catalogue, client, theirs, found)


async def _values(catalogue: Catalogue, street: Street, client: httpx2.AsyncClient) -> Values:
    """Their values, with the cursors that their own lists hand out."""
    seals = await catalogue.rows("app.audit_seal", street.theirs.id)
    last = max(seals, key=lambda row: int(row["chain_no"]))
    values = Values(street.theirs, street.api.clock(), (last["chain_no"], last["hash"][2:]))
    cursors = {}
    for call in listings(DOCUMENT, values):
        headers = {"authorization": f"Bearer {street.theirs.token}"}
        answer = await client.get(call.path, params=call.query, headers=headers)
        assert answer.json().get("next_cursor"), f"give them a row for {call.label}: {answer.text}"
        cursors[call.name] = answer.json()["next_cursor"]
    return replace(values, cursors=cursors)


async def test_the_walk_knows_every_operation_that_is_served(walk: Walk) -> None:
    served = (await walk.client.get("/openapi.json")).json()
    assert served == DOCUMENT
    assert {call.name for call in calls(served, walk.theirs)} == set(OPERATIONS)


async def test_they_do_see_what_the_walk_looks_for(walk: Walk) -> None:
    """Else a walk that finds nothing would prove nothing."""
    assert len(walk.belongings.texts) > 100
    assert len(walk.belongings.numbers) > 20
    blind = []
    for name in SCOPED:
        reads = [call for call in walk.calls(name) if call.method == "GET"]
        answers = [await walk.ask(call, walk.street.theirs.token) for call in reads]
        for call, answer in zip(reads, answers, strict=True):
            assert answer.status_code == 200, (call.label, answer.text)
        if reads and not any(walk.belongings.in_answer(answer.text) for answer in answers):
            blind.append(name)
    assert set(blind) == set(NOTHING_OF_ITS_OWN)


@pytest.mark.parametrize("name", OPERATIONS)
async def test_an_operation_shows_and_changes_nothing_of_theirs(walk: Walk, name: str) -> None:
    before = await walk.catalogue.everything(walk.street.theirs.id)
    for call in walk.calls(name):
        headers = {"idempotency-key": walk.street.theirs.idempotency_key} if call.takes_key else {}
        answer = await walk.ask(call, walk.street.ours.token, headers)
        waits = name in NEEDS_A_WORKER and answer.json()["code"] == "UNAVAILABLE"
        assert waits or answer.status_code < 500, (call.label, answer.text)
        assert answer.status_code != 429, call.label
        assert "idempotent-replayed" not in answer.headers, call.label
        shown = set(walk.found(call, answer))
        if name == "invite_member":
            # Users are global (decisions 18): the same person has one id everywhere.
            shown -= {str(walk.street.theirs.tenant.owner_id)}
        if name == "import_prices":
            # By then the walk may have pushed an event of this model into our own tenant.
            shown -= {walk.theirs.household.named("unpriced-model")}
        assert shown == set(), (call.label, answer.text)
        if call.aimed:
            assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND"), call.label
    after = await walk.catalogue.everything(walk.street.theirs.id)
    assert differences(before, after) == LEAVES_A_TRACE.get(name, [])


@pytest.mark.parametrize("name", SCOPED)
async def test_nobody_acts_in_their_tenant_without_being_a_member(walk: Walk, name: str) -> None:
    """By the header, as a person or as a machine; and by a claim that was once true."""
    street, api = walk.street, walk.street.api
    header = {"x-active-tenant-id": str(street.theirs.id)}
    claimed = api.minter.user(street.ours.tenant.owner_id, street.theirs.id)
    before = await walk.catalogue.everything(street.theirs.id)
    for token, headers, status in (
        (street.ours.token, header, 404),
        (api.service_token(street.ours.id), header, 403),
        (claimed, {}, 401),
    ):
        call = walk.calls(name)[0]
        answer = await walk.ask(call, token, headers)
        assert answer.status_code == status, (call.label, answer.text)
        assert set(walk.found(call, answer)) <= {str(street.theirs.id)}, answer.text
    after = await walk.catalogue.everything(street.theirs.id)
    assert differences(before, after) == []


async def test_an_id_that_they_pushed_before_is_new_for_us(walk: Walk) -> None:
    (call,) = walk.calls("push_spend_events")
    event = call.body["events"][0]
    body = {"events": [{**event, "id": f"{event['id']}-again"}]}
    for token in (walk.street.theirs.token, walk.street.ours.token):
        answer = await walk.ask(replace(call, body=body), token)
        told = answer.json()["data"]
        assert (told["accepted"], told["duplicate"]) == (1, 0), told


async def test_a_new_neighbour_changes_none_of_our_answers(walk: Walk) -> None:
    """Sums and counts too: whatever is answered alike twice is answered so afterwards."""
    ours = Values(walk.street.ours, walk.street.api.clock(), walk.theirs.head, walk.theirs.cursors)
    plain = {call.name: call for call in reversed(list(calls(DOCUMENT, ours)))}
    reads = [call for call in plain.values() if call.method == "GET" and not call.is_public]
    first, second = [await _answers(walk, reads) for _ in range(2)]
    steady = [label for label, answer in first.items() if second[label] == answer]
    assert {call.name for call in reads if call.label not in steady} <= {"list_audit_entries"}
    await settle(walk.street.api, walk.street.database, "topaz-new")
    third = await _answers(walk, reads)
    assert [label for label in steady if third[label] != first[label]] == []


async def _answers(walk: Walk, reads: list[Call]) -> dict[str, tuple[int, bytes]]:
    home: Household = walk.street.ours
    answers = {call.label: await walk.ask(call, home.token) for call in reads}
    return {label: (one.status_code, one.content) for label, one in answers.items()}
