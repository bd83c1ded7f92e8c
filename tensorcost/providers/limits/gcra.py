"""A continuous token bucket (GCRA) in Valkey, or in this process where there is no Valkey.

When Valkey cannot be reached the limit goes on in memory, each process for itself, and the
fallback is counted: a broken limiter neither stops the product nor opens it.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import timedelta
from math import ceil
from time import monotonic
from typing import Final, NamedTuple, cast

import structlog
from opentelemetry import metrics
from redis.asyncio import Redis
from throttled.asyncio import Quota as _Quota
from throttled.asyncio import RedisStore, Throttled, per_duration
from throttled.exceptions import StoreUnavailableError

log = structlog.get_logger(__name__)

MAX_KEYS_IN_MEMORY: Final = 100_000
_TIMEOUT_SECONDS: Final = 0.25
_PAUSE_SECONDS: Final = 2.0
"""After a failure Valkey is left alone for this long, so that requests do not queue on it."""
_fallbacks: Final = metrics.get_meter(__name__).create_counter(
    "tensorcost.limits.fallback", unit="{decision}", description="Limits decided without Valkey."
)


@dataclass(frozen=True, slots=True)
class Quota:
    """``limit`` units in ``window``, all of which may come at once. ``name`` tells quotas apart."""

    name: str
    limit: int
    window: timedelta = timedelta(minutes=1)


class Decision(NamedTuple):
    """The answer to one hit. Times are seconds from now."""

    limited: bool
    limit: int
    remaining: int
    reset_after: float
    """Until the whole quota is free again."""
    retry_after: float
    """Until the refused cost would fit; 0 when it was not refused."""


@dataclass(slots=True)
class Limiter:
    """Counts hits by key. Safe to share between tasks; close it when done."""

    url: str | None = None
    """``redis://`` address of a Valkey or Redis; None counts in this process."""
    max_keys: int = MAX_KEYS_IN_MEMORY
    """Keys counted in this process; of more, those not hit for longest are forgotten."""
    _remote: RedisStore | None = field(init=False, default=None)
    _local: "_Memory" = field(init=False)
    _throttles: dict[Quota, Throttled] = field(init=False, default_factory=dict)
    _paused_until: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self._local = _Memory(self.max_keys)
        if self.url is not None:
            self._remote = RedisStore(
                server=self.url,
                options={
                    "SOCKET_TIMEOUT": _TIMEOUT_SECONDS,
                    "SOCKET_CONNECT_TIMEOUT": _TIMEOUT_SECONDS,
                },
            )

    async def hit(self, key: str, quota: Quota, cost: int = 1) -> Decision:
        """Take ``cost`` units of ``quota`` for ``key``, if they are there."""
        if self._remote is not None and monotonic() >= self._paused_until:
            try:
                return await self._hit(self._throttle(self._remote, quota), key, cost)
            except StoreUnavailableError as error:
                self._paused_until = monotonic() + _PAUSE_SECONDS
                log.warning("limits.valkey_unavailable", error=repr(error.__cause__))
        if self._remote is not None:
            _fallbacks.add(1)
        return self._local.hit(key, quota, cost)

    async def close(self) -> None:
        """Close the connections to Valkey."""
        if self._remote is not None:
            client = cast("Redis", self._remote._backend.get_client())
            await client.aclose(close_connection_pool=True)

    def _throttle(self, store: RedisStore, quota: Quota) -> Throttled:
        found = self._throttles.get(quota)
        if found is None:
            found = Throttled(
                using="gcra",
                quota=_quota(quota),
                store=store,
                key_prefix=f"tensorcost:limit:{quota.name}",
            )
            self._throttles[quota] = found
        return found

    @staticmethod
    async def _hit(throttle: Throttled, key: str, cost: int) -> Decision:
        result = await throttle.limit(key, cost)
        state = result.state
        return Decision(
            limited=result.limited,
            limit=state.limit,
            remaining=0 if result.limited else state.remaining,
            reset_after=state.reset_after,
            retry_after=state.retry_after if result.limited else 0.0,
        )


@dataclass(slots=True)
class _Memory:
    """The same bucket in this process; the library's takes four times as long, on every request."""

    max_keys: int
    _full_at: OrderedDict[tuple[str, str], float] = field(default_factory=OrderedDict)
    """When each key's quota is whole again, on the monotonic clock; the latest used last."""

    def hit(self, key: str, quota: Quota, cost: int) -> Decision:
        now = monotonic()
        interval = quota.window.total_seconds() / quota.limit
        place = (quota.name, key)
        owed = max(self._full_at.get(place, now) - now, 0.0)
        remaining = quota.limit - cost - ceil(owed / interval)
        if remaining < 0:
            retry_after = max(owed - (quota.limit - cost) * interval, 0.0)
            return Decision(True, quota.limit, 0, owed, retry_after)
        owed += cost * interval
        self._full_at[place] = now + owed
        self._full_at.move_to_end(place)
        if len(self._full_at) > self.max_keys:
            self._full_at.popitem(last=False)
        return Decision(False, quota.limit, remaining, owed, 0.0)


def _quota(quota: Quota) -> _Quota:
    return per_duration(quota.window, quota.limit)
