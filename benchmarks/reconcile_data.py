"""A month of one tenant: events in DuckDB, the same as rollups in Postgres, and its bill.

The bill is a Cost and Usage Report in Parquet, by hour, place and token kind, as AWS writes it:
some accounts have no logs, one model is dearer than listed, a third of the accounts have a
discount, calls through geographic profiles stand on the line of their region, and beside the
usage there are taxes, credits and another service. The restated bill has another price on a
tenth of its lines, wherever they are; the one after it on every line of three days.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa

from benchmarks.reconcile_run import DAYS, PERIOD
from tensorcost.domain.cost.price_book import PriceBook
from tensorcost.domain.cost.rates import token_rates
from tensorcost.domain.cost.rollup import MEASURE_NAMES
from tensorcost.domain.ids import TenantId
from tensorcost.domain.spend.bill import TokenKind
from tensorcost.domain.spend.facts import Actor, Dimension, RoutingScope, Source

DELIVERIES: Final = {
    "first": "false",
    "restated": "hash(line_no) % 10 = 0",
    "days": "hash(line_no) % 10 = 0 OR day(usage_start) BETWEEN 11 AND 13",
}
"""By name, which lines are dearer than in the first."""
_HOURS: Final = DAYS * 24
_METERS: Final = {
    TokenKind.INPUT: "input-tokens",
    TokenKind.CACHED: "cache-read-input-token-count",
    TokenKind.OUTPUT: "output-tokens",
}
_MODELS: Final = (
    ("anthropic.claude-haiku-4-5-20251001-v1:0", "Claude4.5Haiku", 1000),
    ("anthropic.claude-sonnet-4-5-20250929-v1:0", "Claude4.5Sonnet", 1015),
    ("anthropic.claude-sonnet-4-6", "Claude4.6Sonnet", 1000),
    ("anthropic.claude-opus-4-6-v1", "Claude4.6Opus", 1000),
)
"""Model, its name on the bill, and thousandths of its list price that are billed."""
_REGIONS: Final = (("us-east-1", "USE1"), ("eu-west-1", "EU"))
_ACCOUNTS: Final = 60
_LOGGED_OF_TEN: Final = 9
_APPLICATIONS: Final = 5
"""An account's; the last one calls through a geographic profile."""
_ACTORS: Final = 4
_PICO: Final = 1000
"""In a nanodollar; list prices of a token are whole picodollars."""

