"""Regions that offer Bedrock, where a connection names none."""

from typing import Final

from tensorcost.domain.integration.contracts_connection import Connection
from tensorcost.providers.bedrock.source_logs import region_of_group

_COMMERCIAL: Final = (
    "us-east-1",
    "us-west-2",
    "us-east-2",
    "eu-central-1",
    "eu-west-1",
    "eu-west-3",
    "eu-west-2",
    "eu-north-1",
    "ap-northeast-1",
    "ap-southeast-2",
    "ap-southeast-1",
    "ap-south-1",
    "ap-northeast-2",
    "ca-central-1",
    "sa-east-1",
)
"""Ordered by how likely traffic is. Regions to be switched on first are not among them."""
_GOVERNMENT: Final = ("us-gov-west-1", "us-gov-east-1")


def candidate_regions(connection: Connection) -> tuple[str, ...]:
    """The regions to look at: those that the connection names, else all that offer Bedrock."""
    own = connection.settings
    named = [*own.regions, region_of_group(own.log_group_arn)] if own.regions else []
    if not named:
        offered = _GOVERNMENT if own.home_region.startswith("us-gov-") else _COMMERCIAL
        named = [primary_region(connection), own.home_region, *offered]
    return tuple(dict.fromkeys(region for region in named if region))


def primary_region(connection: Connection) -> str:
    """Where a validation looks first: the log group's region, else the home region."""
    own = connection.settings
    return region_of_group(own.log_group_arn) or own.home_region
