"""Every REST route there is: it names its use case, and refuses whoever lacks its scope.

Routers of all areas are found by their module, with services that were never set up: a request
that reaches one fails the test, because scopes come before everything else.
"""

import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

import httpx2
import pytest
from fastapi.routing import APIRoute

from tensorcost.domain.identity.scopes import Scope
from tensorcost.domain.ids import TenantId
from tensorcost.gateway.app import build, routers_of
from tensorcost.gateway.blueprint import blueprint_deps
from tensorcost.gateway.scoped import api, routes_of
from tensorcost.gateway.settings import GatewaySettings
from tensorcost.services.authorise import Public, UseCase, served_by
from tests.gateway.world import World

PUBLIC = {
    "POST /v1/auth/login",
    "POST /v1/auth/refresh-tokens",
    "POST /v1/auth/logout",
    "POST /v1/auth/accept-invitation",
    "GET /livez",
    "GET /readyz",
    "GET /healthz",
    "GET /openapi.json",
    "GET /docs",
    "GET /docs/docs.js",
    "GET /docs/docs.css",
}
"""Reachable without a token, on purpose. Whatever else turns up here is a mistake."""


@dataclass(frozen=True)
class Face:
    method: str
    path: str
    shown: UseCase | Public

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def address(self) -> str:
        return re.sub(r"\{[^}]+\}", "00000000-0000-7000-8000-000000000000", self.path)


DEPS = blueprint_deps()
ROUTES = routes_of(routers_of(DEPS))


def faces() -> list[Face]:
    made = []
    for route in ROUTES:
        shown = served_by(route.endpoint)
        assert shown is not None, f"{route.path}: mark the handler with @serves"
        made += [Face(method, route.path, shown) for method in sorted(route.methods or ())]
    return made


FACES = faces()


def test_only_the_listed_routes_are_public() -> None:
    assert {face.name for face in FACES if isinstance(face.shown, Public)} == PUBLIC


def test_a_public_route_says_why() -> None:
    assert all(face.shown.reason for face in FACES if isinstance(face.shown, Public))


def test_no_route_is_served_twice_and_no_operation_id_repeats() -> None:
    names = [face.name for face in FACES]
    assert len(names) == len(set(names))
    ids = [route.unique_id for route in ROUTES]
    assert len(ids) == len(set(ids))


def test_an_unmarked_handler_is_refused_at_registration() -> None:
    routes = api("/v1/fake", "fake")
    with pytest.raises(TypeError, match="@serves"):

        @routes.get("/thing")
        async def thing() -> None:
            """Nothing."""


def test_routes_are_told_apart_by_their_own_path() -> None:
    """A path with a parameter must come after the fixed paths that it would swallow."""
    for earlier, later in pairs(ROUTES):
        if "{" in earlier.path and "{" not in later.path and earlier.methods == later.methods:
            assert not earlier.path_regex.fullmatch(later.path), (earlier.path, later.path)


def pairs(routes: list[APIRoute]) -> Iterator[tuple[APIRoute, APIRoute]]:
    for position, earlier in enumerate(routes):
        for later in routes[position + 1 :]:
            yield earlier, later


@dataclass(frozen=True)
class Walker:
    """A client of a gateway whose services were never set up, behind real authentication."""

    client: httpx2.AsyncClient
    world: World
    tenant_id: TenantId

    def without(self, missing: Scope) -> dict[str, str]:
        """The header of a service token with every scope but one."""
        scopes = frozenset(Scope) - {missing}
        token = self.world.minter.service("walker", self.tenant_id, timedelta(minutes=9), scopes)
        return {"authorization": f"Bearer {token}"}


@pytest.fixture(scope="module")
async def walker(world: World) -> AsyncIterator[Walker]:
    deps = replace(
        DEPS,
        authenticator=world.deps.authenticator,
        limiter=world.deps.limiter,
        settings=GatewaySettings(anonymous_per_minute=10_000),
    )
    transport = httpx2.ASGITransport(app=build(deps))
    async with httpx2.AsyncClient(transport=transport, base_url="http://gateway.test") as client:
        yield Walker(client, world, (await world.tenant()).tenant_id)


@pytest.mark.parametrize(
    "face",
    [face for face in FACES if isinstance(face.shown, UseCase)],
    ids=lambda face: face.name,
)
async def test_a_route_refuses_strangers_and_callers_without_its_scope(
    walker: Walker, face: Face
) -> None:
    assert isinstance(face.shown, UseCase)
    stranger = await walker.client.request(face.method, face.address)
    assert stranger.status_code == 401, stranger.text
    assert stranger.json()["code"] == "UNAUTHENTICATED"
    for missing in face.shown.scopes:
        answer = await walker.client.request(
            face.method, face.address, headers=walker.without(missing)
        )
        assert answer.status_code == 403, (face.name, answer.text)
        assert answer.json()["code"] == "FORBIDDEN"
