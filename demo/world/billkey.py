"""What a bill says and how much of it logs and metrics explain: the answer key's second half.

Computed from the event stream, the lines and the rule alone: within an account, day, region
and model the finest rows there are count, logged calls before CloudWatch's counts, and per
token kind they explain ``billed x min(1, logged / billed tokens)`` of what is billed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

from demo.world import prices
from demo.world.bill import Bill
from demo.world.billline import BillLine
from demo.world.prices import UNLISTED, plain
from demo.world.spec import WorldSpec
from demo.world.story import Stream
from demo.world.tally import TOKENS, Tally

_PLAIN_SHARES = {"Tax": "tax", "Credit": "credit", "Refund": "refund", "EdpDiscount": "discount"}
_OUT_OF_SCOPE = {"AmazonS3"}
_METERED_AS = {"cache_write_1h": "cache_write_5m"}
"""CloudWatch counts cache writes without their lifetime: a reader takes the usual one."""
_NANO = Decimal("1e-9")
_LISTED = prices.load()


class Place(NamedTuple):
    """Where one kind of rows counts."""

    account: str
    day: str
    region: str
    foundation: str


class Sold(NamedTuple):
    """What AWS bills apart within a place. Geographic profiles are billed as their region."""

    kind: str
    is_global: bool


@dataclass(slots=True)
class Used:
    """Tokens of the calls in every place: logged ones, all of them, and where rows exist."""

    logged: dict[tuple[Place, Sold], int] = field(default_factory=lambda: defaultdict(int))
    metered: dict[tuple[Place, Sold], int] = field(default_factory=lambda: defaultdict(int))
    has_logs: set[Place] = field(default_factory=set)
    is_metered: set[Place] = field(default_factory=set)

    @classmethod
    def of(cls, spec: WorldSpec, tally: Tally) -> Used:
        used, reachable = cls(), spec.story.reachable
        for cell in tally.cells():
            stream = cell.stream
            place = Place(stream.account, cell.day.isoformat(), stream.region, stream.model)
            if cell.logged:
                used.has_logs.add(place)
            if stream.account in reachable:
                used.is_metered.add(place)
            for kind in TOKENS:
                counted = Sold(_METERED_AS.get(kind, kind), stream.scope == "global")
                used.metered[place, counted] += cell.sums[kind]
                if cell.logged:
                    used.logged[place, counted._replace(kind=kind)] += cell.sums[kind]
        return used

    def explaining(self, place: Place) -> str:
        """The share that explained money of this place goes to; empty where nothing explains."""
        if place in self.has_logs:
            return "attributed"
        return "metered" if place in self.is_metered else ""


def bill_answers(spec: WorldSpec, tally: Tally, lines: Sequence[BillLine]) -> dict[str, Any]:
    """The answers about each billing month of these lines."""
    used = Used.of(spec, tally)
    periods: dict[str, list[BillLine]] = {}
    for line in lines:
        periods.setdefault(line.period, []).append(line)
    return {period: _month(used, found) for period, found in sorted(periods.items())}


def _month(used: Used, lines: list[BillLine]) -> dict[str, Any]:
    by_tokens = [line for line in lines if line.token_kind]
    shares, drift = _shares(used, lines)
    return {
        "lines": len(lines),
        "unblended_usd": _sum(lines),
        "bedrock_usd": _sum(by_tokens),
        "by_type": _grouped(lines, lambda line: line.kind),
        "by_account": _grouped(lines, lambda line: line.account),
        "by_model": _grouped(by_tokens, lambda line: line.stream_model),
        "by_charge_day": _grouped(lines, lambda line: line.charge_day),
        "tagged_by_team": _tagged_by_team(lines),
        "shares": _added(shares, lambda key: (key.share,)),
        "shares_by_account": _added(shares, lambda key: (key.account, key.share)),
        "shares_by_day": _added(shares, lambda key: (key.day, key.share)),
        "unlogged_by_cause": _added(
            {key: usd for key, usd in shares.items() if key.cause}, lambda key: (key.cause,)
        ),
        "price_drift_usd": _usd(drift),
    }


def _tagged_by_team(lines: Sequence[BillLine]) -> dict[str, str]:
    """What the lines' own tags say. A negation has none: it takes back what its usage costs."""
    usage = {_negated(line): line for line in lines if line.kind == "SavingsPlanCoveredUsage"}
    tagged: dict[str, list[BillLine]] = defaultdict(list)
    for line in lines:
        is_negation = line.kind == "SavingsPlanNegation"
        named = usage[_negated(line)] if is_negation else line
        if team := named.tags.get("user_team"):
            tagged[team].append(line)
    return {team: _sum(found) for team, found in sorted(tagged.items())}


def _negated(line: BillLine) -> tuple[str, ...]:
    return (line.account, line.charge_day, line.usage_type, line.savings_plan)


class _Key(NamedTuple):
    day: str
    account: str
    share: str
    cause: str = ""


_Shares = dict[_Key, Fraction]