_EVENTS: Final = """
    CREATE TABLE event AS
    WITH drawn AS (
        SELECT i, hash(i) / 18446744073709551616.0 AS whose, hash(i, 1) AS a, hash(i, 2) AS b
        FROM range($events) AS r (i)
    )
    SELECT make_timestamp($start_us + (i::hugeint * $span_us // $events)::bigint) AS ts,
        d.* EXCLUDE (dim_no), x.* EXCLUDE (actor_no),
        (b % 4000)::bigint AS input_tokens, (b // 4000 % 900)::bigint AS cached_tokens,
        (b // 3600000 % 700)::bigint AS output_tokens
    FROM drawn
    JOIN dim d ON d.dim_no = (floor($logged * whose * whose)::bigint * $places
        + (a % $places)::bigint) * $applications + (a // 1000 % $applications)::bigint
    JOIN actor x ON x.actor_no = (a // 10000000 % $actors)::bigint
"""
_HOURLY: Final = f"""
    CREATE TEMP TABLE hourly AS
    SELECT date_trunc('hour', ts) AS usage_start, place_no,
        {", ".join(f"sum({kind}_tokens)::bigint AS {kind}" for kind in _METERS)}
    FROM event GROUP BY ALL
"""
_LINES: Final = f"""
    CREATE TABLE line AS
    WITH everybody AS (
        SELECT * FROM hourly
        UNION ALL SELECT * REPLACE (place_no + $logged AS place_no) FROM hourly
        WHERE place_no < $unlogged
    )
    SELECT row_number() OVER (ORDER BY usage_start, place_no, kind) AS line_no,
        u.usage_start, m.* EXCLUDE (place_no, pico), 'Usage' AS type, 'AmazonBedrock' AS product,
        'InvokeModelInference' AS operation, tokens, tokens * pico // {_PICO} AS nano
    FROM (UNPIVOT everybody ON {", ".join(_METERS)} INTO NAME kind VALUE tokens) u
    JOIN meter m USING (place_no, kind)
"""
_OTHER_LINES: Final = """
    INSERT INTO line
    WITH account AS (SELECT DISTINCT account_id, net_percent FROM meter)
    SELECT 100000000 + row_number() OVER (), $start + INTERVAL (d) DAY, '', account_id,
        'us-east-1', '', o.usage_type, net_percent, o.type, o.product, '', 0, o.nano * (d + 1)
    FROM account, (VALUES ('Requests-Tier1', 'Usage', 'AmazonS3', 41234567, 30),
        ('', 'Tax', 'AmazonBedrock', 9876543210, 1),
        ('', 'Credit', 'AmazonBedrock', -5000000000, 1)) o (usage_type, type, product, nano, days),
        range(0, o.days) r (d)
"""
_CUR: Final = """
    COPY (
        SELECT type AS line_item_line_item_type, 'AWS' AS bill_billing_entity,
            '999988887777' AS bill_payer_account_id, 'INV-1' AS bill_invoice_id,
            account_id AS line_item_usage_account_id,
            usage_start AS line_item_usage_start_date,
            usage_start + INTERVAL 1 HOUR AS line_item_usage_end_date,
            product AS line_item_product_code, usage_type AS line_item_usage_type,
            operation AS line_item_operation, '' AS line_item_resource_id,
            tokens / 1000 AS line_item_usage_amount,
            paid / 1e9 AS line_item_unblended_cost,
            paid * net_percent // 100 / 1e9 AS line_item_net_unblended_cost,
            'USD' AS line_item_currency_code, region AS product_region_code,
            '1K tokens' AS pricing_unit
        FROM (SELECT *, CASE WHEN {dearer} THEN nano * 102 // 100 ELSE nano END AS paid FROM line)
        ORDER BY line_no
    ) TO '{path}' (FORMAT parquet, ROW_GROUP_SIZE 50000)
"""
_LISTED: Final = " + ".join(f"{kind}_tokens * {kind}_pico" for kind in _METERS)
_SUMS: Final = {
    "requests": "count(*)",
    **{f"{kind}_tokens": f"sum({kind}_tokens)" for kind in _METERS},
    "cost_nano": f"sum(({_LISTED}) // {_PICO})",
    "unpriced_requests": "count(*) FILTER (input_pico = 0)",
}
DAILY: Final = (
    "SELECT tenant_id, ts::date AS day, dim_id, actor_id, 1::smallint AS grain, "
    + ", ".join(f"({_SUMS.get(name, '0')})::bigint AS {name}" for name in MEASURE_NAMES)
    + " FROM event GROUP BY ALL ORDER BY day, dim_id, actor_id"
)
"""Rows of ``spend_daily``."""
CELLS: Final = (
    "SELECT DISTINCT tenant_id, ts::date AS day, cell_id, 1::smallint AS grain FROM event "
    "ORDER BY day"
)
"""Rows of ``spend_cell``."""
ONE_PASS: Final = """
    WITH used AS (
        SELECT ts::date AS day, account_id, region, model_id, sum(input_tokens) AS input,
            sum(cached_tokens) AS cached, sum(output_tokens) AS output
        FROM event GROUP BY ALL
    ), logged AS (
        UNPIVOT used ON input, cached, output INTO NAME kind VALUE logged_tokens
    ), billed AS (
        SELECT usage_start::date AS day, account_id, region, model_id, kind,
            sum(tokens) AS billed_tokens, sum(nano) AS nano
        FROM line GROUP BY ALL
    )
    SELECT count(*), sum(logged_tokens), sum(billed_tokens), sum(nano)
    FROM (SELECT * FROM billed FULL JOIN logged USING (day, account_id, region, model_id, kind))
"""
"""Events and bill lines summed by the same keys and held side by side."""


@dataclass(frozen=True, slots=True)
class Place:
    """An account, region and model of the month."""

    account_no: int
    account_id: str
    region: str
    meter: str
    """How usage types of the bill begin here."""
    model_id: str
    price_thousandths: int


