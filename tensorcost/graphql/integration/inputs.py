"""What the wizard asks. A field that is not given keeps the model's default."""

from typing import Any

import strawberry
from strawberry import UNSET

from tensorcost.domain.integration.contracts_connection import ConnectionChanges
from tensorcost.domain.integration.states import ConnectionMode
from tensorcost.services.integration import NewConnection, parse_changes


@strawberry.input(description="Empty means: find out, or do without.")
class ConnectionSettingsInput:
    role_path_prefix: str | None = UNSET
    organization_role_name: str | None = UNSET
    home_region: str | None = UNSET
    regions: list[str] | None = UNSET
    allowed_accounts: list[str] | None = UNSET
    log_group_arn: str | None = UNSET
    log_bucket: str | None = UNSET
    log_prefix: str | None = UNSET
    cur_bucket: str | None = UNSET
    cur_prefix: str | None = UNSET
    cur_export: str | None = UNSET
    cur_region: str | None = UNSET
    capture_request_metadata: bool | None = UNSET
    free_tags: list[str] | None = UNSET


@strawberry.input
class NewConnectionInput:
    name: str
    account_id: str
    provider: str = "bedrock"
    mode: ConnectionMode = ConnectionMode.SINGLE_ACCOUNT
    role_arn: str | None = UNSET
    external_id: str | None = UNSET
    settings: ConnectionSettingsInput | None = UNSET

    def to_domain(self) -> NewConnection:
        """The connection to be; ValidationFailed naming the first field that is not right."""
        return NewConnection.parse(_given(self))


@strawberry.input(description="Only what is given is changed; settings are replaced as a whole.")
class ConnectionChangesInput:
    role_arn: str | None = UNSET
    external_id: str | None = UNSET
    settings: ConnectionSettingsInput | None = UNSET

    def to_domain(self) -> ConnectionChanges:
        """The changes; ValidationFailed naming the first field that is not right."""
        return parse_changes(_given(self))


def _given(source: object) -> dict[str, Any]:
    """The fields that the client sent with a value."""
    given = {name: value for name, value in vars(source).items() if value not in (UNSET, None)}
    if "settings" in given:
        given["settings"] = _given(given["settings"])
    return given
