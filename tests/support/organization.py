"""An emulated organisation of any size: a payer with the stack's role, and numbered members."""

import base64
import gzip
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from demo.aws import state as sim
from demo.aws.control import SimControl
from tensorcost.activities.integration.bedrock.connector import BedrockConnector
from tensorcost.activities.integration.ports import Discovery, Known
from tensorcost.domain.clock import Clock
from tensorcost.providers.aws.limiter import Limiter
from tests.providers.aws.world import BACKEND, HOME, MODEL, PAYER, accounts, jump_role, sessions
from tests.providers.bedrock.samples import record

REQUESTS = 3
"""Logged calls of each account and hour that has any."""


def member(number: int) -> str:
    """The account id of a member, from 1."""
    return f"{200_000_000_000 + number}"


def organization(
    size: int, *, now: datetime, busy: Sequence[int] = (), hours: Sequence[int] = (3,)
) -> sim.SimState:
    """A payer and ``size`` members, all with the jump role.

    The ``busy`` ones called Bedrock in the home region so many ``hours`` before ``now``, logged
    to a bucket of their own and counted by CloudWatch.
    """
    numbered = [member(number) for number in range(1, size + 1)]
    state = sim.SimState(
        now=now,
        accounts=[one for one in accounts() if one.id in (BACKEND, PAYER)],
        organization=sim.Organization(id="o-many", management=PAYER, members=[PAYER, *numbered]),
    )
    state.accounts += [
        sim.Account(id=account, name=f"team-{at}", roles=[jump_role()])
        for at, account in enumerate(numbered, start=1)
    ]
    for number in busy:
        add_calls(state, member(number), [now - timedelta(hours=back) for back in hours])
    return state


def add_calls(state: sim.SimState, account: str, times: Sequence[datetime]) -> None:
    """Calls of one account: one log object and one metric point for each of ``times``."""
    bucket = f"bedrock-logs-{account}"
    if state.bucket(bucket) is None:
        state.buckets.append(sim.Bucket(name=bucket, account=account, region=HOME))
        state.logging.append(sim.LoggingConfig(account=account, region=HOME, bucket=bucket))
    for at in times:
        state.objects.append(_logged(bucket, account, at.astimezone(UTC)))
        state.metric_points.append(
            sim.MetricPoint(
                account=account,
                region=HOME,
                model_id=MODEL,
                at=at,
                invocations=REQUESTS,
                input_tokens=100 * REQUESTS,
                output_tokens=10 * REQUESTS,
            )
        )


def connector(
    aws: SimControl, clock: Clock, *, limiter: Limiter | None = None, **changes: Any
) -> BedrockConnector:
    return BedrockConnector(
        sessions(aws.endpoint_url, clock=clock, limiter=limiter, **changes), clock
    )


def known_after(found: Discovery, earlier: Known | None = None) -> Known:
    """What the store would hold after a look."""
    places = dict(earlier.places) if earlier else {}
    return Known(
        accounts={account.account_id: account for account in found.accounts},
        sites=found.sites,
        places=places | {seen.place: seen for seen in found.places},
    )


def _logged(bucket: str, account: str, at: datetime) -> sim.ObjectSeed:
    rows = [
        record(
            requestId=f"{account}-{at:%Y%m%d%H%M}-{number}",
            accountId=account,
            timestamp=at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            modelId=MODEL,
        )
        for number in range(REQUESTS)
    ]
    packed = gzip.compress("\n".join(json.dumps(row) for row in rows).encode())
    key = (
        f"AWSLogs/{account}/BedrockModelInvocationLogs/{HOME}/{at:%Y/%m/%d/%H}/"
        f"{at:%Y%m%dT%H%M%S}000Z_0123456789abcdef.json.gz"
    )
    return sim.ObjectSeed(bucket=bucket, key=key, base64=base64.b64encode(packed).decode())
