"""Values that bill files of several origins have in common."""

import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from tensorcost.domain.spend.limits import MAX_LABEL_LENGTH, RejectReason
from tensorcost.providers.exports.values import BadValue, plain, timestamp_us

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SCALES: Final = {"": 1, "K": 10**3, "M": 10**6, "B": 10**9}
_PRICING_UNIT: Final = re.compile(r"([\d.,]+)\s*([KMB]?)\b\s*(.*)", re.IGNORECASE)
_MAX_TAGS: Final = 200
_AI_SERVICE: Final = re.compile(
    r"bedrock|openai|foundry models|cognitive services|vertex ai|gemini|anthropic|claude"
    r"|generative ai|machine learning|sagemaker",
    re.IGNORECASE,
)
_SELLERS: Final = (
    (re.compile(r"bedrock", re.IGNORECASE), "bedrock"),
    (re.compile(r"azure openai|foundry models|cognitive services", re.IGNORECASE), "azure_openai"),
    (re.compile(r"vertex ai|gemini", re.IGNORECASE), "vertex"),
    (re.compile(r"openai", re.IGNORECASE), "openai"),
    (re.compile(r"anthropic", re.IGNORECASE), "anthropic"),
)


def moment_of(
    value: object, field: str, read: Callable[[object, str], int] = timestamp_us
) -> datetime:
    """An aware UTC time as ``read`` finds its microseconds; BadValue where there is none."""
    if plain(value) is None:
        raise BadValue(RejectReason.MISSING_FIELD, field)
    return _EPOCH + timedelta(microseconds=read(value, field))


def month_of(moment: datetime) -> date:
    return date(moment.year, moment.month, 1)


def is_ai_service(*names: str) -> bool:
    """Whether any of a line's service names speaks of AI."""
    return any(_AI_SERVICE.search(name) for name in names)


def seller_of(otherwise: str, *names: str) -> str:
    """The price list behind a line's service names, else ``otherwise``."""
    for pattern, seller in _SELLERS:
        if any(pattern.search(name) for name in names):
            return seller
    return otherwise


def scaled_unit(text: str) -> tuple[Decimal, str]:
    """``"10K"`` is ten thousand, ``"1000 Tokens"`` a thousand tokens, ``"Hours"`` one hour."""
    match = _PRICING_UNIT.fullmatch(text.strip())
    if match is None:
        return Decimal(1), text.strip()
    digits = match[1].replace(",", "").strip(".")
    number = Decimal(digits) if digits else Decimal(1)
    return number * _SCALES[match[2].upper()], match[3].strip()


def tags_of(value: object) -> tuple[tuple[str, str], ...]:
    """Tags sorted by key: a mapping, pairs, JSON, or JSON without its braces (Azure EA).

    Tags are labels, not money: what cannot be read or stored as text is left out.
    """
    if isinstance(value, str):
        value = _json_object(value.strip())
    if isinstance(value, list):
        value = dict(pair for pair in value if isinstance(pair, tuple) and len(pair) == 2)
    if not isinstance(value, dict):
        return ()
    pairs = ((_label(k), _label(v)) for k, v in value.items())
    return tuple(sorted({k: v for k, v in pairs if k}.items())[:_MAX_TAGS])


def _json_object(text: str) -> dict[str, Any]:
    if not text or text == "NULL":
        return {}
    try:
        decoded = json.loads(text if text.startswith("{") else "{" + text + "}")
    except (ValueError, RecursionError):
        return {}
    return decoded if isinstance(decoded, dict) else {}


def _label(value: object) -> str:
    if value is None:
        return ""
    text = str(value).strip().replace("\0", "")
    return text.encode(errors="ignore").decode()[:MAX_LABEL_LENGTH]
