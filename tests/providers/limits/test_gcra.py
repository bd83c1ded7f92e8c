"""The limiter with Valkey and without."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from tensorcost.providers.limits.gcra import Limiter, Quota


@pytest.fixture(params=["memory", "valkey"])
async def limiter(request: pytest.FixtureRequest) -> AsyncIterator[Limiter]:
    url = request.getfixturevalue("valkey_url") if request.param == "valkey" else None
    made = Limiter(url)
    yield made
    await made.close()


def fresh() -> str:
    return secrets.token_hex(8)


async def test_the_whole_quota_may_come_at_once_and_no_more(limiter: Limiter) -> None:
    quota, key = Quota("fake", 5, timedelta(hours=1)), fresh()
    decisions = [await limiter.hit(key, quota) for _ in range(7)]
    assert [decision.remaining for decision in decisions] == [4, 3, 2, 1, 0, 0, 0]
    assert [decision.limited for decision in decisions] == [False] * 5 + [True] * 2
    assert {decision.limit for decision in decisions} == {5}
    assert 0 < decisions[5].retry_after <= 720
    assert decisions[0].retry_after == 0
    assert 0 < decisions[4].reset_after <= 3600


async def test_a_hit_may_cost_more_than_one_and_too_much_takes_nothing(limiter: Limiter) -> None:
    quota, key = Quota("fake", 10, timedelta(hours=1)), fresh()
    assert (await limiter.hit(key, quota, cost=7)).remaining == 3
    assert (await limiter.hit(key, quota, cost=4)).limited
    assert (await limiter.hit(key, quota, cost=3)).remaining == 0


async def test_a_refused_cost_fits_after_the_time_told(limiter: Limiter) -> None:
    quota, key = Quota("fake", 2, timedelta(seconds=1)), fresh()
    assert not (await limiter.hit(key, quota, cost=2)).limited
    refused = await limiter.hit(key, quota)
    assert refused.limited
    await asyncio.sleep(refused.retry_after + 0.02)
    assert not (await limiter.hit(key, quota)).limited


async def test_of_too_many_keys_in_memory_the_latest_used_stay() -> None:
    quota, limiter = Quota("fake", 1, timedelta(hours=1)), Limiter(max_keys=2)
    for key in ("a", "b", "c"):
        assert not (await limiter.hit(key, quota)).limited
    assert (await limiter.hit("c", quota)).limited
    assert not (await limiter.hit("a", quota)).limited


async def test_keys_and_quotas_are_counted_apart(limiter: Limiter) -> None:
    key = fresh()
    for name in ("one", "two"):
        for who in (key, f"{key}-other"):
            decision = await limiter.hit(who, Quota(name, 1, timedelta(hours=1)))
            assert not decision.limited


async def test_while_valkey_is_away_each_process_counts_for_itself() -> None:
    quota = Quota("fake", 1, timedelta(hours=1))
    one, two = Limiter("redis://127.0.0.1:1/0"), Limiter("redis://127.0.0.1:1/0")
    key = fresh()
    assert not (await one.hit(key, quota)).limited
    assert (await one.hit(key, quota)).limited
    assert not (await two.hit(key, quota)).limited
    await one.close()
    await two.close()
