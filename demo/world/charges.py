"""What the bill charges for besides the traffic: batch jobs, throughput, a machine, storage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import numpy as np

from demo.world import prices
from demo.world.billline import BillLine, as_billed
from demo.world.spec import WorldSpec
from demo.world.story import DATA, NOVA_PRO, PROD, STREAMS
from demo.world.usage import Use, native_line

_SP_ARN = f"arn:aws:savingsplans::{PROD}:savingsplan/demo-plan"
_GPU_HOURLY, _SP_HOURLY = Decimal("0.8048"), Decimal("0.52")
_UNIT_HOURLY = Decimal("9.00")
_STORED_DAILY = Decimal("0.23")
_SUNDAY = 6
_BATCH_STREAM = next(stream for stream in STREAMS if stream.name == "catalogue-tags")
"""The nightly batch jobs use the model of this stream, at half its list price."""
_BATCH_SALT = 7


def other_lines(spec: WorldSpec) -> Iterator[BillLine]:
    """Lines of every day that no call of the event stream stands behind."""
    for begin, end in spec.calendar_days():
        hours = Decimal(int((end - begin).total_seconds()) // 3600)
        yield from _machine(begin, end, hours)
        yield _storage(begin, end)
        if DATA in spec.story.accounts:
            yield from _batch(spec, begin, end)
            if begin.weekday() == _SUNDAY:
                yield _throughput(begin, end)


def _batch(spec: WorldSpec, begin: datetime, end: datetime) -> Iterator[BillLine]:
    """A job of documents a night: batch inference is billed, and never logged nor counted."""
    rng = np.random.default_rng((spec.seed, _BATCH_SALT, begin.toordinal()))
    documents = max(1, spec.requests // (spec.days * 10))
    listed = prices.load()[_BATCH_STREAM.priced_model]
    for kind, low, high in (("input", 3000, 5000), ("output", 400, 800)):
        tokens = documents * int(rng.integers(low, high))
        use = Use(_BATCH_STREAM, kind, tokens, listed[kind] // 2, begin, end, tier="batch")
        yield native_line(use)


def _throughput(begin: datetime, end: datetime) -> BillLine:
    """One model unit without commitment, rented for an hour on Sundays; gone when it ends."""
    return BillLine(
        kind="Usage",
        account=DATA,
        begin=begin,
        end=end,
        amount=Decimal(1),
        unit="Hrs",
        rate=str(_UNIT_HOURLY),
        cost=as_billed(_UNIT_HOURLY),
        usage_type="USE1-NovaPro-ProvisionedThroughput-NoCommit-ModelUnits",
        operation="ProvisionedThroughput",
        resource=f"arn:aws:bedrock:us-east-1:{DATA}:provisioned-model/demo4load7te",
        region="us-east-1",
        description=f"${_UNIT_HOURLY} per model unit hour",
        tier="provisioned",
        foundation=NOVA_PRO,
    )


def _storage(begin: datetime, end: datetime) -> BillLine:
    """Something of another service: a bill of AI alone would prove little."""
    return BillLine(
        kind="Usage",
        account=PROD,
        begin=begin,
        end=end,
        amount=Decimal(10),
        unit="GB-Mo",
        rate=str(_STORED_DAILY / 10),
        cost=as_billed(_STORED_DAILY),
        product_code="AmazonS3",
        product_name="Amazon Simple Storage Service",
        usage_type="TimedStorage-ByteHrs",
        operation="StandardStorage",
        region="us-east-1",
    )


def _machine(begin: datetime, end: datetime, hours: Decimal) -> Iterator[BillLine]:
    """One GPU machine under a savings plan: three lines a day that are not Bedrock's."""
    covered, fee = as_billed(_GPU_HOURLY * hours), as_billed(_SP_HOURLY * hours)
    machine = BillLine(
        kind="SavingsPlanCoveredUsage",
        account=PROD,
        begin=begin,
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
    bare = replace(machine, savings_effective=None, tags={})
    yield replace(bare, kind="SavingsPlanNegation", cost=-covered)
    yield replace(
        bare,
        kind="SavingsPlanRecurringFee",
        cost=fee,
        product_code="ComputeSavingsPlans",
        product_name="Savings Plans for AWS Compute usage",
        usage_type="ComputeSP:1yrNoUpfront",
        resource=_SP_ARN,
        savings_total=fee,
        savings_used=fee,
    )
