"""Credentials: long-lived users of the state, and the sessions that AssumeRole handed out."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from demo.aws.access import Caller
from demo.aws.errors import Kind
from demo.aws.state import PolicyDocument, SimState

_KEY_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


class Unauthenticated(Exception):
    """The credentials of a request are refused; ``kind`` says how."""

    def __init__(self, kind: Kind) -> None:
        super().__init__(kind)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Session:
    access_key: str
    secret_key: str
    token: str
    account: str
    role_name: str
    role_arn: str
    session_name: str
    expires: datetime
    policy: PolicyDocument | None
    external_id_sent: bool

    @property
    def arn(self) -> str:
        return f"arn:aws:sts::{self.account}:assumed-role/{self.role_name}/{self.session_name}"


class Sessions:
    """All sessions of one simulator; expiry is judged by the wall clock, as clients do."""

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._clock = clock
        self._sessions: dict[str, Session] = {}

    def grant(
        self,
        account: str,
        role_name: str,
        role_arn: str,
        session_name: str,
        duration: timedelta,
        policy: PolicyDocument | None,
        external_id_sent: bool,
    ) -> Session:
        key = "ASIA" + "".join(secrets.choice(_KEY_ALPHABET) for _ in range(16))
        session = Session(
            access_key=key,
            secret_key=secrets.token_urlsafe(30),
            token="FAKE" + secrets.token_urlsafe(60),
            account=account,
            role_name=role_name,
            role_arn=role_arn,
            session_name=session_name,
            expires=self._clock().replace(microsecond=0) + duration,
            policy=policy,
            external_id_sent=external_id_sent,
        )
        self._sessions[key] = session
        return session

    def expire_all(self) -> int:
        """Let every session end now; returns how many there were."""
        now = self._clock() - timedelta(seconds=1)
        for key, session in self._sessions.items():
            self._sessions[key] = Session(
                **{name: getattr(session, name) for name in Session.__slots__} | {"expires": now}
            )
        return len(self._sessions)

    def clear(self) -> None:
        self._sessions.clear()

    def caller(self, state: SimState, access_key: str, token: str | None) -> Caller:
        """Resolve an access key; raises Unauthenticated."""
        for account in state.accounts:
            for user in account.users:
                if user.access_key == access_key:
                    arn = f"arn:aws:iam::{account.id}:user/{user.name}"
                    permissions = tuple(user.permissions)
                    return Caller(arn, account.id, f"AIDA{user.name.upper()}", permissions)
        session = self._sessions.get(access_key)
        if session is None or session.token != token:
            raise Unauthenticated(Kind.BAD_CREDENTIALS)
        if session.expires <= self._clock():
            raise Unauthenticated(Kind.EXPIRED)
        owner = state.account(session.account)
        role = owner.role(session.role_name) if owner else None
        if owner is None or role is None or owner.state != "ACTIVE":
            # AWS takes no session of a role that was deleted, nor of a closed account.
            raise Unauthenticated(Kind.BAD_CREDENTIALS)
        return Caller(
            arn=session.arn,
            account=session.account,
            user_id=f"AROA{session.role_name.upper()[:16]}:{session.session_name}",
            permissions=tuple(role.permissions),
            role_arn=session.role_arn,
            session_policy=session.policy,
            has_external_id=session.external_id_sent,
        )
