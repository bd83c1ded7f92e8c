"""Faults on demand: rules that match calls and say what goes wrong with them."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

import msgspec

from demo.aws.context import Tweaks
from demo.aws.errors import AwsError, Kind, of_kind
from demo.aws.http import Delivery, HttpResponse
from demo.aws.wire import Call


class Fault(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One rule. Matching members that are absent match everything; names accept ``*``.

    ``nth`` counts matching calls from 1; ``times`` bounds how often the rule fires; ``skip``
    lets the first calls pass. ``resource`` is the bucket/key, log group, role ARN or identifier.
    """

    service: str | None = None
    operation: str | None = None
    account: str | None = None
    region: str | None = None
    resource: str | None = None
    nth: list[int] | None = None
    times: int | None = None
    skip: int = 0
    probability: float | None = None

    kind: Kind | None = None
    """A refusal in the service's own words (throttled, expired, denied, internal, …)."""
    status: int | None = None
    code: str | None = None
    message: str | None = None

    delay: float = 0.0
    """Seconds before the answer."""
    close: bool = False
    """Close the connection without an answer."""
    drop: float | None = None
    """Break the connection after this share of the body, Content-Length being whole."""
    reset: bool = False
    """Break it, by ``close`` or ``drop``, with a reset instead of an orderly end."""
    stall: float = 0.0
    """Seconds that a dropped connection stays open in silence before it ends."""
    slow: float = 0.0
    """Seconds between chunks of 64 KiB."""
    cut: float | None = None
    """Serve only this share of an S3 object, as if it had been stored so."""
    corrupt: bool = False
    """Spoil the head of an S3 object, so that no decoder accepts it."""
    replace: bool = False
    """After this read the object has a new ETag, as if rewritten meanwhile."""
    rewritten: bool = False
    """Before this read the object has a new ETag, as if rewritten since it was listed."""
    expire: bool = False
    """Every session that AssumeRole gave out has ended when this call comes."""
    page_size: int | None = None
    empty_page: bool = False
    name: str = ""


@dataclass(slots=True)
class _Armed:
    fault: Fault
    seen: int = 0
    fired: int = 0


@dataclass(frozen=True, slots=True)
class Strike:
    """What the first matching rule does to one call."""

    name: str
    error: AwsError | None
    tweaks: Tweaks
    delivery: Delivery
    drop: float | None
    expire: bool


class Faults:
    """The armed rules of one simulator. The first rule that fires wins."""

    def __init__(self, seed: int = 7) -> None:
        self._rules: list[_Armed] = []
        self._seed = seed
        self._random = random.Random(seed)

    def add(self, fault: Fault) -> None:
        self._rules.append(_Armed(fault))

    def clear(self) -> None:
        self._rules.clear()
        self._random = random.Random(self._seed)

    def fired(self) -> dict[str, int]:
        """How often each rule fired, by its name or position."""
        return {rule.fault.name or f"rule-{i}": rule.fired for i, rule in enumerate(self._rules)}

    def strike(self, call: Call, account: str, resource: str) -> Strike | None:
        for rule in self._rules:
            if _matches(rule.fault, call, account, resource):
                rule.seen += 1
                if self._fires(rule):
                    rule.fired += 1
                    return _strike(rule.fault, call)
        return None

    def _fires(self, rule: _Armed) -> bool:
        fault = rule.fault
        if rule.seen <= fault.skip:
            return False
        if fault.times is not None and rule.fired >= fault.times:
            return False
        if fault.nth is not None and rule.seen not in fault.nth:
            return False
        return fault.probability is None or self._random.random() < fault.probability


def resource_of(call: Call) -> str:
    """The name by which a rule may pick this call."""
    for name in ("logGroupName", "logGroupIdentifier", "RoleArn", "RoleName", "ExportArn"):
        if found := call.text(name):
            return found
    return call.target


def _matches(fault: Fault, call: Call, account: str, resource: str) -> bool:
    pairs = (
        (fault.service, call.service),
        (fault.operation, call.operation),
        (fault.account, account),
        (fault.region, call.region),
        (fault.resource, resource),
    )
    return all(wanted is None or fnmatchcase(actual, wanted) for wanted, actual in pairs)


def _strike(fault: Fault, call: Call) -> Strike:
    error: AwsError | None = None
    if fault.kind is not None:
        error = of_kind(call.service, fault.kind, fault.message)
    elif fault.code is not None:
        error = AwsError(fault.code, fault.message or fault.code, fault.status or 400)
    elif fault.status is not None:
        error = of_kind(call.service, Kind.INTERNAL, fault.message)
        error.status = fault.status
    tweaks = Tweaks(
        page_size=fault.page_size,
        empty_page=fault.empty_page,
        cut=fault.cut,
        corrupt=fault.corrupt,
        replace=fault.replace,
        rewritten=fault.rewritten,
    )
    delivery = Delivery(
        delay=fault.delay,
        close=fault.close,
        chunk_delay=fault.slow,
        reset=fault.reset,
        stall=fault.stall,
    )
    return Strike(fault.name, error, tweaks, delivery, fault.drop, fault.expire)


def shape(response: HttpResponse, strike: Strike) -> HttpResponse:
    """Apply the transport's part of a strike to an answer."""
    drop_after = None if strike.drop is None else int(len(response.body) * strike.drop)
    response.delivery = replace(strike.delivery, drop_after=drop_after)
    return response
