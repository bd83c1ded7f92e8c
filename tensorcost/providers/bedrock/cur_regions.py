"""Billing prefixes of usage types. They cannot be derived from region names, hence a table."""

import re
from typing import Final

_PREFIXES: Final = {
    "USE1": "us-east-1",
    "USE2": "us-east-2",
    "USW1": "us-west-1",
    "USW2": "us-west-2",
    "UGW1": "us-gov-west-1",
    "UGE1": "us-gov-east-1",
    "CAN1": "ca-central-1",
    "CAN2": "ca-west-1",
    "MXC1": "mx-central-1",
    "SAE1": "sa-east-1",
    "EU": "eu-west-1",
    "EUW1": "eu-west-1",
    "EUW2": "eu-west-2",
    "EUW3": "eu-west-3",
    "EUC1": "eu-central-1",
    "EUC2": "eu-central-2",
    "EUN1": "eu-north-1",
    "EUS1": "eu-south-1",
    "EUS2": "eu-south-2",
    "APE1": "ap-east-1",
    "APE2": "ap-east-2",
    "APN1": "ap-northeast-1",
    "APN2": "ap-northeast-2",
    "APN3": "ap-northeast-3",
    "APS1": "ap-southeast-1",
    "APS2": "ap-southeast-2",
    "APS3": "ap-south-1",
    "APS4": "ap-southeast-3",
    "APS5": "ap-south-2",
    "APS6": "ap-southeast-4",
    "APS7": "ap-southeast-5",
    "APS9": "ap-southeast-7",
    "AFS1": "af-south-1",
    "ILC1": "il-central-1",
    "MEC1": "me-central-1",
    "MES1": "me-south-1",
    "CNN1": "cn-north-1",
    "CNW1": "cn-northwest-1",
}
_HEAD: Final = re.compile(r"([A-Z]{2,3}\d?)-(?=.)")


def split_region(usage_type: str) -> tuple[str, str]:
    """(region, rest) of a usage type; ("", usage type) when it has no known prefix."""
    head = _HEAD.match(usage_type)
    if head is None or head[1] not in _PREFIXES:
        return "", usage_type
    return _PREFIXES[head[1]], usage_type[head.end() :]
