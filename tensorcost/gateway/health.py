"""Probes: is the process up, and can it do its work."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog
from fastapi import APIRouter

from tensorcost.gateway.envelope import Bytes, Envelope, encode, ok
from tensorcost.gateway.scoped import api
from tensorcost.services.authorise import Public, serves

log = structlog.get_logger(__name__)
TIMEOUT_SECONDS: Final = 2.0
_PROBE: Final = Public("probes carry no credentials and tell nothing of a tenant")


@dataclass(frozen=True, slots=True)
class Check:
    """One server that requests need. ``probe`` raises when it does not answer."""

    name: str
    probe: Callable[[], Awaitable[object]]
    required: bool = True
    """An optional server that is down shows in the detail but keeps the process ready."""


def router(checks: Sequence[Check], draining: Callable[[], bool]) -> APIRouter:
    """``/livez``, ``/readyz`` and its older name ``/healthz``."""
    routes = api("", "health")

    @routes.get("/livez", response_model=Envelope[dict[str, str]])
    @serves(_PROBE)
    async def livez() -> Bytes:
        """The process answers."""
        return ok({"status": "alive"})

    async def answer() -> Bytes:
        results = await asyncio.gather(*(_run(check) for check in checks))
        down = any(state == "down" and check.required for check, state in results)
        status = "draining" if draining() else "unavailable" if down else "ready"
        data: dict[str, Any] = {
            "status": status,
            "checks": {check.name: state for check, state in results},
        }
        if status == "ready":
            return ok(data)
        return Bytes(encode({"success": False, "data": data, "count": 1}), 503)

    @routes.get("/readyz", response_model=Envelope[dict[str, Any]])
    @serves(_PROBE)
    async def readyz() -> Bytes:
        """Every required server answers, and the process is not shutting down."""
        return await answer()

    @routes.get("/healthz", response_model=Envelope[dict[str, Any]])
    @serves(_PROBE)
    async def healthz() -> Bytes:
        """The same as `/readyz`."""
        return await answer()

    return routes


async def _run(check: Check) -> tuple[Check, str]:
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await check.probe()
    except Exception as error:  # a probe's own failure is its answer, whatever it is
        log.warning("readiness.check_failed", check=check.name, error=repr(error)[:500])
        return check, "down"
    return check, "up"
