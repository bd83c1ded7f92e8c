"""The product's two faces as a client sees them: REST envelopes and GraphQL documents."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2

from demo.story.board import StageFailed

Json = dict[str, Any]
_UNAUTHENTICATED = 401
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class SignIn:
    """Who signs in. Fake and local: the password is made for the demo."""

    email: str
    password: str
    tenant: str


@dataclass(slots=True)
class Session:
    """A signed-in client; an expired token is replaced once per request."""

    http: httpx2.AsyncClient
    sign_in: SignIn
    token: str = ""

    @property
    def url(self) -> str:
        return str(self.http.base_url).rstrip("/")

    async def log_in(self) -> Json:
        """Sign in and keep the access token; the answer's data."""
        who = self.sign_in
        body = {"email": who.email, "password": who.password, "tenant_id": who.tenant}
        found = _data(await self.http.post("/v1/auth/login", json=body))
        self.token = str(found["accessToken"])
        return dict(found)

    async def get(self, path: str, **params: str) -> Any:
        """``data`` of a REST read."""
        return _data(await self._send("GET", path, params=params))

    async def post(self, path: str, body: Json | None = None) -> Any:
        """``data`` of a REST command."""
        return _data(await self._send("POST", path, json=body))

    async def all(self, path: str, **params: str) -> list[Json]:
        """Every item of a REST list, page by page."""
        found: list[Json] = []
        cursor: dict[str, str] = {}
        while True:
            answer = await self._send("GET", path, params={**params, "limit": str(_PAGE), **cursor})
            found += _data(answer)
            if not (following := answer.json().get("next_cursor")):
                return found
            cursor = {"cursor": following}

    async def query(self, document: str, variables: Mapping[str, Any]) -> Json:
        """``data`` of a GraphQL query; StageFailed when any field failed."""
        body = {"query": document, "variables": dict(variables)}
        answer = await self._send("POST", "/graphql", json=body)
        found = answer.json()
        if errors := found.get("errors"):
            raise StageFailed(f"GraphQL: {errors[0].get('message')}")
        data: Json = found["data"]
        return data

    async def _send(self, method: str, path: str, **more: Any) -> httpx2.Response:
        answer = await self._try(method, path, **more)
        if answer.status_code == _UNAUTHENTICATED and self.token:
            await self.log_in()
            answer = await self._try(method, path, **more)
        return answer

    async def _try(self, method: str, path: str, **more: Any) -> httpx2.Response:
        headers = {"authorization": f"Bearer {self.token}"}
        return await self.http.request(method, path, headers=headers, **more)


@asynccontextmanager
async def open_session(url: str, sign_in: SignIn) -> AsyncIterator[Session]:
    """A client that asks nobody's proxy."""
    async with httpx2.AsyncClient(base_url=url, timeout=60, trust_env=False) as http:
        yield Session(http, sign_in)


def _data(answer: httpx2.Response) -> Any:
    try:
        body = answer.json()
    except ValueError:
        body = {}
    if not answer.is_success or not body.get("success"):
        where = f"{answer.request.method} {answer.request.url.path}"
        said = body.get("error", answer.reason_phrase)
        raise StageFailed(f"{where} answered {answer.status_code}: {said}")
    return body["data"]
