"""The bill of the story: what AWS would charge for the calls, and for a few other things."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from demo.world import prices
from demo.world.prices import usd
from demo.world.spec import WorldSpec
from demo.world.story import HAIKU, NOVA_LITE, NOVA_PRO, OLD_HAIKU, PROD, TITAN, Call, Stream
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
_TAX_RATE = Decimal("0.07")
_CREDIT = Decimal("-25.00")
_CENT = Decimal("0.01")
_SP_ARN = f"arn:aws:savingsplans::{PROD}:savingsplan/demo-plan"
_GPU_HOURLY, _SP_HOURLY = Decimal("0.8048"), Decimal("0.52")


@dataclass(frozen=True, slots=True)
class BillLine:
    """One line item of one day (taxes and credits: of one month)."""

    kind: str
    account: str
    begin: datetime
    end: datetime
    cost: Decimal
    amount: Decimal = Decimal(0)
    rate: str = ""
    unit: str = ""
    entity: str = "AWS"
    product_code: str = "AmazonBedrock"
    product_name: str = "Amazon Bedrock"
    usage_type: str = ""
    operation: str = ""
    resource: str = ""
    region: str = ""
    description: str = ""
    token_kind: str = ""
    stream_model: str = ""
    savings_plan: str = ""
    savings_effective: Decimal | None = None
    savings_total: Decimal | None = None
    savings_used: Decimal | None = None
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def period(self) -> str:
        return f"{self.begin:%Y-%m}"


def bill_lines(spec: WorldSpec, tally: Tally) -> list[BillLine]:
    """All lines, in order of period; costs are what a double keeps of the exact product."""
    usage = list(_usage(spec, tally))
    lines = usage + list(_machines(spec))
    for period in sorted({line.period for line in lines}):
        lines += _month_end(spec, period, [line for line in lines if line.period == period])
    return sorted(lines, key=lambda line: line.period)


def as_billed(cost: Decimal) -> Decimal:
    """The amount that survives the bill's float64 columns."""
    return Decimal(repr(float(cost)))


def _usage(spec: WorldSpec, tally: Tally) -> Iterator[BillLine]:
    totals: dict[tuple[date, str, Stream], int] = {}
    for cell in tally.cells():
        for kind in TOKENS:
            if cell.sums[kind]:
                key = (cell.day, kind, _billed_as(cell.stream))
                totals[key] = totals.get(key, 0) + cell.sums[kind]
    listed = prices.load() | prices.UNLISTED
    for (day, kind, stream), tokens in totals.items():
        pico = listed[stream.priced_model][kind]
        begin = max(datetime.combine(day, time(), UTC), spec.start)
        end = min(datetime.combine(day, time(), UTC) + timedelta(days=1), spec.end)
        build = _native if stream.model in _NATIVE else _marketplace
        yield build(stream, kind, tokens, pico, begin, end)


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
    )


def _operation(stream: Stream) -> str:
    return f"InvokeModel{stream.operation}Inference"


def _native(
    stream: Stream, kind: str, tokens: int, pico: int, begin: datetime, end: datetime
) -> BillLine:
    code = REGION_CODES[stream.region]
    suffix = "-cross-region-global" if stream.scope == "global" else ""
    has_resource = stream.call is Call.PROFILE
    return BillLine(
        kind="Usage",
        account=stream.account,
        begin=begin,
        end=end,
        amount=Decimal(tokens) / 1000,
        unit="1K tokens",
        rate=prices.plain(usd(pico * 1000)),
        cost=as_billed(usd(tokens * pico)),
        usage_type=f"{code}-{_NATIVE[stream.model]}-{_NATIVE_KINDS[kind]}{suffix}",
        operation=_operation(stream),
        resource=stream.called_model if has_resource else "",
        region=stream.region,
        description=f"${prices.plain(usd(pico * 1000))} per 1K tokens",
        token_kind=kind,
        stream_model=stream.priced_model,
        tags={"user_team": stream.team} if has_resource else {},
    )


