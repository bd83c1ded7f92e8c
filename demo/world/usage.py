"""The bill's token lines: the traffic at list price, drift and late metering included."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal

from demo.world import prices
from demo.world.billline import BillLine, as_billed
from demo.world.prices import usd
from demo.world.spec import WorldSpec
from demo.world.story import (
    HAIKU,
    NOVA_LITE,
    NOVA_PRO,
    OLD_HAIKU,
    PROD,
    SONNET,
    TITAN,
    Call,
    Stream,
)
from demo.world.tally import TOKENS, Tally

REGION_CODES = {"us-east-1": "USE1", "us-west-2": "USW2", "eu-west-1": "EUW1"}
_NATIVE = {
    HAIKU: "Claude4.5Haiku",
    OLD_HAIKU: "Claude3Haiku",
    NOVA_LITE: "NovaLite",
    NOVA_PRO: "NovaPro",
    TITAN: "TitanEmbeddingsV2-Text",
}
"""Models billed as AmazonBedrock; the others are AWS Marketplace editions."""
_NATIVE_KINDS = {
    "input": "input-tokens",
    "cached": "cache-read-input-token-count",
    "cache_write_5m": "cache-write-input-token-count",
    "cache_write_1h": "cache-write-1h-input-token-count",
    "output": "output-tokens",
}
_MARKETPLACE_KINDS = {
    "input": "InputTokenCount",
    "cached": "CacheReadInputTokenCount",
    "cache_write_5m": "CacheWriteInputTokenCount",
    "cache_write_1h": "CacheWrite1hInputTokenCount",
    "output": "OutputTokenCount",
}
_EDITIONS = {
    "anthropic.claude-sonnet-4-5-20250929-v1:0": ("Claude Sonnet 4.5", "8demo0sonnet45"),
    "anthropic.claude-opus-4-5-20251101-v1:0": ("Claude Opus 4.5", "8demo0opus45"),
    "stellar.lumen-large-v1:0": ("Lumen Large", "8demo0lumenlarge"),
}
DRIFTING = HAIKU
"""From the world's middle day on AWS bills this model five per cent below its list price."""
LATE_ACCOUNT, LATE_MODEL = PROD, SONNET
"""Whose usage of a month's last day AWS has metered only to nine tenths when it first bills."""


@dataclass(frozen=True, slots=True)
class Use:
    """Tokens of one kind that AWS bills in one line."""

    stream: Stream
    kind: str
    tokens: int
    pico: int
    """Price of one token in picodollars."""
    begin: datetime
    end: datetime
    tier: str = "standard"


def usage_lines(spec: WorldSpec, tally: Tally, late_day: date | None = None) -> Iterator[BillLine]:
    """Lines of a day, model and token kind; ``late_day`` is not metered completely yet."""
    totals: dict[tuple[date, str, Stream], int] = {}
    for cell in tally.cells():
        for kind in TOKENS:
            if cell.sums[kind]:
                key = (cell.day, kind, _billed_as(cell.stream))
                totals[key] = totals.get(key, 0) + cell.sums[kind]
    days = {begin.date(): (begin, end) for begin, end in spec.calendar_days()}
    listed = prices.load() | prices.UNLISTED
    drift_from = drift_day(spec)
    for (day, kind, stream), used in totals.items():
        is_late = day == late_day and (stream.account, stream.model) == (LATE_ACCOUNT, LATE_MODEL)
        pico = listed[stream.priced_model][kind]
        if stream.model == DRIFTING and day >= drift_from:
            pico = pico * 95 // 100
        tokens = used * 9 // 10 if is_late else used
        build = native_line if stream.model in _NATIVE else _marketplace
        yield build(Use(stream, kind, tokens, pico, *days[day]))


def drift_day(spec: WorldSpec) -> date:
    """The first day of the drifting price."""
    return (spec.start + (spec.end - spec.start) / 2).date()


def _billed_as(stream: Stream) -> Stream:
    """Streams that AWS does not tell apart become one."""
    has_resource = stream.call is Call.PROFILE
    return replace(
        stream,
        name="",
        application=stream.application if has_resource else "",
        team=stream.team if has_resource else "",
        environment=stream.environment if has_resource else "",
        operation="Streaming" if stream.streams_tokens else "",
        shape=stream.shape,
        share=0,
        client="",
        agents=(),
        workflow=None,
        metadata_style="",
        metadata_rate=0.0,
        role="",
        bursty=False,
        stumbles=False,
        runaway_agent=None,
        open_share=1.0,
    )


def _operation(stream: Stream) -> str:
    return f"InvokeModel{stream.operation}Inference"


def native_line(use: Use) -> BillLine:
    """A line in AmazonBedrock's own vocabulary."""
    stream, code = use.stream, REGION_CODES[use.stream.region]
    suffix = "-batch" if use.tier == "batch" else ""
    suffix += "-cross-region-global" if stream.scope == "global" else ""
    per_thousand = prices.plain(usd(use.pico * 1000))
    has_resource = stream.call is Call.PROFILE
    return BillLine(
        kind="Usage",
        account=stream.account,
        begin=use.begin,
        end=use.end,
        amount=Decimal(use.tokens) / 1000,
        unit="1K tokens",
        rate=per_thousand,
        cost=as_billed(usd(use.tokens * use.pico)),
        usage_type=f"{code}-{_NATIVE[stream.model]}-{_NATIVE_KINDS[use.kind]}{suffix}",
        operation=_operation(stream),
        resource=stream.called_model if has_resource else "",
        region=stream.region,
        description=f"${per_thousand} per 1K tokens",
        token_kind=use.kind,
        tokens=use.tokens,
        tier=use.tier,
        stream_model=stream.priced_model,
        foundation=stream.model,
        tags={"user_team": stream.team} if has_resource else {},
    )


def _marketplace(use: Use) -> BillLine:
    stream, pico = use.stream, use.pico
    code = REGION_CODES[stream.region]
    suffix = "_Global" if stream.scope == "global" else ""
    name, product = _EDITIONS[stream.model]
    return BillLine(
        kind="Usage",
        account=stream.account,
        begin=use.begin,
        end=use.end,
        amount=Decimal(use.tokens) / 1_000_000,
        unit="Units",
        rate=prices.plain(usd(pico * 1_000_000)),
        cost=as_billed(usd(use.tokens * pico)),
        entity="AWS Marketplace",
        product_code=product,
        product_name=f"{name} (Amazon Bedrock Edition)",
        usage_type=f"{code}-MP:{code}_{_MARKETPLACE_KINDS[use.kind]}{suffix}-Units",
        operation=_operation(stream),
        region=stream.region,
        description=f"AWS Marketplace software usage|{stream.region}|{name}",
        token_kind=use.kind,
        tokens=use.tokens,
        tier=use.tier,
        stream_model=stream.priced_model,
        foundation=stream.model,
    )
