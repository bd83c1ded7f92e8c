"""How fast providers may be called: by one tenant, and as far as they bear it themselves.

Waiting happens in the caller's thread.
"""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Protocol


class Limiter(Protocol):
    """Admits calls; ``acquire`` returns when the call may be made."""

    def acquire(self, key: str) -> None: ...


class NoLimit:
    """Admits every call at once."""

    def acquire(self, key: str) -> None:
        del key


class TokenBucket:
    """``rate`` calls a second on average for each key, ``burst`` at once.

    A call that finds no token books the next one and sleeps until it is due, so waiting
    threads are served in the order in which they came. Keys that are full again are forgotten.
    """

    def __init__(
        self,
        rate: float,
        burst: int,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if rate <= 0 or burst < 1:
            raise ValueError("rate and burst must be positive")
        self._rate = rate
        self._burst = burst
        self._monotonic = monotonic
        self._sleep = sleep
        self._lock = threading.Lock()
        self._full_at: dict[str, float] = {}
        """When the bucket of a key will be full again."""

    def acquire(self, key: str) -> None:
        delay = self._book(key)
        if delay > 0:
            self._sleep(delay)

    def _book(self, key: str) -> float:
        with self._lock:
            now = self._monotonic()
            full_at = max(self._full_at.get(key, now), now) + 1 / self._rate
            self._full_at[key] = full_at
            if len(self._full_at) > 10_000:
                self._full_at = {k: at for k, at in self._full_at.items() if at > now}
            return full_at - now - self._burst / self._rate


class ServiceLimits:
    """What a provider bears: calls a second for each key, by the service that the key begins with.

    Keys look like ``service/account/region``; services without a rate are not bounded here.
    """

    def __init__(self, rates: Mapping[str, float]) -> None:
        self._buckets = {
            service: TokenBucket(rate, burst=max(1, int(2 * rate)))
            for service, rate in rates.items()
        }

    def acquire(self, key: str) -> None:
        bucket = self._buckets.get(key.partition("/")[0])
        if bucket is not None:
            bucket.acquire(key)
