"""Times in a form that the importer names, such as ``%d/%m/%Y %H:%M`` (``--time-format``)."""

from datetime import UTC, datetime
from typing import Final

from tensorcost.domain.errors import ValidationFailed
from tensorcost.domain.spend.limits import RejectReason, to_us
from tensorcost.providers.exports.values import BadValue

_SAMPLE: Final = datetime(2023, 11, 16, 13, 14, 15, 161_718, tzinfo=UTC)
_PRECISIONS: Final = (
    _SAMPLE,
    _SAMPLE.replace(microsecond=0),
    _SAMPLE.replace(second=0, microsecond=0),
    _SAMPLE.replace(minute=0, second=0, microsecond=0),
    _SAMPLE.replace(hour=0, minute=0, second=0, microsecond=0),
)


def check_time_format(form: str) -> None:
    """Raises ValidationFailed for a form that does not say the whole date, or reads 13 h as 1 h.

    ``%Z`` is refused: what its abbreviations mean depends on the machine; ``%z`` is an offset.
    """
    try:
        known = "%Z" not in form and _read(_SAMPLE.strftime(form), form) in _PRECISIONS
    except ValueError:
        known = False
    if not known:
        raise ValidationFailed(
            f"--time-format names year, month and day, as %d/%m/%Y or %m/%d/%Y %H:%M, not {form!r}",
            field="time_format",
        )


def formatted_us(value: object, form: str) -> int:
    """Microseconds since the epoch; without an offset the time is UTC."""
    try:
        if isinstance(value, str):
            return to_us(_read(value.strip(), form))
    except (ValueError, OverflowError):
        pass
    raise BadValue(RejectReason.BAD_TIMESTAMP, f"timestamp is not a time of the form {form}")


def _read(text: str, form: str) -> datetime:
    moment = datetime.strptime(text, form)  # noqa: DTZ007 - the form may name no offset
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