def _marketplace(
    stream: Stream, kind: str, tokens: int, pico: int, begin: datetime, end: datetime
) -> BillLine:
    code = REGION_CODES[stream.region]
    suffix = "_Global" if stream.scope == "global" else ""
    name, product = _EDITIONS[stream.model]
    return BillLine(
        kind="Usage",
        account=stream.account,
        begin=begin,
        end=end,
        amount=Decimal(tokens) / 1_000_000,
        unit="Units",
        rate=prices.plain(usd(pico * 1_000_000)),
        cost=as_billed(usd(tokens * pico)),
        entity="AWS Marketplace",
        product_code=product,
        product_name=f"{name} (Amazon Bedrock Edition)",
        usage_type=f"{code}-MP:{code}_{_MARKETPLACE_KINDS[kind]}{suffix}-Units",
        operation=_operation(stream),
        region=stream.region,
        description=f"AWS Marketplace software usage|{stream.region}|{name}",
        token_kind=kind,
        stream_model=stream.priced_model,
    )


def _machines(spec: WorldSpec) -> Iterator[BillLine]:
    """One GPU machine under a savings plan: three lines a day that are not Bedrock's."""
    at = spec.start
    while at < spec.end:
        end = min(at.replace(hour=0) + timedelta(days=1), spec.end)
        hours = Decimal(int((end - at).total_seconds()) // 3600)
        covered, fee = as_billed(_GPU_HOURLY * hours), as_billed(_SP_HOURLY * hours)
        machine = BillLine(
            kind="SavingsPlanCoveredUsage",
            account=PROD,
            begin=at,
            end=end,
            amount=hours,
            unit="Hrs",
            rate=str(_GPU_HOURLY),
            cost=covered,
            product_code="AmazonEC2",
            product_name="Amazon Elastic Compute Cloud",
            usage_type="USW2-BoxUsage:g6.xlarge",
            operation="RunInstances",
            resource="i-0ee11bb22cc33dd55",
            region="us-west-2",
            savings_plan=_SP_ARN,
            savings_effective=fee,
            tags={"user_team": "ml"},
        )
        yield machine
        yield _changed(machine, kind="SavingsPlanNegation", cost=-covered, effective=None)
        yield _changed(
            machine, kind="SavingsPlanRecurringFee", cost=fee, effective=None, total=fee, used=fee
        )
        at = end


def _changed(
    line: BillLine,
    kind: str,
    cost: Decimal,
    effective: Decimal | None,
    total: Decimal | None = None,
    used: Decimal | None = None,
) -> BillLine:
    is_fee = kind == "SavingsPlanRecurringFee"
    return replace(
        line,
        kind=kind,
        cost=cost,
        savings_effective=effective,
        savings_total=total,
        savings_used=used,
        product_code="ComputeSavingsPlans" if is_fee else line.product_code,
        product_name="Savings Plans for AWS Compute usage" if is_fee else line.product_name,
        usage_type="ComputeSP:1yrNoUpfront" if is_fee else line.usage_type,
        resource=_SP_ARN if is_fee else line.resource,
        tags={},
    )


def _month_end(spec: WorldSpec, period: str, lines: list[BillLine]) -> Iterator[BillLine]:
    begin = datetime.fromisoformat(f"{period}-01T00:00:00+00:00")
    end = (begin + timedelta(days=32)).replace(day=1)
    for account in sorted({line.account for line in lines}):
        base = sum((line.cost for line in lines if line.account == account), Decimal(0))
        tax = (base * _TAX_RATE).quantize(_CENT)
        yield BillLine(
            "Tax", account, begin, end, as_billed(tax), product_name="Tax", description="Sales tax"
        )
    payer = spec.story.payer
    yield BillLine(
        "Credit", payer, begin, end, as_billed(_CREDIT), description="Promotional credit"
    )
