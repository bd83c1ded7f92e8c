"""Secrets that we make and keep for a tenant, by kind: one table, read by whoever makes, uses or
rotates them."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class StoredSecretKind(StrEnum):
    """What a stored secret is for. A new kind also gets its line in ``STORED_SECRETS``."""

    CONTENT_HASH = "content_hash"


@dataclass(frozen=True, slots=True)
class StoredSecretSpec:
    """How a secret of a kind is made, and what people are told of it."""

    size: int
    """Random bytes."""
    purpose: str
    consequence: str
    """What no longer works once the earlier one is destroyed."""


STORED_SECRETS: Final[Mapping[StoredSecretKind, StoredSecretSpec]] = MappingProxyType(
    {
        StoredSecretKind.CONTENT_HASH: StoredSecretSpec(
            size=32,
            purpose="key of the hashes of prompts, responses and prefixes",
            consequence="Equal prompts before and after the rotation no longer compare as equal. "
            "No cost, count or row changes.",
        ),
    }
)
