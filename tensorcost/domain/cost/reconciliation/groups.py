"""Billed lines and logged rows by service tier and routing scope, and how far both are matched."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Final

from tensorcost.domain.cost.reconciliation.amounts import NOTHING, cut, fraction_of, total_of
from tensorcost.domain.cost.reconciliation.facts import Billed, Money
from tensorcost.domain.cost.reconciliation.rows import UNITS, Row
from tensorcost.domain.money import divide_half_even
from tensorcost.domain.spend.bill import TokenKind
from tensorcost.domain.spend.facts import RoutingScope, ServiceTier

MICRO = 10**6
_BY_DIMENSION: Final = attrgetter("dim_id")


@dataclass(slots=True)
class BilledGroup:
    """Usage lines of one kind, tier and scope of a cell; units that are not tokens stay apart, and
    so do negations: they are no part of what is used."""

    kind: TokenKind | None
    unit: str
    tier: ServiceTier
    scope: RoutingScope
    is_negation: bool
    lines: list[Billed] = field(default_factory=list)
    quantity: int = 0
    money: Money = NOTHING
    matched: int = 0
    attributed: Money = NOTHING

    @property
    def left(self) -> int:
        """Quantity that no row explains yet; nothing is matched with a correction."""
        return max(0, self.quantity - self.matched)

    @property
    def line_count(self) -> int:
        return sum([line.lines for line in self.lines])

    def take(self, quantity: int) -> Money:
        """Match a part of what is left: the money that becomes attributed by it.

        Rounded over all that is matched, so that several steps give what one would have.
        """
        self.matched += quantity
        whole = fraction_of(self.money, self.matched, self.quantity)
        taken = whole.minus(self.attributed)
        self.attributed = whole
        return taken

    def remainders(self) -> list[Money]:
        """What stays on each line, exact to the nano."""
        left, whole = (self.left, self.quantity) if self.matched else (1, 1)
        kept = self.money.minus(self.attributed)
        return cut([line.money for line in self.lines], kept, left, whole)


@dataclass(slots=True)
class LoggedGroup:
    """Rows of one tier and scope of a cell. Quantities are millionths, as on the bill."""

    tier: ServiceTier
    scope: RoutingScope
    rows: list[Row] = field(default_factory=list)
    tokens: list[int] = field(default_factory=lambda: [0] * UNITS)
    estimate: list[int] = field(default_factory=lambda: [0] * (UNITS + 1))
    matched: list[int] = field(default_factory=lambda: [0] * UNITS)
    held: list[int] = field(default_factory=lambda: [0] * (UNITS + 1))
    """Estimate that is held against billed money."""
    by_capacity: bool = False
    """Paid by the hour: tokens that no line bills are not unbilled."""

    def left(self, kind: int) -> int:
        return max(0, self.tokens[kind] - self.matched[kind])

    def take(self, kind: int, quantity: int) -> int:
        """Match a part of what is left: the estimate that is held against the bill by it."""
        self.matched[kind] += quantity
        whole = self.estimate[kind]
        if self.matched[kind] != self.tokens[kind]:
            whole = divide_half_even(whole * self.matched[kind], self.tokens[kind])
        taken = whole - self.held[kind]
        self.held[kind] = whole
        return taken

    def take_rest(self, kinds: Iterable[int]) -> int:
        """Hold all of the estimate of these kinds against the bill: what had been left of it."""
        rest = 0
        for kind in kinds:
            rest += self.estimate[kind] - self.held[kind]
            self.held[kind] = self.estimate[kind]
        return rest


def group_billed(lines: Iterable[Billed]) -> list[BilledGroup]:
    """Groups in a fixed order; lines of the same dimension stay together."""
    groups: dict[tuple[str, str, str, str, bool], BilledGroup] = {}
    for line in sorted(lines, key=_BY_DIMENSION):
        unit = line.unit if line.kind is None else ""
        named = (unit, line.service_tier, line.routing_scope, line.is_negation)
        key = (line.kind or "", *named)
        group = groups.get(key)
        if group is None:
            group = groups[key] = BilledGroup(line.kind, *named)
        group.lines.append(line)
    for group in groups.values():
        group.quantity = sum([line.quantity for line in group.lines])
        group.money = total_of([line.money for line in group.lines])
    return [groups[key] for key in sorted(groups)]


def group_logged(rows: Sequence[Row]) -> list[LoggedGroup]:
    """Groups in a fixed order; the rows keep theirs."""
    groups: dict[tuple[str, str], LoggedGroup] = {}
    for row in rows:
        logged = row.logged
        key = (logged.service_tier, logged.routing_scope)
        group = groups.get(key)
        if group is None:
            group = groups[key] = LoggedGroup(*key)
        group.rows.append(row)
    for group in groups.values():
        counts = zip(*[row.tokens for row in group.rows], strict=True)
        group.tokens = [MICRO * sum(column) for column in counts]
        estimates = zip(*[row.estimate for row in group.rows], strict=True)
        group.estimate = [sum(column) for column in estimates]
    return [groups[key] for key in sorted(groups)]
