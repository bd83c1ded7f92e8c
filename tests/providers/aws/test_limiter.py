from time import monotonic

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorcost.providers.aws.limiter import NoLimit, ServiceLimits, TokenBucket


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept += seconds


def bucket(time: Time, rate: float = 2.0, burst: int = 3) -> TokenBucket:
    return TokenBucket(rate, burst, monotonic=lambda: time.now, sleep=time.sleep)


def test_a_burst_passes_at_once_and_the_next_call_waits() -> None:
    time = Time()
    limiter = bucket(time)
    for _ in range(3):
        limiter.acquire("t")
    assert time.slept == 0
    limiter.acquire("t")
    assert time.slept == pytest.approx(0.5)


def test_one_tenants_calls_do_not_slow_anothers() -> None:
    time = Time()
    limiter = bucket(time)
    for _ in range(3):
        limiter.acquire("a")
    limiter.acquire("b")
    assert time.slept == 0


def test_tokens_come_back_with_time_up_to_the_burst() -> None:
    time = Time()
    limiter = bucket(time)
    for _ in range(3):
        limiter.acquire("t")
    time.now += 3600
    for _ in range(3):
        limiter.acquire("t")
    assert time.slept == 0
    limiter.acquire("t")
    assert time.slept > 0


@given(pauses=st.lists(st.floats(0, 3), min_size=1, max_size=60))
def test_no_span_holds_more_calls_than_rate_and_burst_allow(pauses: list[float]) -> None:
    time = Time()
    limiter = bucket(time)
    admitted = []
    for pause in pauses:
        time.now += pause
        limiter.acquire("t")
        admitted.append(time.now)
    for first, start in enumerate(admitted):
        for count, end in enumerate(admitted[first:], start=1):
            assert count <= 3 + 2.0 * (end - start) + 1e-6


def test_a_limiter_that_admits_nothing_is_refused() -> None:
    for rate, burst in ((0.0, 1), (1.0, 0)):
        with pytest.raises(ValueError, match="positive"):
            TokenBucket(rate, burst)
    NoLimit().acquire("t")


def test_a_service_is_bounded_for_each_account_and_region_alone() -> None:
    limits = ServiceLimits({"logs": 1000.0})
    for place in ("logs/1/a", "logs/2/a", "logs/1/b"):
        started = monotonic()
        for _ in range(2000):
            limits.acquire(place)
        assert monotonic() - started < 1.0  # the burst: nobody waits for another's calls
    started = monotonic()
    for _ in range(100):
        limits.acquire("logs/1/a")
    assert monotonic() - started > 0.05


def test_a_service_without_a_rate_is_not_bounded() -> None:
    limits = ServiceLimits({"logs": 0.001})
    for _ in range(10):
        limits.acquire("s3/1/a")
