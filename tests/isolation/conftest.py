"""Two tenants side by side behind one served API, once a module."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

import pytest

from tensorcost.runtime.embedded.temporal import TemporalAddress
from tests.isolation.settling import Household, settle
from tests.support.databases import Database
from tests.support.served import ServedApi, served_api


@dataclass(frozen=True)
class Street:
    """``ours`` tries; ``theirs`` is what it must not reach."""

    api: ServedApi
    database: Database
    ours: Household
    theirs: Household


@pytest.fixture(scope="module")
async def street(database: Database, temporal_server: TemporalAddress) -> AsyncIterator[Street]:
    with pytest.MonkeyPatch.context() as patch:
        # No worker runs here: whoever asks a process for an answer waits in vain.
        patch.setattr("tensorcost.activities.processes.UPDATE_TIMEOUT", timedelta(seconds=1))
        async with served_api(database, temporal_server) as api:
            ours = await settle(api, database, "quartz-near")
            theirs = await settle(api, database, "zircon-far")
            # What the database dated while they settled must not lie in the future.
            api.clock.move(minutes=1)
            yield Street(api, database, ours, theirs)
