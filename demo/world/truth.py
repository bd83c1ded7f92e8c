"""The answer key of a world, computed from the event stream and not from its files."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from demo.world.bill import Bill
from demo.world.billkey import bill_answers
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
    bill: Bill,
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
        "bill": bill_answers(spec, tally, bill.first),
        "restated": bill_answers(spec, tally, bill.restated),
        "canaries": [asdict(canary) for canary in canaries],
        "planted": asdict(planted),
    }
