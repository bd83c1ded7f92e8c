"""A tenant's own settings and branding."""

import re
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, Field, field_validator

from tensorcost.domain.identity.principal import Plan
from tensorcost.domain.ids import TenantId

_COLOUR: Final = re.compile(r"#[0-9a-fA-F]{6}")
_HOST: Final = re.compile(r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")
_SLUG_GAP: Final = re.compile(r"[^a-z0-9]+")


class Branding(BaseModel, frozen=True, extra="forbid"):
    """Shown in embedded dashboards and reports; every part is optional."""

    logo_url: str | None = Field(default=None, max_length=2000)
    primary_color: str | None = None
    accent_color: str | None = None
    custom_domain: str | None = None

    @field_validator("logo_url")
    @classmethod
    def _https(cls, value: str | None) -> str | None:
        if value is not None:
            parts = urlsplit(value)
            if parts.scheme != "https" or not parts.hostname or parts.username is not None:
                raise ValueError("a logo is an https address")
        return value

    @field_validator("primary_color", "accent_color")
    @classmethod
    def _colour(cls, value: str | None) -> str | None:
        if value is not None and not _COLOUR.fullmatch(value):
            raise ValueError("a colour looks like #1a2b3c")
        return value

    @field_validator("custom_domain")
    @classmethod
    def _host(cls, value: str | None) -> str | None:
        if value is not None and not _HOST.fullmatch(value):
            raise ValueError("a custom domain is a host name such as cost.example.com")
        return value


class Tenant(BaseModel, frozen=True):
    """A tenant as its members see it."""

    id: TenantId
    slug: str
    name: str
    plan: Plan
    status: str
    time_zone: str
    created_at: datetime
    updated_at: datetime


def check_time_zone(name: str) -> str:
    """``name`` when it is an IANA time zone; ValueError otherwise."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("not an IANA time zone such as Europe/Berlin") from error
    return name


def slug_of(name: str) -> str:
    """The slug that a name suggests: lower case letters, digits and hyphens, 2 to 63 of them."""
    slug = _SLUG_GAP.sub("-", name.lower()).strip("-")[:63].strip("-")
    return slug if len(slug) >= 2 else f"tenant-{slug}".strip("-")
