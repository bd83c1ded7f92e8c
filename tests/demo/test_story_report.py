"""The last line of standard output has the published keys, whatever happened."""

from decimal import Decimal

import orjson

from demo.story.board import StageReport
from demo.story.questions import Answer, Part, Sums, Unpriced
from demo.story.report import Findings, as_json, count_rows

KEYS = {
    *("schema", "ok", "stages", "connections", "rows", "total_usd"),
    *("by_model", "unpriced", "invoice", "findings"),
}
ROWS = {"request", "metric", "bill", "duplicate", "rejected"}


def told(cost: str, requests: int) -> Sums:
    money = Decimal(cost)
    return Sums(money, requests, 2, 30, {"request": Part(money, requests)})


def test_a_story_that_failed_early_has_every_key() -> None:
    value = as_json([StageReport("servers", False, 1.23456, "no disk")], Findings(), ok=False)
    assert value.keys() == KEYS
    assert value["rows"] == dict.fromkeys(ROWS, 0)
    assert value["stages"] == [
        {"name": "servers", "ok": False, "seconds": 1.23, "detail": "no disk"}
    ]
    assert orjson.loads(orjson.dumps(value))["ok"] is False


def test_money_is_exact_text_and_the_dearest_model_comes_first() -> None:
    answer = Answer(
        total=told("12.000000001", 7),
        beside=frozenset(),
        unpriced=frozenset({Unpriced("m-9", "unknown_model", 2, 30)}),
        groups={"model": {"cheap": told("2", 3), "dear": told("10.000000001", 4)}},
    )
    value = as_json([], Findings(answer=answer, rows={"request": 7}), ok=True)
    assert value["total_usd"] == "12.000000001"
    assert [row["model"] for row in value["by_model"]] == ["dear", "cheap"]
    assert value["unpriced"]["models"][0]["model"] == "m-9"
    assert value["rows"]["request"] == 7


def test_rows_are_counted_by_the_grain_of_their_source() -> None:
    sources = (
        ("invocation_logs_s3", 5),
        ("invocation_logs_cloudwatch", 2),
        ("cloudwatch_metrics", 3),
        ("cost_and_usage_report", 4),
        ("inference_profiles", 9),
    )
    steps = [{"source": source, "rows_accepted": rows} for source, rows in sources]
    run = {"rows_duplicate": 1, "rows_rejected": 6}
    assert count_rows(run, steps) == {
        "request": 7,
        "metric": 3,
        "bill": 4,
        "duplicate": 1,
        "rejected": 6,
    }
