"""ExternalIds: what makes a role answer to us and to nobody who merely knows its name."""

import base64
import re
from typing import Final

from tensorcost.domain.errors import ValidationFailed

MAX_LENGTH: Final = 39
"""The role is named after it, and an IAM role name has 64 characters (decisions 22)."""
RANDOM_BYTES: Final = 20
_PREFIX: Final = "tc-"
_VALID: Final = re.compile(r"[\w+=,.@-]{2,39}", re.ASCII)


def new_external_id(random: bytes) -> str:
    """An id from at least 16 random bytes; the first 20 count. ValueError for fewer."""
    if len(random) < 16:
        raise ValueError("an ExternalId needs at least 16 random bytes")
    text = base64.b32encode(random[:RANDOM_BYTES]).decode().rstrip("=").lower()
    return f"{_PREFIX}{text}"


def check_external_id(value: str) -> str:
    """``value`` when IAM would take it in a role name too; ValidationFailed otherwise."""
    if not _VALID.fullmatch(value):
        raise ValidationFailed(
            f"an ExternalId has 2 to {MAX_LENGTH} of the characters A-Z a-z 0-9 _ + = , . @ -",
            field="external_id",
        )
    return value
