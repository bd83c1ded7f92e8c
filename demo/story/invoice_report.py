"""The bill at the end of the story: for machines, and for people."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal

from rich.table import Table
from rich.text import Text

from demo.story.api import Json
from demo.story.invoice import ZERO, Invoice, Shares
from demo.story.reconciling import Restatement

_TENTH = Decimal("0.1")


@dataclass(slots=True)
class Place:
    """The billed AI usage of an account, and which of its regions are silent, and why."""

    name: str
    billed: Decimal = ZERO
    explained: Decimal = ZERO
    unlogged: Decimal = ZERO
    silent: dict[str, list[str]] = field(default_factory=dict)
    """Regions by cause; the empty one is the whole account."""


def invoice_json(invoice: Invoice, restated: Restatement | None) -> Json:
    """Decision 30's ``invoice``: decimal text, of the days that are reconciled."""
    return {
        **_shares(invoice.total),
        "months": [
            {
                "period": month.period,
                "closed_until": month.closed_until,
                **_shares(month.shares),
            }
            for month in invoice.months
        ],
        "restated": None
        if restated is None
        else {
            "period": restated.period,
            "before": f"{restated.before.shares.billed:f}",
            "after": f"{restated.after:f}",
            "delta": f"{restated.delta:f}",
        },
    }


def invoice_facts(invoice: Invoice, restated: Restatement | None) -> Iterable[tuple[str, str]]:
    """Lines for people: name and text."""
    total, usage = invoice.total, invoice.coverage
    yield (
        "invoice",
        f"{dollars(total.billed)} billed for the days before {invoice.months[-1].closed_until}",
    )
    yield (
        "attributed",
        f"{dollars(total.attributed)}, {percent(total.attributed, total.billed)} of it and "
        f"{percent(usage.by_requests + usage.by_metrics, usage.billed)} of the AI usage "
        f"({percent(usage.by_requests, usage.billed)} by logged calls)",
    )
    parts = sorted(total.unattributed.items(), key=lambda part: (-part[1], part[0]))
    yield "unattributed", ", ".join(f"{_words(name)} {dollars(usd)}" for name, usd in parts)
    yield "difference", f"{total.difference:.2f}"
    if restated is not None:
        yield (
            "restated",
            f"{restated.period}: {dollars(restated.before.shares.billed)}, "
            f"now {dollars(restated.after)} "
            f"({restated.delta:+,.2f})",
        )


def coverage_table(places: Iterable[Json]) -> Table:
    """Accounts, the dearest first."""
    table = Table(
        *("account", "AI usage", "explained", "unlogged", "silent"),
        box=None,
        padding=(0, 2),
        header_style="dim",
    )
    for column in table.columns[1:4]:
        column.justify = "right"
    found = sorted(by_account(places), key=lambda place: (-place.billed, place.name))
    table.columns[0].min_width = max((len(place.name) for place in found), default=0)
    for place in found:
        table.add_row(
            Text(place.name),
            dollars(place.billed),
            percent(place.explained, place.billed),
            dollars(place.unlogged),
            Text("; ".join(_silence(cause, where) for cause, where in place.silent.items())),
        )
    return table


def by_account(places: Iterable[Json]) -> list[Place]:
    """The product's places, one for each account."""
    found: dict[str, Place] = {}
    for one in places:
        account = one["account_id"]
        place = found.setdefault(account, Place(one["account_name"] or account))
        place.billed += Decimal(one["billed"])
        place.explained += Decimal(one["by_requests"]) + Decimal(one["by_metrics"])
        place.unlogged += Decimal(one["unlogged"])
        if one["silence"] is not None:
            place.silent.setdefault(one["silence"]["cause"], []).append(one["region"])
    return list(found.values())


def dollars(amount: Decimal | None) -> str:
    if amount is None:
        return "no price"
    return f"{'-' if amount < 0 else ''}${abs(amount):,.2f}"


def percent(part: Decimal, whole: Decimal) -> str:
    """Cut off after one place, so that only all of it is 100 %."""
    if not whole:
        return "-"
    return f"{(part / whole * 100).quantize(_TENTH, ROUND_DOWN)} %"


def _shares(shares: Shares) -> Json:
    return {
        "billed": f"{shares.billed:f}",
        "attributed": f"{shares.attributed:f}",
        "unattributed": {name: f"{usd:f}" for name, usd in sorted(shares.unattributed.items())},
        "difference": f"{shares.difference:f}",
    }


def _silence(cause: str, regions: list[str]) -> str:
    where = "" if "" in regions else f" ({', '.join(regions)})"
    return _words(cause) + where


def _words(name: str) -> str:
    return name.replace("_", " ")
