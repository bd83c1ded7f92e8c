"""How a file's columns become our fields: ``--map``, ``--set`` and ``--cached`` (decisions 29)."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from tensorcost.domain.errors import ValidationFailed
from tensorcost.domain.spend.facts import UNKNOWN, ModelTier
from tensorcost.domain.spend.limits import TimeBounds
from tensorcost.providers.exports.time_format import check_time_format

TOKEN_FIELDS: Final = (
    "input_tokens",
    "cached_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
)
CANONICAL_FIELDS: Final = (
    "timestamp",
    "id",
    "source",
    "account_id",
    "region",
    "model_id",
    *TOKEN_FIELDS,
    "cost",
    "currency",
    "application",
    "team",
    "environment",
    "owner",
    "user",
    "agent",
    "workflow",
    "conversation_id",
    "session_id",
    "request_id",
    "latency_ms",
    "error_code",
)
PRICING_FIELDS: Final = (
    "provider",
    "service_tier",
    "routing_scope",
    "modality",
    "operation",
    "quantity",
    "unit",
)
"""Beyond decisions 29: without tier and scope a batch call would be priced as a standard one."""
FIELDS: Final = frozenset((*CANONICAL_FIELDS, *PRICING_FIELDS))

FamilyOf = Callable[[str], tuple[str, ModelTier]]
"""Family and tier of a model id."""


class CachedTokens(StrEnum):
    """Where a file counts tokens read from or written to a cache (trap 3)."""

    INCLUDED = "included"
    """``input_tokens`` is the whole prompt, as OpenAI and Google count."""
    BESIDE = "beside"
    """``input_tokens`` is only what was neither read nor written, as Anthropic counts."""


def no_family(_: str) -> tuple[str, ModelTier]:
    return UNKNOWN, ModelTier.UNKNOWN


@dataclass(frozen=True, slots=True)
class EventSpec:
    """What to read from where. A field that is neither mapped nor set is the column of its name."""

    bounds: TimeBounds
    mapping: Mapping[str, str] = field(default_factory=dict)
    """Our field to the file's column; a dotted column reaches into nested JSON."""
    constants: Mapping[str, str] = field(default_factory=dict)
    cached: CachedTokens = CachedTokens.BESIDE
    family_of: FamilyOf = no_family
    time_format: str = ""
    """Of ``timestamp``, as ``strptime`` takes it; without one, ISO and numbers since 1970."""

    def __post_init__(self) -> None:
        for name in (*self.mapping, *self.constants):
            if name not in FIELDS:
                known = ", ".join((*CANONICAL_FIELDS, *PRICING_FIELDS))
                raise ValidationFailed(f"unknown field {name}; known are {known}", field=name)
        for name in self.mapping:
            if name in self.constants:
                raise ValidationFailed(f"{name} is both mapped and set", field=name)
        if self.time_format:
            check_time_format(self.time_format)

    def columns(self) -> dict[str, str]:
        """Every field that is read from the file, and its column."""
        return {name: self.mapping.get(name, name) for name in FIELDS if name not in self.constants}


def parse_assignments(option: str, texts: Iterable[str]) -> dict[str, str]:
    """``["model_id=main_model"]`` to a dict. Raises ValidationFailed naming the option."""
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        name, value = name.strip(), value.strip()
        if not equals or not name or not value:
            raise ValidationFailed(f"{option} takes field=value, not {text!r}", field=option)
        if name in found:
            raise ValidationFailed(f"{option} names {name} twice", field=option)
        found[name] = value
    return found
