"""The explorer in a real browser: it works, and asks nobody but us."""

import json
from urllib.parse import urlsplit

import pytest

from tensorcost.domain.ids import TenantId
from tests.events.world import commit
from tests.graphql.world import GraphqlWorld, served
from tests.support.browser import Page, open_page

pytestmark = pytest.mark.browser
SUBSCRIPTION = 'subscription { events(types: ["cost.*"]) { type data } }'


async def test_the_explorer_reads_the_schema_asks_and_listens_and_calls_nobody_else(
    face: GraphqlWorld,
) -> None:
    created = await face.world.tenant()
    token = face.world.token(created)
    async with (
        served(face.gateway()) as address,
        open_page(f"http://{address}/graphql#token={token}") as page,
    ):
        await page.until("document.querySelectorAll('#docs dl').length > 20")
        assert await page.evaluate("location.hash") == ""
        await _type(page, "query", "{ viewer { kind tenant { plan } } }")
        assert json.loads(await _run(page, '"plan"'))["data"]["viewer"]["kind"] == "USER"
        await _pick(page, "costBreakdown")
        assert "costBreakdown(dimension: $dimension)" in await page.evaluate("query.value")
        assert "errors" not in json.loads(await _run(page, '"costBreakdown"'))
        await _type(page, "query", SUBSCRIPTION)
        await page.evaluate("run.click()")
        await page.until("document.getElementById('status').value === 'listening'")
        await _until_heard(page, face, created.tenant_id)
        await page.evaluate("document.getElementById('stop').click()")
        await page.until("document.getElementById('status').value.startsWith('ended')")
    hosts = {urlsplit(asked).netloc for asked in page.requested if not asked.startswith("data:")}
    assert hosts == {address}
    assert page.complaints == []


async def test_every_root_fields_example_is_a_valid_operation(face: GraphqlWorld) -> None:
    created = await face.world.tenant()
    token = face.world.token(created)
    script = """(async () => {
        const { Schema, INTROSPECTION } = await import("/graphql/explorer-docs.js");
        const { post } = await import("/graphql/explorer-client.js");
        const caller = { token: TOKEN };
        const schema = new Schema((await post({ query: INTROSPECTION }, caller)).data);
        const bad = [];
        for (const { kind, type } of schema.roots) for (const field of type.fields) {
            const { query, variables } = schema.example(kind, field);
            const checked = `query Checked { __typename } ${query}`;
            const answer = await post({ query: checked, operationName: "Checked",
                variables: variables ? JSON.parse(variables) : {} }, caller);
            if (answer.errors) bad.push(field.name + ": " + answer.errors[0].message);
        }
        window.found = JSON.stringify(bad);
    })()""".replace("TOKEN", json.dumps(token))
    async with served(face.gateway()) as address, open_page(f"http://{address}/graphql") as page:
        await page.until("document.readyState === 'complete'")
        await page.evaluate(script)
        await page.until("Boolean(window.found)")
        assert json.loads(await page.evaluate("window.found")) == []


async def _type(page: Page, field: str, text: str) -> None:
    await page.evaluate(f"document.getElementById('{field}').value = {json.dumps(text)}")


async def _run(page: Page, awaited: str) -> str:
    await page.evaluate("run.click()")
    await page.until(f"result.textContent.includes({json.dumps(awaited)})")
    return str(await page.evaluate("result.textContent"))


async def _pick(page: Page, name: str) -> None:
    """Choose a root field in the schema's list."""
    await page.evaluate(
        "[...document.querySelectorAll('#docs button')]"
        f".find((button) => button.textContent === {json.dumps(name)}).click()"
    )


async def _until_heard(page: Page, face: GraphqlWorld, tenant: TenantId) -> None:
    """Commit events until the page shows one: it listens from some moment on."""
    for number in range(100):
        await commit(face.world.database, tenant, number)
        if await page.evaluate("result.textContent.includes('cost.updated')"):
            return
    await page.until("result.textContent.includes('cost.updated')")
