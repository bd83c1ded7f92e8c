"""The one way to AWS: endpoints from settings, sessions cached, every hop bounded.

Blocking and safe for threads. Nothing in the environment or in tenant data can redirect a
client: endpoints come from ``AwsSettings`` alone.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

import structlog

from tensorcost.domain.clock import Clock
from tensorcost.domain.integration.probe_facts import CallFailure, ErrorKind
from tensorcost.providers.aws.clients import AwsClients, Caller, Client, Credentials
from tensorcost.providers.aws.errors import AWS_ERRORS, ENDED_CODES, ProviderError, classify
from tensorcost.providers.aws.limiter import Limiter, NoLimit
from tensorcost.providers.aws.read_only import READ_ONLY_POLICY
from tensorcost.providers.aws.settings import AwsSettings

log = structlog.get_logger(__name__)
REFRESH_BEFORE: Final = timedelta(minutes=5)
CHAIN_LIMIT_SECONDS: Final = 3600
"""AWS's cap on a session that a role's session takes."""
_MAX_SESSIONS: Final = 10_000
"""A kilobyte each: the accounts of many organisations."""
OWN: Final = "preview"
"""Names sessions that belong to no tenant yet."""


@dataclass(frozen=True, slots=True)
class RoleAccess:
    """Which role to assume, for whom. ``allowed_accounts`` bounds every hop from it.

    ``other_external_id`` is tried where the first is refused: while an ExternalId is rotated,
    the role may trust either.
    """

    tenant: str
    role_arn: str
    external_id: str
    allowed_accounts: frozenset[str]
    other_external_id: str = ""

    @property
    def account_id(self) -> str:
        return account_of_role(self.role_arn)


@dataclass(frozen=True, slots=True)
class _Step:
    """One AssumeRole: into which role, how, and from which session (None: from the backend)."""

    tenant: str
    role_arn: str
    external_id: str | None = None
    other_external_id: str | None = None
    policy: str | None = None
    via: "_Step | None" = None


class AwsSessions:
    """Assumes roles and keeps their sessions until shortly before they expire.

    One at a time for each role: whoever else needs it meanwhile waits for the same session.
    """

    def __init__(
        self,
        settings: AwsSettings,
        clock: Clock,
        limiter: Limiter | None = None,
        upstream: Limiter | None = None,
    ) -> None:
        self.settings = settings
        self._clock = clock
        self._clients = AwsClients(settings, limiter or NoLimit(), upstream or NoLimit())
        self._making = threading.Lock()
        self._sessions: OrderedDict[_Step, Credentials] = OrderedDict()
        self._locks: dict[_Step, threading.Lock] = {}

    def backend_client(self, service: str, region: str = "") -> Client:
        """A client with the backend's own credentials."""
        return self._clients.backend_client(service, region)

    def role(self, access: RoleAccess) -> "AccountSession":
        """A session of the connection's role. The role is assumed at the first client."""
        _require_allowed(access.account_id, access.allowed_accounts)
        step = _Step(
            access.tenant,
            access.role_arn,
            external_id=access.external_id,
            other_external_id=access.other_external_id or None,
        )
        return AccountSession(self, access, step, access.account_id)

    def assume_without_external_id(self, access: RoleAccess) -> None:
        """Try the role without its ExternalId: success means that anybody's id will do.

        Raises ProviderError when AWS refuses, which is the good answer.
        """
        self._assume(_Step(access.tenant, access.role_arn), access)

    def backend_account(self) -> str:
        """The account that the backend's credentials belong to. Raises ProviderError."""
        return account_of_role(self.backend_arn())

    def backend_arn(self) -> str:
        """Who the backend's credentials are. Raises ProviderError."""
        try:
            answer = self.backend_client("sts").get_caller_identity()
        except AWS_ERRORS as error:
            raise classify(
                error, service="sts", operation="GetCallerIdentity", region=self.settings.region
            ) from error
        return str(answer["Arn"])

    def own(self, arn: str, allowed_accounts: frozenset[str] = frozenset()) -> "AccountSession":
        """Calls with the credentials that stand on this machine, which are those of ``arn``."""
        access = RoleAccess(OWN, arn, "", allowed_accounts)
        return AccountSession(self, access, None, access.account_id)

    def forget(self, step: _Step | None) -> None:
        """Drop the sessions that a step leads to; the next call assumes them anew."""
        with self._making:
            while step is not None:
                self._sessions.pop(step, None)
                step = step.via

    def drop(self, step: _Step, stale: Credentials) -> None:
        """Drop a session that AWS no longer takes, unless somebody has renewed it meanwhile."""
        with self._making:
            if self._sessions.get(step) is stale:
                del self._sessions[step]

    def credentials_for(self, step: _Step, access: RoleAccess) -> Credentials:
        with self._making:
            lock = self._locks.setdefault(step, threading.Lock())
        with lock:
            known = self._sessions.get(step)
            if known is not None and self._is_fresh(known):
                return known
            fresh = self._assume(step, access)
            with self._making:
                self._sessions[step] = fresh
                self._sessions.move_to_end(step)
                while len(self._sessions) > _MAX_SESSIONS:
                    dropped, _ = self._sessions.popitem(last=False)
                    self._locks.pop(dropped, None)
            return fresh

    def call(
        self, caller: Caller, service: str, operation: str, region: str, given: dict[str, Any]
    ) -> Any:
        """The answer of a call in somebody's name. Raises ``AWS_ERRORS``."""
        return self._clients.call(caller, service, operation, region, given)

    def _is_fresh(self, known: Credentials) -> bool:
        return known.expires - self._clock() > REFRESH_BEFORE

    def _assume(self, step: _Step, access: RoleAccess) -> Credentials:
        """A new session, from one before it that AWS still takes. Raises ProviderError."""
        _require_allowed(account_of_role(step.role_arn), access.allowed_accounts)
        via = self.credentials_for(step.via, access) if step.via else None
        try:
            return self._assume_from(via, step, access)
        except ProviderError as error:
            if step.via is None or via is None or error.failure.code not in ENDED_CODES:
                raise
            self.drop(step.via, via)
        return self._assume_from(self.credentials_for(step.via, access), step, access)

    def _assume_from(self, via: Credentials | None, step: _Step, access: RoleAccess) -> Credentials:
        account = account_of_role(step.role_arn)
        seconds = min(self.settings.session_seconds, CHAIN_LIMIT_SECONDS)
        given: dict[str, Any] = {
            "RoleArn": step.role_arn,
            "RoleSessionName": f"tensorcost-{access.tenant}"[:64],
            "DurationSeconds": seconds,
        }
        if step.external_id:
            given["ExternalId"] = step.external_id
        if step.policy:
            given["Policy"] = step.policy
        region = self.settings.region
        caller = Caller(access.tenant, access.account_id if via else "", via)
        # Counted from here on, so that it does not matter whose clock is right.
        expires = self._clock() + timedelta(seconds=seconds)
        try:
            answer = self.call(caller, "sts", "assume_role", region, given)["Credentials"]
        except AWS_ERRORS as error:
            failed = classify(
                error,
                service="sts",
                operation="AssumeRole",
                account=account,
                region=region,
                known_accounts={self.settings.backend_account_id, access.account_id},
            )
            if step.other_external_id and failed.kind is ErrorKind.DENIED:
                return self._assume_with_the_other(step, access)
            raise failed from error
        return Credentials(
            answer["AccessKeyId"],
            answer["SecretAccessKey"],
            answer["SessionToken"],
            expires,
        )

    def _assume_with_the_other(self, step: _Step, access: RoleAccess) -> Credentials:
        """The second ExternalId of a rotation, where the role refuses the one in use."""
        other = replace(step, external_id=step.other_external_id, other_external_id=None)
        taken = self._assume(other, access)
        log.warning("external_id.fell_back", tenant_id=access.tenant, role_arn=step.role_arn)
        return taken


