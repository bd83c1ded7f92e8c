"""The REST docs of the served product in Chromium: they list, they try, they ask nobody else."""

from pathlib import Path

import pytest

from tests.browser.conftest import Site
from tests.support.browser import Page, open_page

pytestmark = pytest.mark.browser


async def ready(page: Page) -> None:
    await page.until("document.querySelector('main')?.ariaBusy === 'false'")


async def test_the_docs_list_every_operation_and_complain_of_nothing(
    site: Site, tmp_path: Path
) -> None:
    async with site.api.client() as client:
        document = (await client.get("/openapi.json")).json()
    promised = {one["operationId"] for path in document["paths"].values() for one in path.values()}
    async with open_page(f"{site.api.url}/docs") as page:
        await ready(page)
        shown = await page.evaluate(
            "[...document.querySelectorAll('details.operation')].map((found) => found.id)"
        )
        await page.screenshot(tmp_path / "docs.png")
    assert set(shown) == promised
    assert len(shown) == len(promised) > 40
    assert site.outside(page) == set()
    assert f"{site.api.url}/docs/docs.js" in page.requested
    assert page.complaints == []


async def test_an_operation_is_tried_with_a_token_and_a_parameter(
    site: Site, tmp_path: Path
) -> None:
    async with open_page(f"{site.api.url}/docs") as page:
        await ready(page)
        await page.type("#token", site.token)
        await page.type("#find", "by-tag")
        assert await page.evaluate("document.querySelector('#get_tenant').hidden")
        await page.click("#get_cost_by_tag > summary")
        await page.until("document.querySelector('#get_cost_by_tag button') !== null")
        await page.type("#get_cost_by_tag input[aria-label='query parameter tag']", "team")
        await page.click("#get_cost_by_tag button")
        await page.until("document.querySelector('#get_cost_by_tag pre').innerText.includes('200')")
        answer = await page.evaluate("document.querySelector('#get_cost_by_tag pre').innerText")
        await page.screenshot(tmp_path / "tried.png")
    assert "GET /v1/cost/by-tag?tag=team" in answer
    assert "search-quality" in answer
    assert site.outside(page) == set()
    assert page.complaints == []


async def test_the_docs_may_load_from_here_alone(site: Site) -> None:
    async with site.api.client() as client:
        policy = (await client.get("/docs")).headers["content-security-policy"]
    sources = [part.split() for part in policy.split(";")]
    assert ["default-src", "'none'"] in sources
    assert {word for _, *words in sources for word in words} <= {"'none'", "'self'", "data:"}


async def test_the_browser_itself_refuses_what_the_policy_does_not_allow(site: Site) -> None:
    """Else a page that asks nobody might only not have had a reason to."""
    async with open_page(f"{site.api.url}/docs") as page:
        await ready(page)
        await page.evaluate(
            "fetch('http://127.0.0.1:9/outside').catch(() => { window.refused = true })"
        )
        await page.until("window.refused === true")
        # What the browser has to say of it comes before the answer to one more question.
        await page.evaluate("true")
    assert any("Content Security Policy" in complaint for complaint in page.complaints)
    assert any("outside" in complaint for complaint in page.complaints)
