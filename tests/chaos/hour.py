"""An organisation as a backfill finds it, and as the sync of an hour later does."""

import gzip
import json
import random
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

from demo.aws import state as sim
from tests.providers.aws.world import CUR_BUCKET, GROUP, HOME, MODEL, PAYER, bill_export, stored
from tests.providers.bedrock.cur_files import as_csv, row
from tests.providers.bedrock.samples import lines, record
from tests.support.organization import add_calls, member, organization

DAYS: Final = 2
"""Whole days before today that a backfill reads: all of it."""
BUSY: Final = (1, 2)
CALLED: Final = range(2, 40, 4)
"""Hours before now in which the busy members called."""
MANY: Final = 6_000
"""Calls in one object: more than are parsed, or read from the network, at once."""


def before(now: datetime) -> sim.SimState:
    """What a backfill finds: calls in buckets, in a log group and in CloudWatch, and a bill."""
    state = organization(4, now=now, busy=BUSY, hours=CALLED)
    state.log_groups.append(sim.LogGroup(account=PAYER, region=HOME, name=GROUP))
    state.logging.append(sim.LoggingConfig(account=PAYER, region=HOME, log_group=GROUP))
    state.profiles.append(
        sim.InferenceProfile(
            account=PAYER,
            region=HOME,
            id="ab12cd34ef56",
            name="support-bot-prod",
            type="APPLICATION",
            model_arns=[f"arn:aws:bedrock:{HOME}::foundation-model/anthropic.claude-sonnet-4-6"],
            created=now - timedelta(days=60),
            tags={"team": "care"},
        )
    )
    state.objects.append(_crowd(now - timedelta(hours=7, minutes=30)))
    _add_events(state, [now - timedelta(hours=back) for back in range(2, 40)])
    state.buckets.append(sim.Bucket(name=CUR_BUCKET, account=PAYER, region=HOME))
    state.exports.append(bill_export(created=now - timedelta(days=90), refreshed=now))
    state.objects += _bill(now.date(), run=1)
    return state


def after(now: datetime) -> sim.SimState:
    """The same an hour of calls later, and the bill delivered again."""
    state = before(now)
    for number in BUSY:
        add_calls(state, member(number), [now - timedelta(minutes=at) for at in (20, 50)])
    _add_events(state, [now - timedelta(minutes=at) for at in (15, 25, 55)])
    state.objects = [one for one in state.objects if one.bucket != CUR_BUCKET]
    state.objects += _bill(now.date(), run=2)
    return state


def _crowd(at: datetime) -> sim.ObjectSeed:
    """One object of many calls, whose texts cannot be packed."""
    account, noise = member(1), random.Random(7)
    rows = [
        record(
            requestId=f"{account}-crowd-{number}",
            accountId=account,
            timestamp=at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            modelId=MODEL,
            requestMetadata={"conversation_id": noise.randbytes(48).hex()},
        )
        for number in range(MANY)
    ]
    key = (
        f"AWSLogs/{account}/BedrockModelInvocationLogs/{HOME}/{at:%Y/%m/%d/%H}/"
        f"{at:%Y%m%dT%H%M%S}000Z_fedcba9876543210.json.gz"
    )
    return stored(key, gzip.compress(lines(*rows), 1), f"bedrock-logs-{account}")


def _add_events(state: sim.SimState, times: Sequence[datetime]) -> None:
    """Calls of the payer, in its log group and counted."""
    for at in times:
        told = record(
            requestId=f"payer-{at:%Y%m%d%H%M}",
            accountId=PAYER,
            timestamp=at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            modelId=MODEL,
        )
        state.log_events.append(
            sim.LogEvent(account=PAYER, region=HOME, group=GROUP, at=at, message=json.dumps(told))
        )
        state.metric_points.append(
            sim.MetricPoint(account=PAYER, region=HOME, model_id=MODEL, at=at, input_tokens=120)
        )


def _bill(today: date, *, run: int) -> list[sim.ObjectSeed]:
    """Both months in which the last days lie, in two files each; dearer with every run."""
    days = [today - timedelta(days=back) for back in range(5)]
    days.append(today.replace(day=1) - timedelta(days=1))
    found = []
    for month in sorted({day.replace(day=1) for day in days}):
        rows = [
            row(
                bill_payer_account_id=PAYER,
                line_item_usage_account_id=account,
                line_item_usage_start_date=f"{day}T03:00:00.000Z",
                line_item_usage_end_date=f"{day}T04:00:00.000Z",
                line_item_unblended_cost=str(run * (place + 1) * 7.31),
            )
            for day in sorted(set(days))
            if day.replace(day=1) == month
            for place, account in enumerate((PAYER, *map(member, BUSY)))
        ]
        found += _delivery(f"{month:%Y-%m}", rows, run)
    return found


def _delivery(month: str, rows: list[dict[str, Any]], run: int) -> list[sim.ObjectSeed]:
    half = len(rows) // 2
    files = [gzip.compress(as_csv(part), mtime=0) for part in (rows[:half], rows[half:]) if part]
    keys = [
        f"cur/bills/data/BILLING_PERIOD={month}/bills-{number:05d}.csv.gz"
        for number in range(1, len(files) + 1)
    ]
    manifest = {
        "dataFiles": [f"s3://{CUR_BUCKET}/{key}" for key in keys],
        "executionId": f"{month}-run-{run}",
    }
    name = f"cur/bills/metadata/BILLING_PERIOD={month}/bills-Manifest.json"
    contents = [*zip(keys, files, strict=True), (name, json.dumps(manifest).encode())]
    return [stored(key, content, CUR_BUCKET) for key, content in contents]