@dataclass(frozen=True, slots=True)
class Estate:
    """Places in order of account: the first ones are logged, the others only billed."""

    places: list[Place]
    logged: int
    per_account: int

    @classmethod
    def of_lines(cls, lines: int) -> "Estate":
        """As large as makes about so many bill lines."""
        wanted = max(2, round(lines / _HOURS / len(_METERS)))
        every = list(product(_MODELS, _REGIONS))
        per_account = max(1, min(len(every), round(wanted / _ACCOUNTS)))
        accounts = max(2, round(wanted / per_account))
        places = [
            Place(
                account, f"{200000000000 + account * 7919}", region, f"{area}-{name}", model, part
            )
            for account in range(accounts)
            for (model, name, part), (region, area) in every[:per_account]
        ]
        return cls(places, max(1, accounts * _LOGGED_OF_TEN // 10) * per_account, per_account)

    def dimensions(self) -> Iterator[Dimension]:
        """Those of the logged calls, in order of place and application."""
        for place, number in product(self.places[: self.logged], range(_APPLICATIONS)):
            is_geo = number == _APPLICATIONS - 1
            yield Dimension(
                source=Source.BEDROCK,
                provider="bedrock",
                account_id=place.account_id,
                usage_account_id=place.account_id,
                region=place.region,
                routing_scope=RoutingScope.GEO if is_geo else RoutingScope.IN_REGION,
                model_id=place.model_id,
                application=f"application-{number}",
                team=f"team-{place.account_no % 7}",
                environment="prod",
            )


def actors() -> list[Actor]:
    return [Actor(user=f"user-{n}") for n in range(_ACTORS)]


def make_month(
    events: int, estate: Estate, tenant: TenantId, book: PriceBook
) -> duckdb.DuckDBPyConnection:
    """DuckDB in memory, one thread: ``event`` in the order of time, and the bill's ``line``."""
    duck = duckdb.connect(":memory:", config={"threads": 1})
    start = datetime(PERIOD.year, PERIOD.month, PERIOD.day, tzinfo=UTC)
    for name, rows in (
        ("dim", _dim_rows(estate, tenant, book)),
        (
            "actor",
            [
                {"actor_no": n, "actor_id": a.stable_id(), "user_name": a.user}
                for n, a in enumerate(actors())
            ],
        ),
        ("meter", _meter_rows(estate, book)),
    ):
        duck.register(name, pa.Table.from_pylist(list(rows)))
    duck.execute(
        _EVENTS,
        {
            "events": events,
            "start_us": int(start.timestamp()) * 1_000_000,
            "span_us": DAYS * 86_400_000_000,
            "logged": estate.logged // estate.per_account,
            "places": estate.per_account,
            "applications": _APPLICATIONS,
            "actors": _ACTORS,
        },
    )
    duck.execute(_HOURLY)
    unlogged = len(estate.places) - estate.logged
    duck.execute(_LINES, {"logged": estate.logged, "unlogged": unlogged})
    duck.execute(_OTHER_LINES, {"start": start.replace(tzinfo=None)})
    duck.execute("DROP TABLE hourly")
    return duck


def write_bill(duck: duckdb.DuckDBPyConnection, path: Path, dearer: str) -> None:
    """The report as one Parquet file; ``dearer`` says which lines have another price."""
    duck.execute(_CUR.format(path=path, dearer=dearer))


def _dim_rows(estate: Estate, tenant: TenantId, book: PriceBook) -> Iterator[dict[str, Any]]:
    for number, dimension in enumerate(estate.dimensions()):
        yield {
            "dim_no": number,
            "place_no": number // _APPLICATIONS,
            "tenant_id": tenant.bytes,
            "dim_id": dimension.stable_id(),
            "cell_id": dimension.cell_id(),
            "account_id": dimension.usage_account_id,
            "region": dimension.region,
            "model_id": dimension.model_id,
            "application": dimension.application,
            **{f"{kind}_pico": pico for kind, pico in _pico(dimension, book).items()},
        }


def _meter_rows(estate: Estate, book: PriceBook) -> Iterator[dict[str, Any]]:
    for number, place in enumerate(estate.places):
        dimension = Dimension(
            source=Source.BEDROCK,
            provider="bedrock",
            account_id=place.account_id,
            usage_account_id=place.account_id,
            region=place.region,
            routing_scope=RoutingScope.IN_REGION,
            model_id=place.model_id,
        )
        for kind, pico in _pico(dimension, book).items():
            yield {
                "place_no": number,
                "kind": kind.value,
                "account_id": place.account_id,
                "region": place.region,
                "model_id": place.model_id,
                "usage_type": f"{place.meter}-{_METERS[kind]}",
                "net_percent": 100 if place.account_no % 3 else 95,
                "pico": pico * place.price_thousandths // 1000,
            }


def _pico(dimension: Dimension, book: PriceBook) -> dict[TokenKind, int]:
    """List prices; 0 where the catalogue has none."""
    rates = token_rates(dimension, book, PERIOD)
    return {kind: int((rates[kind] or 0) * _PICO) for kind in _METERS}
