"""What exists in the emulated clouds: plain data, loaded from JSON, copied for every reset."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

PolicyDocument = dict[str, Any]
"""An IAM policy as AWS prints it: free JSON by nature, so it stays a dictionary."""


class Role(msgspec.Struct, kw_only=True):
    """A role and what its identity policies allow, as ``service:Action`` patterns."""

    name: str
    path: str = "/"
    trust: PolicyDocument
    permissions: list[str]
    max_session_seconds: int = 3600


class User(msgspec.Struct, kw_only=True):
    name: str
    access_key: str
    secret_key: str
    permissions: list[str] = msgspec.field(default_factory=lambda: ["sts:*"])


class Account(msgspec.Struct, kw_only=True):
    id: str
    name: str
    email: str = ""
    state: str = "ACTIVE"
    joined_method: str = "CREATED"
    joined: datetime | None = None
    roles: list[Role] = []
    users: list[User] = []
    disabled_regions: list[str] = []
    scp_denied: list[str] = []
    """Actions that a service control policy denies to everyone in the account."""
    idle_regions: list[str] = []
    """Regions without any call to Bedrock: metrics are silent, whatever the store holds."""

    def role(self, name: str) -> Role | None:
        return next((role for role in self.roles if role.name == name), None)


class Bucket(msgspec.Struct, kw_only=True):
    name: str
    account: str
    region: str
    policy: PolicyDocument | None = None
    kms_key: str | None = None
    kms_refused: bool = False
    """The key policy does not let callers decrypt, whatever their role says."""
    silent: bool = False
    """The bucket is empty, whatever the object store holds."""


class LogGroup(msgspec.Struct, kw_only=True):
    account: str
    region: str
    name: str
    retention_days: int | None = None
    kms_key: str | None = None
    kms_refused: bool = False
    silent: bool = False
    """Nothing was ever written, whatever the event store holds."""
    written_in: str | None = None
    """The region under which the event store knows the group, when a preset moved it."""

    @property
    def arn(self) -> str:
        return f"arn:aws:logs:{self.region}:{self.account}:log-group:{self.name}"


class LoggingConfig(msgspec.Struct, kw_only=True):
    account: str
    region: str
    bucket: str | None = None
    key_prefix: str | None = None
    log_group: str | None = None


class InferenceProfile(msgspec.Struct, kw_only=True):
    account: str
    region: str
    id: str
    name: str
    type: str
    model_arns: list[str]
    created: datetime
    tags: dict[str, str] = {}
    description: str = ""

    @property
    def arn(self) -> str:
        kind = "application-inference-profile" if self.type == "APPLICATION" else None
        return (
            f"arn:aws:bedrock:{self.region}:{self.account}:{kind or 'inference-profile'}/{self.id}"
        )


class ProvisionedModel(msgspec.Struct, kw_only=True):
    account: str
    region: str
    id: str
    name: str
    foundation_model_arn: str
    model_units: int = 1
    status: str = "InService"
    commitment: str | None = None
    created: datetime

    @property
    def arn(self) -> str:
        return f"arn:aws:bedrock:{self.region}:{self.account}:provisioned-model/{self.id}"


class FoundationModel(msgspec.Struct, kw_only=True):
    id: str
    name: str
    provider: str
    regions: list[str]
    output: str = "TEXT"


class Export(msgspec.Struct, kw_only=True):
    """One CUR 2.0 data export; ``parquet`` or gzip-compressed CSV."""

    account: str
    name: str
    bucket: str
    prefix: str
    bucket_region: str
    parquet: bool
    columns: list[str]
    created: datetime
    refreshed: datetime
    execution_id: str
    status: str = "HEALTHY"
    status_reason: str | None = None
    granularity: str = "DAILY"
    overwrite: bool = True

    @property
    def arn(self) -> str:
        return f"arn:aws:bcm-data-exports:us-east-1:{self.account}:export/{self.name}"


class LegacyReport(msgspec.Struct, kw_only=True):
    account: str
    name: str
    bucket: str
    prefix: str
    bucket_region: str


class Organization(msgspec.Struct, kw_only=True):
    id: str
    management: str
    members: list[str]
    """Accounts in the order of ListAccounts, the management account included."""
    delegated: list[str] = []
    empty_page: bool = True
    """Answer one page without accounts but with a token, as AWS may."""


class MetricPoint(msgspec.Struct, kw_only=True):
    """One minute of a model's calls, for tests that bring no files."""

    account: str
    region: str
    model_id: str
    at: datetime
    invocations: int = 1
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read: int = 0
    cache_write: int = 0
    latency_ms: float = 0.0


class LogEvent(msgspec.Struct, kw_only=True):
    account: str
    region: str
    group: str
    at: datetime
    message: str
    stream: str = "aws/bedrock/modelinvocations"


class ObjectSeed(msgspec.Struct, kw_only=True):
    bucket: str
    key: str
    text: str | None = None
    base64: str | None = None


class SimState(msgspec.Struct, kw_only=True):
    now: datetime | None = None
    """The simulator's clock for data (retention, RecentlyActive); the wall clock when absent."""
    accounts: list[Account] = []
    buckets: list[Bucket] = []
    log_groups: list[LogGroup] = []
    logging: list[LoggingConfig] = []
    profiles: list[InferenceProfile] = []
    provisioned: list[ProvisionedModel] = []
    models: list[FoundationModel] = []
    exports: list[Export] = []
    reports: list[LegacyReport] = []
    organization: Organization | None = None
    require_read_only_hops: bool = True
    """Deny a role-chained hop into another account without a read-only session policy."""
    metric_points: list[MetricPoint] = []
    log_events: list[LogEvent] = []
    objects: list[ObjectSeed] = []

    def account(self, account_id: str) -> Account | None:
        return next((a for a in self.accounts if a.id == account_id), None)

    def bucket(self, name: str) -> Bucket | None:
        return next((b for b in self.buckets if b.name == name), None)


class SeedError(ValueError):
    """The seed does not describe a world; the message names the offending member."""


def parse_state(raw: bytes) -> SimState:
    """Read a state from JSON; raises SeedError."""
    try:
        return msgspec.json.decode(raw, type=SimState)
    except msgspec.DecodeError as error:
        raise SeedError(str(error)) from error


def dump_state(state: SimState) -> bytes:
    return msgspec.json.encode(state)
