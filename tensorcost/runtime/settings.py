"""Everything that the environment may say, read once, handed down in slices.

Each name has the prefix ``TENSORCOST_``; the three addresses are also read under the names
that every platform uses (DATABASE_URL, TEMPORAL_ADDRESS, REDIS_URL).
"""

import os
from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, AliasChoices, BaseModel, ConfigDict, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from tensorcost.providers.bedrock.artefacts import PUBLIC_TEMPLATE_URL
from tensorcost.runtime.telemetry_settings import TelemetrySettings


def default_home() -> Path:
    """``$XDG_DATA_HOME/tensorcost``, or its usual place."""
    base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "tensorcost"


def _either(name: str) -> AliasChoices:
    return AliasChoices(f"TENSORCOST_{name}", name)


class TemporalSettings(BaseModel):
    """Where workflows run, and whether their payloads are encrypted."""

    model_config = ConfigDict(frozen=True)

    namespace: str = "default"
    ui_url: str = ""
    encryption_keys: dict[str, SecretStr] = {}
    """Key id to base64 key of 32 bytes; empty leaves payloads readable."""
    encryption_key_id: str = ""
    """The key that new payloads are sealed with; the others only open old ones."""
    codec_token: SecretStr = SecretStr("")
    """What an operator's Temporal UI sends to ``tensorcost codec``."""
    codec_port: int = 8082


class AwsEndpoints(BaseModel):
    """Where and as whom AWS is reached. Empty endpoints mean the real ones."""

    model_config = ConfigDict(frozen=True)

    endpoint_url: str = ""
    endpoint_urls: dict[str, str] = {}
    """Service name to endpoint, before ``endpoint_url``."""
    allow_plaintext: bool = False
    region: str = "us-east-1"
    access_key_id: SecretStr = SecretStr("")
    secret_access_key: SecretStr = SecretStr("")
    backend_account_id: str = "000000000000"
    template_url: str = PUBLIC_TEMPLATE_URL
    """S3 address of the published CloudFormation template."""
    chosen_external_ids: bool = False
    """Let callers bring an ExternalId, where every tenant is trusted (one company, a demo)."""
    calls_per_second: float = 200.0
    """Most calls a second that one tenant's connections make to AWS, in each process."""
    service_calls_per_second: dict[str, float] = {
        "bcm-data-exports": 5.0,
        "bedrock": 10.0,
        "cloudwatch": 20.0,
        "logs": 10.0,
        "organizations": 5.0,
        "sts": 100.0,
    }
    """Most calls a second to a service of one account in one region: AWS's own quotas, shared
    with whoever else calls there, so a part of them."""


class AuthSettings(BaseModel):
    """Whose tokens are believed."""

    model_config = ConfigDict(frozen=True)

    issuer: str = "tensorcost"
    signing_keys: dict[str, SecretStr] = {}
    """Key id to HS256 secret (at least 32 bytes); two while rotating. Empty: the home's own."""
    signing_key_id: str = ""
    cognito_issuer: str = ""
    cognito_client_ids: list[str] = []


class HttpSettings(BaseModel):
    """What the gateway listens on and allows."""

    model_config = ConfigDict(frozen=True)

    host: str = "127.0.0.1"
    port: int = 8080
    cors_origins: list[str] = []
    graphiql: bool = True
    introspection: bool = True
    legacy_api_aliases: bool = False


class Settings(BaseSettings):
    """Settings of one process."""

    model_config = SettingsConfigDict(
        env_prefix="TENSORCOST_", env_nested_delimiter="__", frozen=True, extra="ignore"
    )

    home: Annotated[Path, AfterValidator(Path.absolute)] = Field(default_factory=default_home)
    """Absolute, for servers that change their folder."""
    database_url: SecretStr | None = Field(None, validation_alias=_either("DATABASE_URL"))
    platform_database_url: SecretStr | None = None
    owner_database_url: SecretStr | None = None
    superuser_database_url: SecretStr | None = None
    redis_url: SecretStr | None = Field(None, validation_alias=_either("REDIS_URL"))
    temporal_address: str | None = Field(None, validation_alias=_either("TEMPORAL_ADDRESS"))
    temporal: TemporalSettings = TemporalSettings()
    temporal_cli: Path | None = None
    """Program of the development server, where it is not to be looked for."""
    aws: AwsEndpoints = AwsEndpoints()
    auth: AuthSettings = AuthSettings()
    http: HttpSettings = HttpSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    drain_seconds: float = 30.0
    event_days: int = Field(7, ge=1)
    """Days for which events are kept, and a reader can resume at its cursor."""
    approval_warning_hours: int = Field(72, ge=0)
    """Hours before an approval ends at which it is told that nobody has decided; 0 for never."""

    @property
    def approval_warning(self) -> timedelta:
        return timedelta(hours=self.approval_warning_hours)
