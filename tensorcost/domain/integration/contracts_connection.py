"""What a connection is told about itself: the settings a person may give and change."""

import re
from datetime import datetime
from typing import Annotated, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from tensorcost.domain.ids import ConnectionId, TenantId
from tensorcost.domain.integration.states import ConnectionMode, ConnectionState

_ACCOUNT: Final = re.compile(r"[0-9]{12}")
_REGION: Final = re.compile(r"[a-z]{2,3}(-[a-z0-9]+){1,4}")
_ROLE_ARN: Final = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]{1,512}")
_LOG_GROUP_ARN: Final = re.compile(
    r"arn:aws[a-z-]*:logs:[a-z0-9-]+:[0-9]{12}:log-group:[\w./#-]{1,512}(:\*)?"
)
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


def _matching(pattern: re.Pattern[str], what: str) -> AfterValidator:
    def check(value: str) -> str:
        if value and not pattern.fullmatch(value):
            raise ValueError(f"not {what}")
        return value

    return AfterValidator(check)


AccountId = Annotated[str, _matching(_ACCOUNT, "an AWS account id of 12 digits")]
Region = Annotated[str, _matching(_REGION, "an AWS region name")]
RoleArn = Annotated[str, _matching(_ROLE_ARN, "an IAM role ARN")]
LogGroupArn = Annotated[str, _matching(_LOG_GROUP_ARN, "a CloudWatch Logs group ARN")]
Bucket = Annotated[str, _matching(_BUCKET, "an S3 bucket name")]
Prefix = Annotated[str, Field(max_length=512)]
RoleName = Annotated[str, _matching(re.compile(r"[\w+=,.@-]{1,64}"), "an IAM role name")]
RolePath = Annotated[
    str, _matching(re.compile(r"/([\w+=,.@-]+/)*"), "an IAM path that begins and ends with /")
]


class ConnectionSettings(BaseModel):
    """What the wizard asks beside the account. Empty means: find out, or do without.

    ``allowed_accounts`` narrows which accounts may be assumed into; empty allows the
    connection's own account and, in Organization mode, its members.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    role_path_prefix: RolePath = ""
    organization_role_name: RoleName = "OrganizationAccountAccessRole"
    home_region: Region = "us-east-1"
    regions: tuple[Region, ...] = Field(default=(), max_length=40)
    allowed_accounts: tuple[AccountId, ...] = Field(default=(), max_length=1000)
    log_group_arn: LogGroupArn = ""
    log_bucket: Bucket = ""
    log_prefix: Prefix = ""
    cur_bucket: Bucket = ""
    cur_prefix: Prefix = ""
    cur_export: Annotated[str, Field(max_length=128)] = ""
    cur_region: Region = "us-east-1"
    capture_request_metadata: bool = True
    free_tags: tuple[str, ...] = Field(default=(), max_length=16)


class ConnectionChanges(BaseModel):
    """A partial change: only the fields that were given are applied."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role_arn: RoleArn | None = None
    external_id: Annotated[str, Field(pattern=r"^[\w+=,.@-]{2,39}$")] | None = None
    settings: ConnectionSettings | None = None

    @property
    def is_empty(self) -> bool:
        return self.role_arn is None and self.external_id is None and self.settings is None


class Connection(BaseModel):
    """A connection as stored. ``role_arn`` is empty until the stack's output is pasted back.

    ``external_id`` is the one in use. While it is rotated there is another one beside it: the
    ``next_external_id`` before the new one is taken into use, the ``previous_external_id`` after.
    """

    model_config = ConfigDict(frozen=True)

    tenant_id: TenantId
    connection_id: ConnectionId
    provider: str
    name: str
    state: ConnectionState
    mode: ConnectionMode
    account_id: AccountId
    external_id: str
    role_arn: str
    settings: ConnectionSettings
    created_at: datetime
    updated_at: datetime
    last_validated_at: datetime | None = None
    last_synced_at: datetime | None = None
    next_external_id: str = ""
    previous_external_id: str = ""

    @property
    def other_external_id(self) -> str:
        """The second id of a rotation under way, else nothing."""
        return self.next_external_id or self.previous_external_id

    def only_with(self, external_id: str) -> "Connection":
        """The connection as if it knew this ExternalId and no other."""
        return self.model_copy(
            update={
                "external_id": external_id,
                "next_external_id": "",
                "previous_external_id": "",
            }
        )

    @model_validator(mode="after")
    def _account_is_given(self) -> Self:
        if not self.account_id:
            raise ValueError("a connection has an account")
        return self
