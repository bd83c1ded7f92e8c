from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorcost.domain.errors import ValidationFailed
from tensorcost.domain.spend.limits import RejectReason, to_us
from tensorcost.providers.exports.bill_values import scaled_unit, tags_of
from tensorcost.providers.exports.time_format import check_time_format, formatted_us
from tensorcost.providers.exports.values import (
    BadValue,
    currency_of,
    decimal_of,
    nano_of,
    plain,
    text_of,
    timestamp_us,
    us_timestamp_us,
    whole_number,
)

NOON = to_us(datetime(2023, 11, 16, 12, tzinfo=UTC))


@pytest.mark.parametrize(
    ("text", "offset_us"),
    [
        ("2023-11-16 12:00:00.1234567", 123_456),
        ("2023-11-16T12:00:00Z", 0),
        ("2023-11-16T12:00Z", 0),
        ("2023-11-16T12:00:00,5", 500_000),
        ("2023-11-16T14:30:00+02:30", 0),
        ("2023-11-16T07:00:00-0500", 0),
        ("2023-11-16T12:00:00 UTC", 0),
        ("1700136000", 0),
        ("1700136000.25", 250_000),
        ("1700136000123", 123_000),
        ("1700136000123456", 123_456),
        ("1700136000123456789", 123_456),
    ],
)
def test_a_time_is_read_in_the_forms_that_files_use(text: str, offset_us: int) -> None:
    assert timestamp_us(text) == NOON + offset_us


@pytest.mark.parametrize("value", [1700136000, Decimal("1700136000.0"), 1700136000.0])
def test_a_number_of_seconds_is_a_time_in_every_numeric_type(value: object) -> None:
    assert timestamp_us(value) == NOON


@pytest.mark.parametrize(
    ("text", "offset_us"),
    [
        ("11/16/2023 12:00", 0),
        ("11/16/2023 12:00:01 PM", 1_000_000),
        ("11/16/2023 12:00:00 AM", -12 * 3600 * 10**6),
        ("2023-11-16T12:00:00Z", 0),
    ],
)
def test_month_first_is_read_where_the_format_says_so(text: str, offset_us: int) -> None:
    assert us_timestamp_us(text, "date") == NOON + offset_us


def test_a_date_is_its_midnight_in_both_spellings() -> None:
    assert us_timestamp_us("9/2/2023", "date") == timestamp_us("2023-09-02")


@pytest.mark.parametrize("text", ["05/10/2026", "13/10/2026", "5/10/2026 6:15 PM"])
def test_which_of_day_and_month_comes_first_is_never_guessed(text: str) -> None:
    with pytest.raises(BadValue, match="day or the month first; ISO 8601, as 2026") as caught:
        timestamp_us(text)
    assert caught.value.reason == RejectReason.BAD_TIMESTAMP
    assert text not in caught.value.detail, "a defect names a place, never the content"


@pytest.mark.parametrize(
    ("form", "text", "iso"),
    [
        ("%d/%m/%Y", "05/10/2026", "2026-10-05"),
        ("%d/%m/%Y", "5/10/2026", "2026-10-05"),
        ("%m/%d/%Y %I:%M %p", "05/10/2026 06:15 PM", "2026-05-10T18:15"),
        ("%d.%m.%y %H:%M:%S %z", "05.10.26 02:00:00 +0200", "2026-10-05"),
    ],
)
def test_a_named_form_says_it(form: str, text: str, iso: str) -> None:
    check_time_format(form)
    assert formatted_us(text, form) == timestamp_us(iso)


@pytest.mark.parametrize("value", ["13/13/2026", "2026-10-05", "", 1_700_136_000, None])
def test_a_named_form_is_the_only_one(value: object) -> None:
    with pytest.raises(BadValue, match=r"not a time of the form %d/%m/%Y"):
        formatted_us(value, "%d/%m/%Y")


@pytest.mark.parametrize(
    "form",
    ["", "DD/MM/YYYY", "%d/%m", "%H:%M", "%d/%m/%Y %I:%M", "%d/%m/%Y %Z", "%", "%d/%m/%Y %Q"],
)
def test_a_form_that_would_lose_part_of_the_time_is_refused(form: str) -> None:
    with pytest.raises(ValidationFailed, match="--time-format names year, month and day"):
        check_time_format(form)


@pytest.mark.parametrize(
    "value",
    ["yesterday", "2023-13-01", "16/11/2023", "11/16/2023", "2023-11-16T25:00:00Z", "",
     True, None, [], "1e40", "2023-11-16T12:00:61Z"],
)  # fmt: skip
def test_what_is_no_time_is_refused_as_such(value: object) -> None:
    with pytest.raises(BadValue) as caught:
        timestamp_us(value)
    assert caught.value.reason == RejectReason.BAD_TIMESTAMP


