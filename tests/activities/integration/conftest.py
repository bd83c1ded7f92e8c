"""Threads for what blocks, and the bench on which most of these tests read one item."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tensorcost.domain.ids import TenantId
from tensorcost.storage.session import Database
from tests.activities.integration.item_bench import Bench, make_bench


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(max_workers=4) as pool:
        yield pool


@pytest.fixture
async def bench(db: Database, tenant: TenantId, threads: ThreadPoolExecutor) -> Bench:
    """One planned item; a module of another kind of work has a bench of its own."""
    return await make_bench(db, tenant, threads)
