"""Northwind Robotics as a customer: its tenant, its owner, its way in."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from demo.story.api import Session, SignIn
from demo.story.board import Stage
from demo.story.commands import tensorcost_json

NAME, SLUG, OWNER = "Northwind Robotics", "northwind", "ana@northwind.example"
PASSWORD = "northwind-demo-only"
"""Of an emulated company's invented owner, on this machine alone."""


class Memory:
    """What a home must remember between runs: how to sign in, and whether all is connected."""

    def __init__(self, home: Path) -> None:
        self._file = home / "tenant.json"

    def read(self) -> dict[str, str]:
        if not self._file.is_file():
            return {}
        found: dict[str, str] = json.loads(self._file.read_text())
        return found

    def write(self, told: dict[str, str]) -> None:
        draft = self._file.with_suffix(".draft")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(told, file)
        draft.replace(self._file)

    @property
    def connected(self) -> bool:
        """Whether the backfill of this home's world has begun."""
        return self.read().get("connected") == "yes"

    def note_connected(self) -> None:
        self.write(self.read() | {"connected": "yes"})


async def ensure_tenant(memory: Memory, env: Mapping[str, str], stage: Stage) -> SignIn:
    """Create the tenant once, with the operator's command."""
    known = memory.read()
    if known:
        stage.detail = f"{NAME} is there already"
    else:
        made = await tensorcost_json(
            env,
            *("tenant", "create", "--name", NAME, "--slug", SLUG),
            *("--owner-email", OWNER, "--plan", "enterprise"),
        )
        known = {"tenant_id": made["tenant_id"], "password": made["one_time_password"]}
        memory.write(known)
        stage.detail = f"created {NAME}, owner {OWNER}"
    return SignIn(OWNER, known["password"], SLUG)


async def enter(session: Session, memory: Memory, stage: Stage) -> None:
    """Sign in; the one-time password is changed at the first time."""
    signed_in = await session.log_in()
    if signed_in["user"]["mustChangePassword"]:
        stage.say("changing the one-time password")
        await session.post(
            "/v1/auth/change-password",
            {"currentPassword": session.sign_in.password, "newPassword": PASSWORD},
        )
        memory.write(memory.read() | {"password": PASSWORD})
        session.sign_in = SignIn(session.sign_in.email, PASSWORD, session.sign_in.tenant)
        await session.log_in()
    user = signed_in["user"]
    stage.detail = f"{user['email']}, role {user['role']}, over POST /v1/auth/login"
