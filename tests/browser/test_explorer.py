"""The GraphQL explorer of the served product in Chromium, worked as a person would work it."""

import json
from pathlib import Path

import pytest

from tests.browser.conftest import TEAM, Site
from tests.support.browser import open_page

pytestmark = pytest.mark.browser
QUERY = """query Teams {
  costBreakdown(dimension: TEAM) { rows { name requests inputTokens } }
}"""


async def test_a_query_typed_into_the_explorer_is_answered_and_nobody_else_is_asked(
    site: Site, tmp_path: Path
) -> None:
    async with open_page(f"{site.api.url}/graphql") as page:
        await page.until("document.getElementById('docs').innerText.includes('token')")
        await page.type("#token", site.token)
        await page.type("#query", QUERY)
        await page.until("document.querySelectorAll('#docs dl').length > 20")
        await page.press_enter(control=True)
        await page.until(f"result.textContent.includes({json.dumps(TEAM)})")
        answer = json.loads(await page.evaluate("result.textContent"))
        await page.screenshot(tmp_path / "explorer.png")
    rows = answer["data"]["costBreakdown"]["rows"]
    assert rows == [{"name": TEAM, "requests": 1, "inputTokens": 4_321}]
    assert site.outside(page) == set()
    assert f"{site.api.url}/graphql" in page.requested
    assert page.complaints == []


async def test_a_mistake_is_shown_and_not_swallowed(site: Site) -> None:
    async with open_page(f"{site.api.url}/graphql#token={site.token}") as page:
        await page.until("document.querySelectorAll('#docs dl').length > 20")
        await page.type("#query", "{ costSummary { nonsense } }")
        await page.click("#run")
        await page.until("result.textContent.includes('nonsense')")
        assert "errors" in json.loads(await page.evaluate("result.textContent"))
    assert site.outside(page) == set()
    assert page.complaints == []


async def test_the_explorer_may_load_from_here_alone(site: Site) -> None:
    async with site.api.client() as client:
        policy = (await client.get("/graphql")).headers["content-security-policy"]
    sources = [part.split() for part in policy.split(";")]
    assert ["default-src", "'none'"] in sources
    assert {word for _, *words in sources for word in words} <= {"'none'", "'self'", "data:"}
