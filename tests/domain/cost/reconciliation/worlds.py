"""Days that Hypothesis makes up: anything may be billed, and most of what is logged is."""

from dataclasses import replace

from hypothesis import strategies as st

from tensorcost.domain.cost.price import TOKEN_KINDS
from tensorcost.domain.cost.reconciliation.facts import Billed, LineClass, Logged, Money
from tensorcost.domain.spend.bill import TokenKind
from tensorcost.domain.spend.facts import Grain, RoutingScope, ServiceTier
from tests.domain.cost.reconciliation.days import CELL, TOKEN, by_kind

World = tuple[list[Billed], list[Logged]]

CELLS = (CELL, CELL, CELL._replace(region="eu-west-1"), CELL._replace(model_id=""))
nano = st.one_of(st.integers(-50, 50), st.integers(-(10**13), 10**13))
money = st.one_of(nano.map(Money.same), st.builds(Money, nano, nano, nano))
counts = st.one_of(st.integers(-3, 60), st.integers(0, 10**9))
cells = st.sampled_from(CELLS)
tiers = st.sampled_from([*[ServiceTier.STANDARD] * 7, *ServiceTier])
scopes = st.sampled_from([*[RoutingScope.IN_REGION] * 3, *RoutingScope])
kinds = st.sampled_from(TokenKind)
rates = st.dictionaries(
    kinds, st.none() | st.fractions(0, 20_000, max_denominator=1_000), max_size=5
)
any_line = st.builds(
    Billed,
    dim_id=st.integers(900, 904),
    cell=cells,
    line_class=st.sampled_from([*[LineClass.USAGE] * 7, *LineClass]),
    kind=st.none() | kinds,
    unit=st.sampled_from(("tokens", "hours", "images")),
    service_tier=tiers,
    routing_scope=scopes,
    currency=st.sampled_from(("USD", "USD", "USD", "EUR")),
    quantity=st.one_of(counts.map(lambda n: n * TOKEN), st.integers(-5, 10**12)),
    money=money,
    lines=st.integers(1, 9),
)

negations = any_line.map(
    lambda line: replace(line, line_class=LineClass.USAGE, is_negation=True, quantity=0)
)


@st.composite
def rows(draw: st.DrawFn) -> Logged:
    """A row whose estimate is what its rates give, give or take, or that has none."""
    listed = draw(rates)
    tokens = draw(st.dictionaries(kinds, counts, max_size=5))
    requests = draw(st.integers(-1, 50))
    is_unpriced = draw(st.integers(0, 3)) == 0
    exact = round(sum((listed.get(kind) or 0) * n for kind, n in tokens.items()))
    return Logged(
        dim_id=draw(st.integers(1, 5)),
        actor_id=draw(st.integers(0, 2)),
        grain=draw(st.sampled_from((Grain.REQUEST, Grain.REQUEST, Grain.METRIC))),
        cell=draw(cells),
        service_tier=draw(tiers),
        routing_scope=draw(scopes),
        tokens=by_kind(tokens),
        requests=requests,
        estimate_nano=0 if is_unpriced else exact + draw(st.sampled_from((0, 0, 1, 10**6))),
        unpriced_requests=requests if is_unpriced else 0,
        rates=listed,
    )


@st.composite
def lines_of(draw: st.DrawFn, row: Logged) -> Billed:
    """A line that bills some kind of what a row used, more or less of it, at about its price."""
    used = dict(zip(TOKEN_KINDS, row.tokens, strict=True))
    kind = draw(st.sampled_from([kind for kind, n in used.items() if n] or TOKEN_KINDS))
    tokens = used[kind]
    price = row.rates.get(kind) or 0
    whole = round(tokens * price) + draw(st.sampled_from((0, 1, -7, 10**5)))
    return replace(
        draw(any_line),
        cell=row.cell,
        line_class=LineClass.USAGE,
        kind=kind,
        service_tier=draw(st.one_of(st.just(row.service_tier), tiers)),
        routing_scope=draw(st.one_of(st.just(row.routing_scope), scopes)),
        currency="USD",
        quantity=tokens * TOKEN * draw(st.integers(1, 5)) // draw(st.integers(1, 5)),
        money=Money(whole, whole, draw(st.one_of(st.just(whole), nano))),
    )


@st.composite
def worlds(draw: st.DrawFn) -> World:
    logged = draw(st.lists(rows(), max_size=7))
    billed = draw(st.lists(st.one_of(any_line, any_line, any_line, negations), max_size=4))
    if logged:
        known = st.sampled_from(range(len(logged))).flatmap(lambda n: lines_of(logged[n]))
        billed += draw(st.lists(known, max_size=7))
    return billed, logged


def own_dimensions(world: World) -> World:
    """The world with dimensions as they are in truth: each in one cell, tier and scope."""
    numbers: dict[object, int] = {}

    def own(item: Billed | Logged) -> int:
        key = (type(item), item.dim_id, item.cell, item.service_tier, item.routing_scope)
        return numbers.setdefault(key, len(numbers) + 1)

    billed, logged = world
    return (
        [replace(line, dim_id=own(line)) for line in billed],
        [row._replace(dim_id=own(row)) for row in logged],
    )


true_worlds = worlds().map(own_dimensions)
