"""The one factory of AWS clients: endpoints from settings, sessions cached, every hop bounded.

Blocking and safe for threads. Nothing in the environment or in tenant data can redirect a
client: endpoints come from ``AwsSettings`` alone.
"""

import functools
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import botocore.loaders
import botocore.session
from botocore.config import Config

from tensorcost.domain.clock import Clock
from tensorcost.domain.integration.probe_facts import CallFailure, ErrorKind
from tensorcost.providers.aws.errors import AWS_ERRORS, EXPIRED_CODES, ProviderError, classify
from tensorcost.providers.aws.limiter import Limiter, NoLimit
from tensorcost.providers.aws.read_only import READ_ONLY_POLICY
from tensorcost.providers.aws.settings import AwsSettings

REFRESH_BEFORE: Final = timedelta(minutes=5)
CHAIN_LIMIT_SECONDS: Final = 3600
"""AWS's cap on a session that a role's session takes."""
_MAX_CLIENTS: Final = 512
_MAX_SESSIONS: Final = 2_000

Client = Any
"""boto3 has no types of its own: answers are checked where they are read."""


@dataclass(frozen=True, slots=True)
class RoleAccess:
    """Which role to assume, for whom. ``allowed_accounts`` bounds every hop from it."""

    tenant: str
    role_arn: str
    external_id: str
    allowed_accounts: frozenset[str]

    @property
    def account_id(self) -> str:
        return account_of_role(self.role_arn)


@dataclass(frozen=True, slots=True)
class _Step:
    """One AssumeRole: into which role, how, and from which session (None: from the backend)."""

    tenant: str
    role_arn: str
    external_id: str | None = None
    policy: str | None = None
    via: "_Step | None" = None


@dataclass(frozen=True, slots=True)
class _Credentials:
    access_key: str | None
    secret_key: str | None
    token: str | None
    expires: datetime | None = None


