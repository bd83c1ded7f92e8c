"""Where and as whom AWS is reached. The only source of endpoints; nothing ambient counts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from urllib.parse import urlsplit

from tensorcost.domain.errors import ValidationFailed


@dataclass(frozen=True, slots=True)
class AwsSettings:
    """One frozen slice. Empty endpoints mean AWS itself; empty keys mean the machine's own role.

    ``profile`` is one of the machine's own AWS configuration, for where it is a person's.
    ``endpoint_urls`` (service name to URL) come before ``endpoint_url``. An endpoint without
    TLS is refused unless ``allow_plaintext`` says otherwise. Timeouts are in seconds.
    """

    region: str = "us-east-1"
    backend_account_id: str = ""
    access_key_id: str = field(default="", repr=False)
    secret_access_key: str = field(default="", repr=False)
    profile: str = ""
    endpoint_url: str = ""
    endpoint_urls: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    allow_plaintext: bool = False
    connect_timeout: float = 5.0
    read_timeout: float = 60.0
    max_attempts: int = 4
    session_seconds: int = 3600

    def __post_init__(self) -> None:
        for url in (self.endpoint_url, *self.endpoint_urls.values()):
            self._check(url)

    def endpoint_of(self, service: str) -> str | None:
        """The endpoint of a service by its boto3 name, None for AWS's own."""
        return self.endpoint_urls.get(service) or self.endpoint_url or None

    def _check(self, url: str) -> None:
        if not url:
            return
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValidationFailed(f"not an endpoint URL: {url}", field="endpoint_url")
        if parts.scheme == "http" and not self.allow_plaintext:
            raise ValidationFailed(
                f"the endpoint {url} is not encrypted; set allow_plaintext to use it",
                field="endpoint_url",
            )