def _shares(used: Used, lines: Iterable[BillLine]) -> tuple[_Shares, Fraction]:
    """Every dollar of the lines under exactly one key; and what is explained beyond list price."""
    drift = Fraction(0)
    found: _Shares = defaultdict(Fraction)
    sold: dict[tuple[Place, Sold], list[BillLine]] = defaultdict(list)
    for line in lines:
        if line.tier == "standard":
            place = Place(line.account, line.charge_day, line.region, line.foundation)
            is_global = line.stream_model.startswith("global.")
            sold[place, Sold(line.token_kind, is_global)].append(line)
        else:
            found[_plain_key(line)] += Fraction(line.cost)
    for (place, what), billed in sold.items():
        drift += _split(found, used, place, what, billed)
    return found, drift


def _plain_key(line: BillLine) -> _Key:
    """Of a line that no call can explain."""
    if share := _PLAIN_SHARES.get(line.kind):
        return _Key(line.charge_day, line.account, share)
    if line.kind == "SavingsPlanRecurringFee":
        return _Key(line.charge_day, line.account, "commitment")
    if line.product_code in _OUT_OF_SCOPE:
        return _Key(line.charge_day, line.account, "out_of_scope")
    return _Key(line.charge_day, line.account, "unlogged", line.tier or "machine")


def _split(
    found: _Shares, used: Used, place: Place, what: Sold, billed: Sequence[BillLine]
) -> Fraction:
    """Explained and unexplained money of one place and kind; returns the former's drift."""
    money = sum((Fraction(line.cost) for line in billed), Fraction(0))
    tokens = sum(line.tokens for line in billed)
    if billed[0].stream_model in UNLISTED:
        found[_Key(place.day, place.account, "unnamed")] += money
        return Fraction(0)
    share = used.explaining(place)
    rows = used.logged if share == "attributed" else used.metered
    known = rows.get((place, what), 0) if share else 0
    part = money * min(Fraction(1), Fraction(known, tokens)) if tokens else Fraction(0)
    if part:
        found[_Key(place.day, place.account, share)] += part
    if rest := money - part:
        cause = "lost" if share else "out_of_reach"
        found[_Key(place.day, place.account, "unlogged", cause)] += rest
    listed = sum(line.tokens * _LISTED[line.stream_model][what.kind] for line in billed)
    return part * (1 - Fraction(listed, 10**12) / money) if part else Fraction(0)


def _added(shares: _Shares, name: Callable[[_Key], tuple[str, ...]]) -> dict[str, Any]:
    """Sums by one or two names, nested, rounded to nano-dollars at the very end."""
    sums: dict[tuple[str, ...], Fraction] = defaultdict(Fraction)
    for key, usd in shares.items():
        sums[name(key)] += usd
    told: dict[str, Any] = {}
    for (*outer, last), usd in sorted(sums.items()):
        level = told.setdefault(outer[0], {}) if outer else told
        level[last] = _usd(usd)
    return told


def _usd(exact: Fraction) -> str:
    return plain((Decimal(exact.numerator) / exact.denominator).quantize(_NANO))


def _grouped(lines: list[BillLine], key: Callable[[BillLine], str]) -> dict[str, str]:
    groups: dict[str, list[BillLine]] = defaultdict(list)
    for line in lines:
        groups[key(line)].append(line)
    return {name: _sum(found) for name, found in sorted(groups.items())}


def _sum(lines: Iterable[BillLine]) -> str:
    return plain(sum((line.cost for line in lines), Decimal(0)))


_Names = tuple[str, str, str, str, str, str]


def reconciliation_cells(tally: Tally, bill: Bill) -> list[dict[str, Any]]:
    """Per account, day, region, model, token kind and tier: tokens logged, used and billed.

    ``billed_…`` is what AWS delivers first, ``restated_…`` what it bills for good; equal where
    nothing is restated. Batch jobs make no calls: what is used is what is billed.
    """
    logged: dict[_Names, int] = defaultdict(int)
    used: dict[_Names, int] = defaultdict(int)
    for cell in tally.cells():
        for kind in TOKENS:
            if count := cell.sums[kind]:
                key = _names(cell.stream, cell.day.isoformat(), kind)
                used[key] += count
                logged[key] += count if cell.logged else 0
    kept = [line for line in bill.first if line.period != bill.restated_period]
    first, final = _billed(bill.first), _billed([*kept, *bill.restated])
    names = ("account", "day", "region", "model", "kind", "tier")
    return [
        dict(zip(names, key, strict=True))
        | {"logged_tokens": logged[key], "tokens": used.get(key, final[key][0])}
        | {"billed_tokens": first[key][0], "billed_usd": plain(first[key][1])}
        | {"restated_tokens": final[key][0], "restated_usd": plain(final[key][1])}
        for key in sorted(final)
    ]


def _names(stream: Stream, day: str, kind: str) -> _Names:
    return (stream.account, day, stream.region, stream.priced_model, kind, "standard")


def _billed(lines: Iterable[BillLine]) -> dict[_Names, tuple[int, Decimal]]:
    found: dict[_Names, tuple[int, Decimal]] = defaultdict(lambda: (0, Decimal(0)))
    for line in lines:
        if line.token_kind:
            where = (line.account, line.begin.date().isoformat(), line.region)
            key = (*where, line.stream_model, line.token_kind, line.tier)
            tokens, usd = found[key]
            found[key] = (tokens + line.tokens, usd + line.cost)
    return found
