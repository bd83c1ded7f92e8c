"""The control path ``/__sim/``: seed, break, heal and watch the simulator."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from demo.aws.app import Simulator
from demo.aws.http import HttpRequest, HttpResponse
from demo.aws.presets import PresetError
from demo.aws.requests import FaultRequest, SeedRequest
from demo.aws.state import SeedError, dump_state

PREFIX = "/__sim/"
_HEADERS = {"content-type": "application/json"}
_DONE: dict[str, Any] = {"ok": True}

Control = Callable[[Simulator, HttpRequest], Awaitable[object]]


async def control(simulator: Simulator, request: HttpRequest) -> HttpResponse:
    """Answer one control request: 400 with the reason when it cannot be carried out."""
    route = _ROUTES.get((request.method, request.path.removeprefix(PREFIX)))
    if route is None:
        return _json({"error": "no such control"}, 404)
    try:
        return _json(await route(simulator, request))
    except (SeedError, PresetError, msgspec.DecodeError, ValueError) as error:
        return _json({"error": str(error)}, 400)


def _json(body: object, status: int = 200) -> HttpResponse:
    return HttpResponse(status, msgspec.json.encode(body), dict(_HEADERS))


async def _health(simulator: Simulator, request: HttpRequest) -> object:
    return {"ok": True, "accounts": [account.id for account in simulator.state.accounts]}


async def _seed(simulator: Simulator, request: HttpRequest) -> object:
    simulator.seed(msgspec.json.decode(request.body, type=SeedRequest))
    await simulator.moto.reset()
    return _DONE


async def _arm(simulator: Simulator, request: HttpRequest) -> object:
    simulator.arm(msgspec.json.decode(request.body, type=FaultRequest))
    return _DONE


async def _fired(simulator: Simulator, request: HttpRequest) -> object:
    return simulator.faults.fired()


async def _heal(simulator: Simulator, request: HttpRequest) -> object:
    simulator.heal()
    return _DONE


async def _requests(simulator: Simulator, request: HttpRequest) -> object:
    wanted = dict(request.query)
    since = int(wanted.pop("since", "0"))
    return simulator.ledger.find(since, **wanted)


async def _forget(simulator: Simulator, request: HttpRequest) -> object:
    simulator.ledger.clear()
    return _DONE


async def _expire(simulator: Simulator, request: HttpRequest) -> object:
    return {"sessions": simulator.sessions.expire_all()}


async def _reindex(simulator: Simulator, request: HttpRequest) -> object:
    simulator.objects.reindex()
    return _DONE


async def _reset(simulator: Simulator, request: HttpRequest) -> object:
    simulator.heal()
    simulator.ledger.clear()
    simulator.sessions.clear()
    await simulator.moto.reset()
    return _DONE


async def _state(simulator: Simulator, request: HttpRequest) -> object:
    return msgspec.Raw(dump_state(simulator.state))


_ROUTES: dict[tuple[str, str], Control] = {
    ("GET", "health"): _health,
    ("POST", "seed"): _seed,
    ("POST", "faults"): _arm,
    ("GET", "faults"): _fired,
    ("DELETE", "faults"): _heal,
    ("GET", "requests"): _requests,
    ("DELETE", "requests"): _forget,
    ("POST", "expire"): _expire,
    ("POST", "reindex"): _reindex,
    ("POST", "reset"): _reset,
    ("GET", "state"): _state,
}
