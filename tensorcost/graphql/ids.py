"""Global ids: opaque, with the type's name inside, so that any id can be asked for as a node."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from uuid import UUID

import strawberry

from tensorcost.domain.errors import ValidationFailed


@strawberry.interface(description="Anything that has an id of its own.")
class Node:
    id: strawberry.ID


def global_id(type_name: str, key: UUID | str) -> strawberry.ID:
    """The id of ``type_name``'s row ``key``."""
    return strawberry.ID(urlsafe_b64encode(f"{type_name}:{key}".encode()).rstrip(b"=").decode())


def split_id(value: str) -> tuple[str, str]:
    """Type name and key; ValidationFailed for anything that is none of our ids."""
    try:
        text = urlsafe_b64decode(value + "=" * (-len(value) % 4)).decode()
    except (ValueError, UnicodeError):
        text = ""
    type_name, colon, key = text.partition(":")
    if not (type_name and colon and key):
        raise ValidationFailed("not an id of ours", field="id")
    return type_name, key


def uuid_in(value: str, type_name: str, *, field: str = "id") -> UUID:
    """The key of an id of ``type_name``; a plain UUID, as REST spells it, is accepted too."""
    try:
        return UUID(value)
    except ValueError:
        pass
    found, key = split_id(value)
    try:
        parsed = UUID(key)
    except ValueError:
        parsed = None
    if found != type_name or parsed is None:
        raise ValidationFailed(f"not the id of a {type_name}", field=field)
    return parsed