@given(st.datetimes(datetime(2015, 1, 1), datetime(2030, 1, 1)))
def test_iso_text_comes_back_to_the_microsecond(moment: datetime) -> None:
    aware = moment.replace(tzinfo=UTC)
    assert timestamp_us(aware.isoformat()) == to_us(aware)
    assert timestamp_us(moment.isoformat(sep=" ")) == to_us(aware)
    shifted = aware.astimezone(UTC) + timedelta(hours=0)
    assert timestamp_us(shifted) == to_us(aware)


@pytest.mark.parametrize(
    ("value", "number"), [("12", 12), (12, 12), ("12.0", 12), (Decimal("1.2e1"), 12), ("-3", -3)]
)
def test_whole_numbers_are_read_exactly(value: object, number: int) -> None:
    assert whole_number(value, "input_tokens") == number


@pytest.mark.parametrize("value", ["12.5", "many", "NaN", True, "1,000", [], "Infinity"])
def test_what_is_no_whole_number_is_of_the_wrong_type(value: object) -> None:
    with pytest.raises(BadValue) as caught:
        whole_number(value, "input_tokens")
    assert caught.value.reason == RejectReason.WRONG_TYPE
    assert "input_tokens" in caught.value.detail


def test_a_number_beyond_64_bits_is_absurd() -> None:
    with pytest.raises(BadValue) as caught:
        whole_number("99999999999999999999", "output_tokens")
    assert caught.value.reason == RejectReason.ABSURD_TOKENS


def test_amounts_are_exact_and_rounded_half_even_once() -> None:
    assert nano_of("0.0000000005", "cost") == 0
    assert nano_of("0.0000000015", "cost") == 2
    assert nano_of("5.64902E-05", "cost") == 56_490
    assert nano_of(0.1, "cost") == 100_000_000
    assert nano_of("-1.5", "cost") == -1_500_000_000


@pytest.mark.parametrize("value", ["free", "1e30", "NaN", "1e-500000", True])
def test_what_is_no_amount_is_refused(value: object) -> None:
    with pytest.raises(BadValue) as caught:
        nano_of(value, "cost")
    assert caught.value.reason == RejectReason.BAD_AMOUNT


def test_a_float_is_read_as_its_shortest_decimal_form() -> None:
    assert decimal_of(0.1 + 0.2, "quantity") == Decimal("0.30000000000000004")


def test_currencies_are_three_letters() -> None:
    assert currency_of("cad") == "CAD"
    with pytest.raises(BadValue):
        currency_of("dollars")


@pytest.mark.parametrize("text", ["a\0b", "half \ud800", "x" * 257, {"a": 1}, True])
def test_text_that_a_database_cannot_hold_is_refused(text: object) -> None:
    with pytest.raises(BadValue) as caught:
        text_of(text, "team")
    assert caught.value.reason == RejectReason.WRONG_TYPE


@pytest.mark.parametrize("nothing", ["", "  ", "NULL", "null", None])
def test_the_ways_to_say_nothing_mean_nothing(nothing: object) -> None:
    assert plain(nothing) is None


@pytest.mark.parametrize(
    ("text", "scale", "unit"),
    [
        ("10K", 10_000, ""), ("1 GB", 1, "GB"), ("100 Hours", 100, "Hours"), ("1M", 10**6, ""),
        ("1000 Tokens", 1000, "Tokens"), ("1K Tokens", 1000, "Tokens"), ("Hours", 1, "Hours"),
        ("GB-Months", 1, "GB-Months"), ("1,000 Requests", 1000, "Requests"), ("", 1, ""),
        ("1 Minute", 1, "Minute"),
    ],
)  # fmt: skip
def test_the_number_in_a_unit_of_measure_scales_the_quantity(
    text: str, scale: int, unit: str
) -> None:
    assert scaled_unit(text) == (Decimal(scale), unit)


@pytest.mark.parametrize(
    "value",
    ['{"team": "care", "env": "prod"}', '"team": "care","env": "prod"',
     {"env": "prod", "team": "care"}, [("team", "care"), ("env", "prod")]],
)  # fmt: skip
def test_tags_are_read_with_braces_without_and_as_a_mapping(value: object) -> None:
    assert tags_of(value) == (("env", "prod"), ("team", "care"))


@pytest.mark.parametrize("value", ["NULL", "", None, "not json", '"a"', "[" * 100_000, 7])
def test_tags_that_cannot_be_read_are_left_out(value: object) -> None:
    assert tags_of(value) == ()