class AwsSessions:
    """Assumes roles and makes clients; keeps both until shortly before they expire."""

    def __init__(self, settings: AwsSettings, clock: Clock, limiter: Limiter | None = None) -> None:
        self.settings = settings
        self._clock = clock
        self._limiter = limiter or NoLimit()
        self._botocore = botocore.session.Session()
        self._botocore.register_component("data_loader", _models())
        self._making = threading.Lock()
        self._sessions: OrderedDict[_Step, _Credentials] = OrderedDict()
        self._locks: dict[_Step, threading.Lock] = {}
        self._clients: OrderedDict[tuple[object, ...], Client] = OrderedDict()

    def backend_client(self, service: str, region: str = "") -> Client:
        """A client with the backend's own credentials."""
        return self.client_for(service, region or self.settings.region, None, "backend")

    def role(self, access: RoleAccess) -> "AccountSession":
        """A session of the connection's role. The role is assumed at the first client."""
        _require_allowed(access.account_id, access.allowed_accounts)
        step = _Step(access.tenant, access.role_arn, external_id=access.external_id)
        return AccountSession(self, access, step, access.account_id)

    def assume_without_external_id(self, access: RoleAccess) -> None:
        """Try the role without its ExternalId: success means that anybody's id will do.

        Raises ProviderError when AWS refuses, which is the good answer.
        """
        self._assume(_Step(access.tenant, access.role_arn), access)

    def backend_account(self) -> str:
        """The account that the backend's credentials belong to. Raises ProviderError."""
        try:
            answer = self.backend_client("sts").get_caller_identity()
        except AWS_ERRORS as error:
            raise classify(
                error, service="sts", operation="GetCallerIdentity", region=self.settings.region
            ) from error
        return str(answer["Account"])

    def forget(self, step: _Step | None) -> None:
        """Drop the sessions that a step leads to; the next client assumes them anew."""
        with self._making:
            while step is not None:
                self._sessions.pop(step, None)
                step = step.via

    def credentials_for(self, step: _Step, access: RoleAccess) -> _Credentials:
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

    def _is_fresh(self, known: _Credentials) -> bool:
        return known.expires is not None and known.expires - self._clock() > REFRESH_BEFORE

    def _assume(self, step: _Step, access: RoleAccess) -> _Credentials:
        account = account_of_role(step.role_arn)
        _require_allowed(account, access.allowed_accounts)
        given: dict[str, Any] = {
            "RoleArn": step.role_arn,
            "RoleSessionName": f"tensorcost-{access.tenant}"[:64],
            "DurationSeconds": min(self.settings.session_seconds, CHAIN_LIMIT_SECONDS),
        }
        if step.external_id:
            given["ExternalId"] = step.external_id
        if step.policy:
            given["Policy"] = step.policy
        via = self.credentials_for(step.via, access) if step.via else None
        client = self.client_for("sts", self.settings.region, via, access.tenant)
        try:
            answer = client.assume_role(**given)["Credentials"]
        except AWS_ERRORS as error:
            raise classify(
                error,
                service="sts",
                operation="AssumeRole",
                account=account,
                region=self.settings.region,
                known_accounts={self.settings.backend_account_id, access.account_id},
            ) from error
        return _Credentials(
            answer["AccessKeyId"],
            answer["SecretAccessKey"],
            answer["SessionToken"],
            answer["Expiration"],
        )

    def client_for(
        self, service: str, region: str, credentials: _Credentials | None, tenant: str
    ) -> Client:
        own = self.settings
        key = (service, region, tenant, credentials.token if credentials else "")
        keys = credentials or self._backend_keys()
        with self._making:
            client = self._clients.get(key)
            if client is not None:
                self._clients.move_to_end(key)
                return client
            client = self._botocore.create_client(
                service,
                region_name=region,
                endpoint_url=own.endpoint_of(service),
                aws_access_key_id=keys.access_key,
                aws_secret_access_key=keys.secret_key,
                aws_session_token=keys.token,
                config=self._config(service),
            )
            client.meta.events.register("before-send", self._admit(tenant))
            self._clients[key] = client
            while len(self._clients) > _MAX_CLIENTS:
                self._clients.popitem(last=False)
            return client

    def _backend_keys(self) -> _Credentials:
        """The configured keys; without them botocore finds the machine's own role."""
        own = self.settings
        return _Credentials(own.access_key_id or None, own.secret_access_key or None, None)

    def _admit(self, tenant: str) -> Callable[..., None]:
        def admit(**_: object) -> None:
            self._limiter.acquire(tenant)

        return admit

    def _config(self, service: str) -> Config:
        own = self.settings
        return Config(
            ignore_configured_endpoint_urls=True,
            connect_timeout=own.connect_timeout,
            read_timeout=own.read_timeout,
            retries={"mode": "standard", "total_max_attempts": own.max_attempts},
            max_pool_connections=32,
            user_agent_extra="tensorcost",
            s3={"addressing_style": "path"} if own.endpoint_of(service) else None,
        )


class AccountSession:
    """Calls into one account, as the connection's role or as a member's jump role."""

    def __init__(
        self, sessions: AwsSessions, access: RoleAccess, step: _Step, account_id: str
    ) -> None:
        self._sessions = sessions
        self._access = access
        self._step = step
        self.account_id = account_id

    @property
    def is_member(self) -> bool:
        return self._step.via is not None

    def call(self, service: str, operation: str, region: str, **given: Any) -> Any:
        """Call a client's method and return its answer. Raises ProviderError.

        A session that AWS ended early is taken once more.
        """
        try:
            return self._try(service, operation, region, given)
        except ProviderError as error:
            if error.failure.code not in EXPIRED_CODES:
                raise
            self._sessions.forget(self._step)
        return self._try(service, operation, region, given)

    def _try(self, service: str, operation: str, region: str, given: dict[str, Any]) -> Any:
        credentials = self._sessions.credentials_for(self._step, self._access)
        client = self._sessions.client_for(service, region, credentials, self._access.tenant)
        try:
            return getattr(client, operation)(**given)
        except AWS_ERRORS as error:
            raise self.failure(
                error, service=service, operation=operation, region=region
            ) from error

    def verify(self) -> None:
        """Assume the role now. Raises ProviderError."""
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


@functools.cache
def _models() -> botocore.loaders.Loader:
    """Descriptions of AWS's services: large files, read once a process."""
    return botocore.loaders.create_loader()


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
