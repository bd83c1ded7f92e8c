"""Values of a foreign file to ours. Every function raises BadValue with the reject reason."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from typing import Final

from tensorcost.domain.money import INT64_MAX, nano_from_decimal
from tensorcost.domain.spend.limits import MAX_LABEL_LENGTH, RejectReason, to_us

_ISO: Final = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})"
    r"(?:[T ]+(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?)?"
    r"\s*(Z|z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?"
)
_SLASHED: Final = re.compile(
    r"(\d{1,2})/(\d{1,2})/(\d{4})"
    r"(?:[ T]+(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?\s*([AaPp][Mm])?)?"
)
_NUMBER: Final = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_DIGITS: Final = re.compile(r"[0-9]{1,18}")
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_EPOCH_UNITS: Final = ((10**11, 10**6), (10**14, 10**3), (10**17, 1))
"""Magnitude below which a number counts seconds, milliseconds, microseconds; else nanoseconds."""
_NULLS: Final = frozenset({"", "NULL", "null"})
TIME_FORMS: Final = "ISO 8601, as 2026-10-05T14:30:00Z, and numbers since 1970 are read"
"""What ``timestamp_us`` takes, for whoever gave something else."""


class BadValue(Exception):
    """A value that cannot be taken: the reject reason and what is wrong with which field."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def plain(value: object) -> object | None:
    """``value``, or None where the file says that there is none."""
    if isinstance(value, str):
        value = value.strip()
        return None if value in _NULLS else value
    return value


def timestamp_us(value: object, field: str = "timestamp") -> int:
    """Microseconds since the epoch of an ISO time or a number since the epoch.

    A time without zone is UTC; digits beyond microseconds are cut off. ``05/10/2026`` is May
    for some and October for others: it is refused, never guessed.
    """
    slashed = isinstance(value, str) and _SLASHED.match(value.strip())
    problem = "may have the day or the month first" if slashed else "is not a time"
    return _time_us(value, field, _text_us, f"{problem}; {TIME_FORMS}")


def us_timestamp_us(value: object, field: str) -> int:
    """The same, and ``M/D/YYYY``: for files whose format says that the month comes first."""
    return _time_us(value, field, _us_text_us, f"is not a time; M/D/YYYY, {TIME_FORMS}")


def _time_us(value: object, field: str, read: Callable[[str], int], problem: str) -> int:
    if isinstance(value, datetime):
        return to_us(value if value.tzinfo else value.replace(tzinfo=UTC))
    try:
        if isinstance(value, int | Decimal | float) and not isinstance(value, bool):
            return _epoch_us(Decimal(repr(value) if isinstance(value, float) else value))
        if isinstance(value, str):
            return read(value.strip())
    except (ValueError, OverflowError, InvalidOperation):
        pass
    raise BadValue(RejectReason.BAD_TIMESTAMP, f"{field} {problem}")


def whole_number(value: object, field: str) -> int:
    """An integer of any sign; ``12.0`` is one, ``12.5`` is not."""
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        return int(value)
    number = decimal_of(value, field, RejectReason.WRONG_TYPE)
    if number != number.to_integral_value():
        raise BadValue(RejectReason.WRONG_TYPE, f"{field} is not a whole number")
    if abs(number) > INT64_MAX:
        raise BadValue(RejectReason.ABSURD_TOKENS, f"{field} is beyond 64 bits")
    return int(number)


def decimal_of(value: object, field: str, reason: str = RejectReason.BAD_AMOUNT) -> Decimal:
    """An exact decimal; a float is read as its shortest decimal form."""
    if not isinstance(value, bool):
        try:
            number = Decimal(repr(value) if isinstance(value, float) else value)  # type: ignore[arg-type]
            if number.is_finite() and abs(number.adjusted()) < 100:
                return number
        except (InvalidOperation, TypeError, ValueError):
            pass
    raise BadValue(reason, f"{field} is not a number")


def nano_of(value: object, field: str) -> int:
    """Nano-units of an amount in whole currency units, half-even."""
    amount = decimal_of(value, field)
    try:
        return nano_from_decimal(amount)
    except ValueError:
        raise BadValue(RejectReason.BAD_AMOUNT, f"{field} is out of range") from None


def micro_of(amount: Decimal, field: str) -> int:
    """A quantity times 10^6, half-even."""
    micro = round(amount * 1_000_000)
    if abs(micro) > INT64_MAX:
        raise BadValue(RejectReason.BAD_AMOUNT, f"{field} is out of range")
    return micro


def currency_of(value: object, field: str = "currency") -> str:
    code = text_of(value, field).upper()
    if not _CURRENCY.fullmatch(code):
        raise BadValue(RejectReason.WRONG_TYPE, f"{field} is not a three-letter code")
    return code


def text_of(value: object, field: str, limit: int = MAX_LABEL_LENGTH) -> str:
    """Text that a database can hold: no NUL, no half of a surrogate pair, not too long."""
    if isinstance(value, dict | list | bool):
        raise BadValue(RejectReason.WRONG_TYPE, f"{field} is not text")
    text = str(value).strip()
    if "\0" in text or not _is_encodable(text):
        raise BadValue(RejectReason.WRONG_TYPE, f"{field} holds characters that are not text")
    if len(text) > limit:
        raise BadValue(RejectReason.WRONG_TYPE, f"{field} is longer than {limit} characters")
    return text


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _text_us(text: str) -> int:
    if match := _ISO.fullmatch(text):
        year, month, day, hour, minute, second, fraction, zone = match.groups()
        moment = datetime(
            int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0),
            tzinfo=_zone(zone),
        )  # fmt: skip
        return to_us(moment) + _fraction_us(fraction)
    if _NUMBER.fullmatch(text):
        return _epoch_us(Decimal(text))
    raise ValueError(text)


def _us_text_us(text: str) -> int:
    if match := _SLASHED.fullmatch(text):
        month, day, year, hour, minute, second, fraction, half = match.groups()
        moment = datetime(
            int(year), int(month), int(day), _hour(hour, half), int(minute or 0), int(second or 0),
            tzinfo=UTC,
        )  # fmt: skip
        return to_us(moment) + _fraction_us(fraction)
    return _text_us(text)


def _epoch_us(number: Decimal) -> int:
    if not number.is_finite() or abs(number) >= 10**20:
        raise ValueError("not an epoch time")
    for below, factor in _EPOCH_UNITS:
        if abs(number) < below:
            return int(number * factor)
    return int(number // 1000)


def _fraction_us(digits: str | None) -> int:
    return int((digits or "0")[:6].ljust(6, "0"))


def _zone(text: str | None) -> timezone:
    if not text or text in ("Z", "z", "UTC", "GMT"):
        return UTC
    minutes = int(text[1:3]) * 60 + int(text[3:].lstrip(":") or 0)
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))


def _hour(text: str | None, half: str | None) -> int:
    hour = int(text or 0)
    if half is None:
        return hour
    if not 1 <= hour <= 12:
        raise ValueError("not an hour of a twelve-hour clock")
    return hour % 12 + (12 if half.lower() == "pm" else 0)
