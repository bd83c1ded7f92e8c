"""AWS clients: one for each service and region, signed and admitted call by call.

A client costs milliseconds of CPU and 200 KiB, and has its own connections. An organisation has
hundreds of accounts in a dozen regions, so clients belong to nobody: each call says in whose name
it is made. Blocking and safe for threads.
"""

import functools
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import botocore.exceptions
import botocore.loaders
import botocore.session
from botocore.config import Config
from botocore.credentials import ReadOnlyCredentials

from tensorcost.providers.aws.limiter import Limiter
from tensorcost.providers.aws.settings import AwsSettings

_MAX_CLIENTS: Final = 512

Client = Any
"""boto3 has no types of its own: answers are checked where they are read."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What AssumeRole gave out."""

    access_key: str
    secret_key: str
    token: str
    expires: datetime


@dataclass(frozen=True, slots=True)
class Caller:
    """In whose name a call is made. Without ``credentials`` it is the backend's own."""

    tenant: str = "backend"
    account: str = ""
    credentials: Credentials | None = None


class AwsClients:
    """Makes clients and keeps them. ``limiter`` admits by tenant, ``upstream`` by what AWS bounds:
    a service of one account in one region."""

    def __init__(self, settings: AwsSettings, limiter: Limiter, upstream: Limiter) -> None:
        self._settings = settings
        self._limiter = limiter
        self._upstream = upstream
        self._now = _Now()
        self._own = _session(settings.profile)
        self._borrowing = _session()
        self._borrowing.register_component("credential_provider", _Borrowed(self._now))
        self._making = threading.Lock()
        self._clients: OrderedDict[tuple[str, str, bool], Client] = OrderedDict()

    def call(
        self, caller: Caller, service: str, operation: str, region: str, given: dict[str, Any]
    ) -> Any:
        """The answer of a client's method. Raises what botocore raises."""
        client = self._client(service, region, borrows=caller.credentials is not None)
        with self._now.being(caller):
            return getattr(client, operation)(**given)

    def backend_client(self, service: str, region: str = "") -> Client:
        """A client with the backend's own credentials."""
        return self._client(service, region or self._settings.region, borrows=False)

    def _client(self, service: str, region: str, *, borrows: bool) -> Client:
        key = (service, region, borrows)
        with self._making:
            client = self._clients.get(key)
            if client is not None:
                self._clients.move_to_end(key)
                return client
            client = self._make(service, region, borrows)
            client.meta.events.register("before-send", self._admitted(service, region))
            self._clients[key] = client
            while len(self._clients) > _MAX_CLIENTS:
                self._clients.popitem(last=False)
            return client

    def _make(self, service: str, region: str, borrows: bool) -> Client:
        """The backend's keys are the configured ones; without them botocore finds the machine's."""
        own = self._settings
        given = {
            "region_name": region,
            "endpoint_url": own.endpoint_of(service),
            "config": self._config(service),
        }
        if borrows:
            return self._borrowing.create_client(service, **given)
        return self._own.create_client(
            service,
            aws_access_key_id=own.access_key_id or None,
            aws_secret_access_key=own.secret_access_key or None,
            **given,
        )

    def _admitted(self, service: str, region: str) -> Callable[..., None]:
        def admit(**_: object) -> None:
            caller = self._now.caller
            self._limiter.acquire(caller.tenant)
            self._upstream.acquire(f"{service}/{caller.account}/{region}")

        return admit

    def _config(self, service: str) -> Config:
        own = self._settings
        return Config(
            ignore_configured_endpoint_urls=True,
            connect_timeout=own.connect_timeout,
            read_timeout=own.read_timeout,
            retries={"mode": "standard", "total_max_attempts": own.max_attempts},
            max_pool_connections=32,
            user_agent_extra="tensorcost",
            s3={"addressing_style": "path"} if own.endpoint_of(service) else None,
        )


class _Now(threading.local):
    """The call that this thread is making. botocore signs and retries in the caller's thread."""

    caller: Caller = Caller()

    @contextmanager
    def being(self, caller: Caller) -> Iterator[None]:
        before, self.caller = self.caller, caller
        try:
            yield
        finally:
            self.caller = before


class _Borrowed:
    """To botocore a provider of credentials and the credentials themselves: those of the call."""

    method = "explicit"
    account_id = None

    def __init__(self, now: _Now) -> None:
        self._now = now

    def load_credentials(self) -> "_Borrowed":
        return self

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        taken = self._now.caller.credentials
        if taken is None:
            raise botocore.exceptions.NoCredentialsError
        return ReadOnlyCredentials(taken.access_key, taken.secret_key, taken.token)

    def get_deferred_property(self, name: str) -> Callable[[], object]:
        return lambda: getattr(self, name, None)


def _session(profile: str = "") -> Any:
    made = botocore.session.Session(profile=profile or None)
    made.register_component("data_loader", _models())
    return made


@functools.cache
def _models() -> botocore.loaders.Loader:
    """Descriptions of AWS's services: large files, read once a process."""
    return botocore.loaders.create_loader()