class AccountSession:
    """Calls into one account, as the connection's role or as a member's jump role.

    Without a ``step`` they are made with the machine's own credentials.
    """

    def __init__(
        self, sessions: AwsSessions, access: RoleAccess, step: _Step | None, account_id: str
    ) -> None:
        self._sessions = sessions
        self._access = access
        self._step = step
        self.account_id = account_id

    def call(self, service: str, operation: str, region: str, **given: Any) -> Any:
        """Call a client's method and return its answer. Raises ProviderError.

        A session that AWS ended early is taken once more.
        """
        step = self._step
        if step is None:
            return self._try(None, service, operation, region, given)
        credentials = self._sessions.credentials_for(step, self._access)
        try:
            return self._try(credentials, service, operation, region, given)
        except ProviderError as error:
            if error.failure.code not in ENDED_CODES:
                raise
            self._sessions.drop(step, credentials)
        credentials = self._sessions.credentials_for(step, self._access)
        return self._try(credentials, service, operation, region, given)

    def _try(
        self,
        credentials: Credentials | None,
        service: str,
        operation: str,
        region: str,
        given: dict[str, Any],
    ) -> Any:
        caller = Caller(self._access.tenant, self.account_id, credentials)
        try:
            return self._sessions.call(caller, service, operation, region, given)
        except AWS_ERRORS as error:
            raise self.failure(
                error, service=service, operation=operation, region=region
            ) from error

    def verify(self) -> None:
        """Assume the role now. Raises ProviderError."""
        if self._step is not None:
            self._sessions.credentials_for(self._step, self._access)

    def renew(self) -> None:
        """Assume the role anew, whatever is kept from before. Raises ProviderError."""
        self._sessions.forget(self._step)
        self.verify()

    def member(self, account_id: str, role_name: str) -> "AccountSession":
        """A session of a member account's jump role, read-only whatever the role may do."""
        _require_allowed(account_id, self._access.allowed_accounts)
        partition = self._access.role_arn.split(":")[1]
        arn = f"arn:{partition}:iam::{account_id}:role/{role_name}"
        step = _Step(self._access.tenant, arn, policy=READ_ONLY_POLICY, via=self._step)
        return AccountSession(self._sessions, self._access, step, account_id)

    def failure(
        self, error: Exception, *, service: str, operation: str = "", region: str = ""
    ) -> ProviderError:
        """``error`` sorted, with this session's account."""
        return classify(
            error,
            service=service,
            operation=operation,
            account=self.account_id,
            region=region,
            known_accounts={self._access.account_id, self._sessions.settings.backend_account_id},
        )


def account_of_role(role_arn: str) -> str:
    """The account in a role ARN, empty when there is none."""
    parts = role_arn.split(":")
    return parts[4] if len(parts) > 5 else ""


def _require_allowed(account: str, allowed: frozenset[str]) -> None:
    if account in allowed:
        return
    failure = CallFailure(
        kind=ErrorKind.NOT_ALLOWED if account else ErrorKind.INVALID,
        service="sts",
        operation="AssumeRole",
        code="AccountNotAllowed" if account else "BadRoleArn",
        account=account,
        region="",
        message="the account is not on this connection's list of allowed accounts"
        if account
        else "this is not the ARN of a role",
    )
    raise ProviderError(failure)
