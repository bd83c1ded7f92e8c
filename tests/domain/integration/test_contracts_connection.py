"""What a person may say about a connection, and what is refused with its field's name."""

from typing import Any

import pytest
from pydantic import ValidationError

from tensorcost.domain.integration.contracts_connection import (
    ConnectionChanges,
    ConnectionSettings,
)


@pytest.mark.parametrize(
    "fields",
    [
        {"role_path_prefix": "customer-managed"},
        {"regions": ("us_east_1",)},
        {"allowed_accounts": ("11112222333",)},
        {"log_group_arn": "/aws/bedrock"},
        {"log_bucket": "No_Bucket"},
        {"organization_role_name": "a/b"},
        {"endpoint_url": "http://169.254.169.254"},
    ],
)
def test_a_setting_that_cannot_be_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ConnectionSettings.model_validate(fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"role_path_prefix": "/customer-managed/"},
        {"regions": ("us-east-1", "us-gov-west-1", "ap-southeast-4")},
        {"log_group_arn": "arn:aws:logs:us-east-1:111122223333:log-group:/bedrock/logs:*"},
        {"organization_role_name": "AWSControlTowerExecution"},
        {"log_bucket": "", "cur_bucket": "my.cur-bucket"},
    ],
)
def test_settings_of_004_are_taken(fields: dict[str, Any]) -> None:
    taken = ConnectionSettings.model_validate(fields)
    assert taken.model_dump(include=set(fields)) == fields


@pytest.mark.parametrize(
    "fields",
    [
        {"role_arn": "arn:aws:iam::1111:role/x"},
        {"external_id": "no spaces here"},
        {"external_id": "x" * 40},
        {"tenant_id": "00000000-0000-0000-0000-000000000001"},
    ],
)
def test_a_change_that_cannot_be_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ConnectionChanges.model_validate(fields)


def test_an_empty_change_is_known_as_such() -> None:
    assert ConnectionChanges().is_empty
    assert not ConnectionChanges(external_id="tc-fake").is_empty
