import gzip
import io
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensorcost.domain.spend.limits import RejectReason
from tensorcost.providers.bedrock.cur import (
    is_incomplete,
    parse_csv,
    parse_parquet,
)
from tests.providers.bedrock.cur_files import LEGACY, PARSE, as_csv, collect, parquet, read, row
from tests.providers.bedrock.samples import chunked


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"line_item_usage_account_id": "12345678901234"}, RejectReason.BAD_ACCOUNT),
        ({"line_item_unblended_cost": "seven"}, RejectReason.BAD_AMOUNT),
        ({"line_item_unblended_cost": "NaN"}, RejectReason.BAD_AMOUNT),
        ({"line_item_unblended_cost": "1e40"}, RejectReason.BAD_AMOUNT),
        ({"line_item_usage_amount": "1e18"}, RejectReason.BAD_AMOUNT),
        ({"line_item_usage_start_date": "soon"}, RejectReason.BAD_TIMESTAMP),
        ({"line_item_usage_start_date": ""}, RejectReason.BAD_TIMESTAMP),
        ({"line_item_usage_start_date": "1999-01-01T00:00:00Z"}, RejectReason.TOO_OLD),
        ({"line_item_usage_start_date": "2031-01-01T00:00:00Z"}, RejectReason.IN_THE_FUTURE),
    ],
)
def test_bad_rows_are_rejected_with_their_number_and_the_rest_goes_on(
    changes: dict[str, str], reason: str
) -> None:
    lines, rejects, count = read(row(), row(**changes), row())
    assert [line.line_no for line in lines] == [1, 3]
    assert [(r.position, r.reason) for r in rejects] == [(2, reason)]
    assert count == 3
    assert not is_incomplete(rejects)


def test_a_row_with_missing_cells_is_rejected() -> None:
    data = as_csv([row()]) + b"Usage,AWS\n" + as_csv([row()]).partition(b"\n")[2]
    lines, rejects, count = collect(parse_csv([data], PARSE))
    assert (len(lines), count) == (2, 3)
    assert [(r.position, r.reason) for r in rejects] == [(2, RejectReason.WRONG_TYPE)]
    assert not is_incomplete(rejects)


@pytest.mark.parametrize("end", [b"\n", b""])
@pytest.mark.parametrize("last", [b"Usage,AWS", b'"Usage', b'"Usage\nAWS\n'])
def test_a_file_that_ends_within_a_row_is_torn(last: bytes, end: bytes) -> None:
    data = as_csv([row(), row()]) + last + end
    lines, (reject,), count = collect(parse_csv([data], PARSE))
    assert (len(lines), count) == (2, 3)
    assert (reject.position, reject.reason) == (3, RejectReason.TRUNCATED_CSV)
    assert is_incomplete([reject])


@pytest.mark.parametrize("cut", [3, 4])
def test_a_quote_that_is_not_closed_in_the_last_cell_is_a_tear(cut: int) -> None:
    whole = as_csv([row(), row(resource_tags='{"user_team": "care"}')])
    _, rejects, _ = collect(parse_csv([whole[:-cut]], PARSE))
    assert [reject.reason for reject in rejects] == [RejectReason.TRUNCATED_CSV]


@pytest.mark.parametrize("spoil", [b'"', b"\xff\xfe"])
def test_what_cannot_be_read_on_from_the_middle_is_torn(spoil: bytes) -> None:
    head, *lines = as_csv([row()] * 20_000).splitlines(keepends=True)
    data = b"".join([head, *lines[:15_000], spoil, *lines[15_000:]])
    found, rejects, count = collect(parse_csv(chunked(data), PARSE))
    assert 0 < len(found) < 20_000
    assert is_incomplete(rejects)
    assert count >= len(found) + len(rejects)


@pytest.mark.parametrize("product", ["AmazonBedrock", "AmazonEC2"])
def test_a_row_without_a_currency_is_rejected_and_never_taken_for_dollars(product: str) -> None:
    spoilt = row(line_item_currency_code="", line_item_product_code=product)
    lines, (reject,), _ = read(row(), spoilt)
    assert [line.currency for line in lines] == ["USD"]
    assert (reject.position, reject.reason) == (2, RejectReason.MISSING_FIELD)
    assert reject.detail == "line_item_currency_code"


@pytest.mark.parametrize("legacy", [False, True])
def test_a_file_without_the_currency_column_is_rejected_as_a_whole(legacy: bool) -> None:
    one = {name: cell for name, cell in row().items() if name != "line_item_currency_code"}
    data = LEGACY.replace(b"lineItem/CurrencyCode", b"lineItem/Other") if legacy else as_csv([one])
    lines, (reject,), _ = collect(parse_csv([data], PARSE))
    assert lines == []
    assert (reject.position, reject.reason) == (0, RejectReason.MISSING_FIELD)
    assert reject.detail == "line_item_currency_code"


def test_a_file_without_the_cost_column_is_rejected_as_a_whole() -> None:
    lines, rejects, _ = collect(parse_csv([b"a,b\n1,2\n"], PARSE))
    assert (lines, [(r.position, r.reason) for r in rejects]) == (
        [],
        [(0, RejectReason.MISSING_FIELD)],
    )
    assert is_incomplete(rejects)


MANY = as_csv(row(line_item_unblended_cost=f"0.{n:04d}", note="x" * (n % 90)) for n in range(400))
TORN = gzip.compress(MANY)


@given(cut=st.integers(0, len(TORN) - 1))
@settings(max_examples=60)
def test_a_truncated_csv_keeps_the_whole_rows_before_the_tear(cut: int) -> None:
    lines, rejects, _ = collect(parse_csv(chunked(TORN[:cut], 500), PARSE))
    assert [line.unblended_nano for line in lines] == [n * 100_000 for n in range(len(lines))]
    assert is_incomplete(rejects)
    assert len(rejects) == 1


@pytest.mark.parametrize("cut", [0, 3, 100, -1, -9, -200])
def test_a_half_written_parquet_is_one_reject(cut: int) -> None:
    lines, rejects, _ = collect(parse_parquet(io.BytesIO(parquet()[:cut]), PARSE))
    assert (lines, [r.reason for r in rejects]) == ([], [RejectReason.NOT_PARQUET])
    assert is_incomplete(rejects)


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("line_item_unblended_cost", pa.array([True])),
        ("line_item_unblended_cost", pa.array([[1.5]])),
        ("line_item_unblended_cost", pa.array(["17.16"])),
        ("line_item_usage_amount", pa.array([datetime(2026, 11, 1, tzinfo=UTC)])),
        ("line_item_usage_account_id", pa.array([111122223333])),
        ("line_item_usage_start_date", pa.array([20261101])),
    ],
)
def test_a_parquet_column_of_another_type_spoils_the_part(column: str, values: pa.Array) -> None:
    one = row(line_item_usage_amount=5200, line_item_unblended_cost=17.16)
    table = pa.Table.from_pylist([one])
    out = io.BytesIO()
    pq.write_table(table.set_column(table.schema.get_field_index(column), column, values), out)
    lines, (reject,), _ = collect(parse_parquet(out, PARSE))
    assert lines == []
    assert (reject.reason, reject.position) == (RejectReason.WRONG_TYPE, 0)
    assert reject.detail.startswith(f"{column} is ")
    assert is_incomplete([reject])
