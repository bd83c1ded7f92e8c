"""The product's own API with a tenant that has spent something, once a module."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from tensorcost.runtime.embedded.temporal import TemporalAddress
from tensorcost.services.tenancy.create import CreatedTenant
from tests.support.browser import Page
from tests.support.databases import Database
from tests.support.served import ServedApi, served_api

TEAM = "search-quality"


@dataclass(frozen=True)
class Site:
    """The served API and a signed-in tenant's token."""

    api: ServedApi
    tenant: CreatedTenant
    token: str

    def outside(self, page: Page) -> set[str]:
        """What the page asked of anybody but the API."""
        asked = {url for url in page.requested if not url.startswith("data:")}
        return {url for url in asked if urlsplit(url).netloc != self.api.address}


@pytest.fixture(scope="module")
async def site(database: Database, temporal_server: TemporalAddress) -> AsyncIterator[Site]:
    async with served_api(database, temporal_server) as api:
        tenant = await api.tenant("fake-browser")
        site = Site(api, tenant, api.token(tenant))
        await _spend(site)
        yield site


async def _spend(site: Site) -> None:
    event = {
        "id": "fake-request-1",
        "timestamp": (site.api.clock() - timedelta(hours=3)).isoformat(),
        "source": "openai_api",
        "model_id": "fake-model",
        "input_tokens": 4_321,
        "team": TEAM,
    }
    async with site.api.client(site.token) as client:
        answer = await client.post("/v1/ai/spend/events", json={"events": [event]})
    assert answer.json()["data"]["accepted"] == 1, answer.text
