"""Logs that are one JSON document instead of a record a line."""

import gzip
import json

import pytest

from tensorcost.domain.spend.limits import RejectReason
from tensorcost.providers.bedrock.invocation_log import (
    parse_object,
)
from tests.providers.bedrock.samples import (
    chunked,
    merged,
    record,
    settings,
)

GOOD = record()


@pytest.mark.parametrize("indent", [None, 1])
def test_a_json_array_of_records_reads_like_lines(indent: int | None) -> None:
    text = json.dumps([GOOD, {"odd": 1}, record(requestId="r3")], indent=indent).encode()
    for data in (text, gzip.compress(text)):
        ids, rejects, read = merged(parse_object(chunked(data), settings()))
        assert ids == [GOOD["requestId"], "r3"]
        assert (rejects, read) == ([(2, RejectReason.MISSING_FIELD)], 3)


def test_a_pretty_printed_record_is_one_record() -> None:
    ids, rejects, _ = merged(parse_object([json.dumps(GOOD, indent=2).encode()], settings()))
    assert (ids, rejects) == ([GOOD["requestId"]], [])


@pytest.mark.parametrize("cut", [30, 300])
def test_a_document_cut_short_is_one_reject(cut: int) -> None:
    for text in (json.dumps([GOOD, GOOD], indent=1), json.dumps(GOOD, indent=1)):
        ids, rejects, _ = merged(parse_object([text.encode()[:cut]], settings()))
        assert (ids, [reason for _, reason in rejects]) == ([], [RejectReason.NOT_JSON])
