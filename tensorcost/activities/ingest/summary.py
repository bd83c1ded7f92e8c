"""The summary of an import (decisions 30): one object, money as decimal strings."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row

from tensorcost.activities.ingest.bills_told import bills_told
from tensorcost.activities.ingest.files import IMPORT_ORIGIN, FilesReport
from tensorcost.domain.ids import TenantId
from tensorcost.domain.money import format_nano
from tensorcost.storage.session import Database
from tensorcost.storage.spend.loaded import bill_of_deliveries, spend_of_objects

_TOKENS: Final = (
    "input_tokens",
    "cached_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
)


async def import_summary(
    db: Database, tenant_id: TenantId, report: FilesReport, now: datetime
) -> dict[str, Any]:
    """Rows, rejects, totals of tokens and dollars per model and day, the unpriced part, and what
    became of each bill. ``ok`` only where everything was taken, now or before."""
    total = report.total
    async with db.tenant(tenant_id) as tx:
        objects = report.objects
        exports = list(dict.fromkeys((one.export_name, one.etag) for one in report.bills))
        by_model = await spend_of_objects(tx, IMPORT_ORIGIN, objects, by="model")
        by_day = await spend_of_objects(tx, IMPORT_ORIGIN, objects, by="day")
        bill_by_model = await bill_of_deliveries(tx, IMPORT_ORIGIN, exports, by="model")
        bill_by_day = await bill_of_deliveries(tx, IMPORT_ORIGIN, exports, by="day")
        bills = await bills_told(tx, IMPORT_ORIGIN, report.bills, now)
    return {
        "schema": "tensorcost.import/1",
        "ok": not report.refused and not total.rejected,
        "files": report.files,
        "refused": report.refused,
        "rows": {
            "read": total.rows_read,
            "accepted": total.accepted,
            "duplicate": total.duplicate,
            "rejected": total.rejected,
            "withheld": total.withheld,
        },
        "rejects": [
            {"file": r.file, "line": r.position, "reason": r.reason, "detail": r.detail}
            for r in total.rejects
        ],
        "bills": bills,
        "copies": report.copies,
        "skipped": report.skipped,
        "by_model": [*_spend(by_model, "model_id"), *_bill(bill_by_model, "model_id")],
        "by_day": [*_spend(by_day, "day"), *_bill(bill_by_day, "day")],
        "totals": _totals(by_model, bill_by_model),
        "unpriced": {
            "requests": sum(row.unpriced_requests for row in by_model),
            "tokens": sum(row.unpriced_tokens for row in by_model),
            "models": [
                {
                    "model_id": group.model_id,
                    "provider": group.provider,
                    "reason": group.reason.value,
                    "rows": group.rows,
                    "tokens": group.tokens,
                }
                for group in total.unpriced
            ],
        },
    }


def _spend(rows: Sequence[Row[Any]], key: str) -> list[dict[str, Any]]:
    return [
        {
            key: row.key,
            "requests": row.requests,
            **{name: getattr(row, name) for name in _TOKENS},
            # Nothing priced is no amount, not an amount of zero.
            "cost_usd": None if _nothing_priced(row) else format_nano(row.cost_nano),
            "unpriced_requests": row.unpriced_requests,
        }
        for row in rows
    ]


def _nothing_priced(row: Row[Any]) -> bool:
    return bool(row.requests) and row.unpriced_requests == row.requests


def _bill(rows: Sequence[Row[Any]], key: str) -> list[dict[str, Any]]:
    return [
        {
            key: row.key,
            "in_scope": row.in_scope,
            "lines": row.lines,
            "billed": format_nano(row.unblended_nano),
            "currency": row.currency,
        }
        for row in rows
    ]


def _totals(spend: Sequence[Row[Any]], bill: Sequence[Row[Any]]) -> dict[str, Any]:
    billed: dict[str, int] = {}
    for row in bill:
        billed[row.currency] = billed.get(row.currency, 0) + row.unblended_nano
    return {
        "requests": sum(row.requests for row in spend),
        **{name: sum(getattr(row, name) for row in spend) for name in _TOKENS},
        "cost_usd": format_nano(sum(row.cost_nano for row in spend)),
        "billed": {currency: format_nano(nano) for currency, nano in sorted(billed.items())},
    }
