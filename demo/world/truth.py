"""The answer key of a world, computed from the event stream and not from its files."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any

from demo.world.bill import BillLine
from demo.world.prices import plain, usd
from demo.world.records import Canary
from demo.world.spec import WorldSpec
from demo.world.tally import TOKENS, Cell, Tally

_GROUPINGS: dict[str, Callable[[Cell], str]] = {
    "by_model": lambda cell: cell.stream.priced_model,
    "by_foundation_model": lambda cell: cell.stream.model,
    "by_called_model": lambda cell: cell.stream.called_model,
    "by_application": lambda cell: cell.application,
    "by_team": lambda cell: cell.team,
    "by_environment": lambda cell: cell.environment,
    "by_agent": lambda cell: cell.agent_id,
    "by_workflow": lambda cell: cell.workflow_id,
    "by_account": lambda cell: cell.stream.account,
    "by_account_region": lambda cell: f"{cell.stream.account}/{cell.stream.region}",
    "by_operation": lambda cell: cell.stream.operation,
    "by_day": lambda cell: cell.day.isoformat(),
}


@dataclass(slots=True)
class Sums:
    """Exact totals of some calls. ``cost_nano`` adds requests rounded one by one."""

    requests: int = 0
    errors: int = 0
    unpriced_requests: int = 0
    tokens: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TOKENS, 0))
    cost_nano: int = 0
    pico: int = 0

    def add(self, cell: Cell) -> None:
        self.requests += cell.sums["requests"]
        self.errors += cell.sums["errors"]
        for kind in TOKENS:
            self.tokens[kind] += cell.sums[kind]
        if cell.priced:
            self.cost_nano += cell.sums["nano"]
            self.pico += cell.sums["pico"]
        else:
            self.unpriced_requests += cell.sums["requests"]

    def answer(self) -> dict[str, Any]:
        return {
            "requests": self.requests,
            "errors": self.errors,
            "unpriced_requests": self.unpriced_requests,
            **{f"{kind}_tokens": count for kind, count in self.tokens.items()},
            "cost_nano": self.cost_nano,
            "cost_usd": plain(usd(self.pico)),
        }


@dataclass(slots=True)
class Planted:
    """Defects put into a dirty world: counts by reason, and the objects by key."""

    lines: dict[str, int] = field(default_factory=dict)
    objects: dict[str, str] = field(default_factory=dict)
    skipped_lines: int = 0
    """Records of another schema type: not ours, and no defect."""
    repeated_lines: int = 0
    """Valid records that repeat others; they change no total."""
    secrets: list[str] = field(default_factory=list)
    """Texts inside defective lines; like canaries they must be found nowhere."""


def answers(cells: Iterable[Cell]) -> dict[str, Any]:
    """Totals, and totals by every grouping."""
    total = Sums()
    groups: dict[str, dict[str, Sums]] = {name: {} for name in _GROUPINGS}
    unpriced: dict[str, Sums] = {}
    for cell in cells:
        total.add(cell)
        for name, key in _GROUPINGS.items():
            groups[name].setdefault(key(cell), Sums()).add(cell)
        if not cell.priced:
            unpriced.setdefault(cell.stream.priced_model, Sums()).add(cell)
    told: dict[str, Any] = {"total": total.answer()}
    for name, found in groups.items():
        told[name] = {key: sums.answer() for key, sums in sorted(found.items())}
    told["unpriced"] = {key: sums.answer() for key, sums in sorted(unpriced.items())}
    return told


def answer_key(
    spec: WorldSpec,
    tally: Tally,
    lines: list[BillLine],
    canaries: list[Canary],
    planted: Planted,
    logged_twice: int,
) -> dict[str, Any]:
    return {
        "start": spec.start,
        "end": spec.end,
        "variant": spec.variant,
        "seed": spec.seed,
        "logged": answers(tally.cells(lambda cell: cell.logged)),
        "all": answers(tally.cells()),
        "logged_twice": logged_twice,
        "bill": _bill(lines),
        "canaries": [asdict(canary) for canary in canaries],
        "planted": asdict(planted),
    }


def _bill(lines: list[BillLine]) -> dict[str, Any]:
    periods: dict[str, list[BillLine]] = {}
    for line in lines:
        periods.setdefault(line.period, []).append(line)
    return {
        period: {
            "lines": len(found),
            "unblended_usd": _sum(found),
            "bedrock_usd": _sum(line for line in found if line.token_kind),
            "by_type": _grouped(found, lambda line: line.kind),
            "by_account": _grouped(found, lambda line: line.account),
            "by_model": _grouped(
                [line for line in found if line.token_kind], lambda line: line.stream_model
            ),
        }
        for period, found in sorted(periods.items())
    }


def _grouped(lines: list[BillLine], key: Callable[[BillLine], str]) -> dict[str, str]:
    names = sorted({key(line) for line in lines})
    return {name: _sum(line for line in lines if key(line) == name) for name in names}


def _sum(lines: Iterable[BillLine]) -> str:
    return plain(sum((line.cost for line in lines), Decimal(0)))


def reconciliation_cells(tally: Tally, lines: list[BillLine]) -> list[dict[str, Any]]:
    """Per account, day, region, model and token kind: tokens logged, tokens used, money billed."""
    tokens: dict[tuple[str, str, str, str, str], list[int]] = {}
    for cell in tally.cells():
        stream = cell.stream
        for kind in TOKENS:
            if count := cell.sums[kind]:
                day = cell.day.isoformat()
                key = (stream.account, day, stream.region, stream.priced_model, kind)
                found = tokens.setdefault(key, [0, 0])
                found[0] += count if cell.logged else 0
                found[1] += count
    billed: dict[tuple[str, str, str, str, str], Decimal] = {}
    for line in lines:
        if line.token_kind:
            day = line.begin.date().isoformat()
            key = (line.account, day, line.region, line.stream_model, line.token_kind)
            billed[key] = billed.get(key, Decimal(0)) + line.cost
    names = ("account", "day", "region", "model", "kind")
    return [
        dict(zip(names, key, strict=True))
        | {"logged_tokens": logged, "tokens": used, "billed_usd": plain(billed[key])}
        for key, (logged, used) in sorted(tokens.items())
    ]
