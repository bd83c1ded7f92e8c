"""The end of the story: one JSON object for machines, a short summary for people."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from demo.story.api import Json
from demo.story.board import StageReport
from demo.story.invoice import Invoice
from demo.story.invoice_report import coverage_table, dollars, invoice_facts, invoice_json
from demo.story.questions import Answer, Sums
from demo.story.reconciling import Restatement

SCHEMA = "tensorcost.demo/1"
TOP_MODELS = 6
_GRAIN_OF_SOURCE = {
    "invocation_logs_s3": "request",
    "invocation_logs_cloudwatch": "request",
    "cloudwatch_metrics": "metric",
    "cost_and_usage_report": "bill",
}


@dataclass(slots=True)
class Findings:
    """What the demo found out, filled stage by stage."""

    connection: Json = field(default_factory=dict)
    accounts: list[Json] = field(default_factory=list)
    rows: dict[str, int] = field(default_factory=dict)
    answer: Answer | None = None
    """Estimates."""
    invoice: Invoice | None = None
    restated: Restatement | None = None
    places: list[Json] = field(default_factory=list)
    """Accounts and regions by coverage."""
    open: list[Json] = field(default_factory=list)


def count_rows(run: Json, steps: Iterable[Json]) -> dict[str, int]:
    """Accepted rows by grain, as the run's steps tell them, and what was not accepted."""
    rows = dict.fromkeys(("request", "metric", "bill"), 0)
    for step in steps:
        if grain := _GRAIN_OF_SOURCE.get(step["source"]):
            rows[grain] += step["rows_accepted"]
    return rows | {"duplicate": run["rows_duplicate"], "rejected": run["rows_rejected"]}


def as_json(stages: list[StageReport], found: Findings, *, ok: bool) -> Json:
    """The object of decision 30. Money is decimal text; totals and models are by list price."""
    answer, invoice = found.answer, found.invoice
    return {
        "schema": SCHEMA,
        "ok": ok,
        "stages": [stage.plain() for stage in stages],
        "connections": [_connection(found)] if found.connection else [],
        "rows": {
            name: found.rows.get(name, 0)
            for name in ("request", "metric", "bill", "duplicate", "rejected")
        },
        "total_usd": _usd(answer.total.cost) if answer else None,
        "by_model": [] if answer is None else [_model(*row) for row in _by_cost(answer)],
        "unpriced": _unpriced(answer),
        "invoice": None if invoice is None else invoice_json(invoice, found.restated),
        "findings": [
            {
                name: one[name]
                for name in ("code", "severity", "subject", "title", "remedy", "first_seen_at")
            }
            for one in found.open
        ],
    }


def print_json(value: Json) -> None:
    """The last line of standard output."""
    sys.stdout.write(orjson.dumps(value).decode() + "\n")
    sys.stdout.flush()


def show(console: Console, found: Findings) -> None:
    """The summary for people."""
    answer = found.answer
    if answer is None:
        return
    console.rule("Where did the money go", style="dim")
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="bold")
    facts.add_column()
    for name, text in _facts(found, answer):
        facts.add_row(name, Text(text))
    console.print(facts)
    console.print(_top_models(answer))
    if found.places:
        console.print(coverage_table(found.places))
    for one in found.open:
        mark = {"error": "red", "warning": "yellow"}.get(one["severity"], "dim")
        where = f" [{one['subject']}]" if one["subject"] else ""
        console.print(
            Text.assemble((f"• {one['severity']:<8}", mark), one["title"], (where, "dim")),
            soft_wrap=True,
        )


def _facts(found: Findings, answer: Answer) -> Iterable[tuple[str, str]]:
    rows, total = found.rows, answer.total
    covered = [one for one in found.accounts if one["coverage"] == "covered"]
    yield (
        "connected",
        f"{found.connection.get('name')} ({found.connection.get('mode')}), "
        f"{len(covered)} of {len(found.accounts)} accounts covered",
    )
    yield (
        "rows",
        f"{rows['request']:,} calls from logs, {rows['metric']:,} metric rows, "
        f"{rows['bill']:,} bill lines; {rows['duplicate']:,} duplicate, "
        f"{rows['rejected']:,} rejected",
    )
    if found.invoice is not None:
        yield from invoice_facts(found.invoice, found.restated)
    parts = ", ".join(
        f"{dollars(part.cost)} {word}"
        for grain, word in (
            ("request", "logged"),
            ("metric", "only counted"),
            ("bill", "only billed"),
        )
        if (part := total.grains.get(grain)) is not None
    )
    yield "list price", f"{dollars(total.cost)} ({parts})"
    models = ", ".join(sorted({one.model for one in answer.unpriced}))
    yield (
        "unpriced",
        f"{total.unpriced_requests:,} calls, {total.unpriced_tokens:,} tokens"
        + (f": {models}" if models else ""),
    )
    yield "findings", f"{len(found.open)} open"


def _top_models(answer: Answer) -> Table:
    table = Table("model", "calls", "list price", box=None, padding=(0, 2), header_style="dim")
    table.columns[1].justify = table.columns[2].justify = "right"
    for name, sums in _by_cost(answer)[:TOP_MODELS]:
        table.add_row(Text(name or "(none)"), f"{sums.requests:,}", dollars(sums.cost))
    return table


def _by_cost(answer: Answer) -> list[tuple[str, Sums]]:
    rows = answer.groups["model"].items()
    return sorted(rows, key=lambda row: (-(row[1].cost or Decimal(0)), row[0]))


def _model(name: str, sums: Sums) -> Json:
    return {
        "model": name,
        "cost_usd": _usd(sums.cost),
        "requests": sums.requests,
        "unpriced_requests": sums.unpriced_requests,
        "by_grain": {
            grain: {"cost_usd": _usd(part.cost), "requests": part.requests}
            for grain, part in sums.grains.items()
        },
    }


def _unpriced(answer: Answer | None) -> dict[str, Any]:
    if answer is None:
        return {}
    return {
        "requests": answer.total.unpriced_requests,
        "tokens": answer.total.unpriced_tokens,
        "models": [
            {
                "model": one.model,
                "reason": one.reason,
                "requests": one.requests,
                "tokens": one.tokens,
            }
            for one in sorted(answer.unpriced, key=lambda one: (one.model, one.reason))
        ],
    }


def _connection(found: Findings) -> Json:
    connection = found.connection
    return {
        **{name: connection[name] for name in ("id", "name", "provider", "mode", "account_id")},
        "state": connection["state"],
        "accounts": [
            {name: one[name] for name in ("account_id", "name", "coverage")}
            for one in found.accounts
        ],
    }


def _usd(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount:f}"
