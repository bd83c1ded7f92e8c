"""A remote key set against a real HTTP server."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import httpx2
import pytest

from tensorcost.domain.errors import Unauthenticated, Unavailable
from tensorcost.providers.identity.jwks import RemoteKeys
from tests.support.clock import MovableClock
from tests.support.jwks import KeyServer, key_server


@pytest.fixture
def pool() -> Iterator[KeyServer]:
    with key_server() as server:
        server.add_key("a")
        yield server


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
async def keys(pool: KeyServer, clock: MovableClock) -> AsyncIterator[RemoteKeys]:
    async with httpx2.AsyncClient() as http:
        yield RemoteKeys(pool.url, http, clock)


async def test_many_at_once_cause_one_fetch_and_the_set_is_cached(
    pool: KeyServer, keys: RemoteKeys, clock: MovableClock
) -> None:
    await asyncio.gather(*(keys.key("a") for _ in range(20)))
    clock.move(minutes=4)
    await keys.key("a")
    assert pool.fetches == 1
    clock.move(minutes=2)
    await keys.key("a")
    assert pool.fetches == 2


async def test_an_unknown_key_is_looked_for_once_in_thirty_seconds(
    pool: KeyServer, keys: RemoteKeys, clock: MovableClock
) -> None:
    await keys.key("a")
    for seconds, fetches in ((0, 1), (29, 1), (1, 2), (0, 2), (30, 3)):
        clock.move(seconds=seconds)
        with pytest.raises(Unauthenticated):
            await keys.key("b")
        assert pool.fetches == fetches


async def test_a_withdrawn_key_stops_working_when_the_set_is_refreshed(
    pool: KeyServer, keys: RemoteKeys, clock: MovableClock
) -> None:
    await keys.key("a")
    pool.add_key("b")
    del pool.keys["a"]
    clock.move(minutes=5)
    with pytest.raises(Unauthenticated):
        await keys.key("a")


async def test_without_any_key_yet_an_outage_is_said_and_not_hammered(
    pool: KeyServer, keys: RemoteKeys, clock: MovableClock
) -> None:
    pool.broken = True
    for _ in range(3):
        with pytest.raises(Unavailable):
            await keys.key("a")
    assert pool.fetches == 1
    pool.broken = False
    clock.move(seconds=5)
    assert (await keys.key("a")).key_id == "a"


async def test_an_address_without_tls_is_refused_but_on_this_machine(clock: MovableClock) -> None:
    async with httpx2.AsyncClient() as http:
        for url in ("http://example.com/jwks.json", "file:///etc/passwd", "ftp://127.0.0.1/x"):
            with pytest.raises(ValueError, match="https"):
                RemoteKeys(url, http, clock)
