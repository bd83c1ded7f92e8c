"""CloudWatch's counters for Bedrock to hourly metric rows.

A metric row names an account, a region and the model as it was called, nothing else: no
application, no user. Its native id is the window, so that a re-read meets the same row and a
value that still grows replaces the earlier one (decisions 11).
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from tensorcost.domain.spend.facts import Actor, Dimension, Grain, Source
from tensorcost.domain.spend.identity import metric_native_id
from tensorcost.domain.spend.limits import (
    AWS_ACCOUNT,
    MAX_TOKENS_PER_METRIC,
    RejectReason,
    TimeBounds,
    tokens_problem,
)
from tensorcost.domain.spend.parsed import ParsedSpend, Reject
from tensorcost.providers.bedrock.attribution import (
    NO_LABELS,
    AttributionRules,
    Label,
    LabelReader,
    Labels,
)
from tensorcost.providers.bedrock.log_row import PROVIDER
from tensorcost.providers.bedrock.model_id import ResolvedModel, resolve_model
from tensorcost.providers.bedrock.profiles import EMPTY_DIRECTORY, ProfileDirectory

HOUR: Final = 3600


class Metric(StrEnum):
    """The counters that make up a row. CloudWatch's names differ from the log's fields."""

    INVOCATIONS = "Invocations"
    INPUT = "InputTokenCount"
    OUTPUT = "OutputTokenCount"
    CACHE_READ = "CacheReadInputTokens"
    CACHE_WRITE = "CacheWriteInputTokens"


@dataclass(frozen=True, slots=True)
class MetricSeries:
    """Sums of one metric of one model: (window start in epoch seconds, value) pairs.

    ``model`` is the ``ModelId`` dimension as CloudWatch has it.
    """

    model: str
    metric: Metric
    points: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class MetricParse:
    """Where the series come from. ``file`` names the read in rejects."""

    account_id: str
    region: str
    bounds: TimeBounds
    directory: ProfileDirectory = EMPTY_DIRECTORY
    attribution: AttributionRules = field(default_factory=AttributionRules)
    period_seconds: int = HOUR
    file: str = "cloudwatch"


def parse_metrics(series: Iterable[MetricSeries], parse: MetricParse) -> ParsedSpend:
    """One row for each model and window in which anything was counted.

    Points of a shorter period are summed into their window. Cache writes count as five
    minutes, for the counter does not tell. Windows whose counts are all zero give no row.
    """
    batch = ParsedSpend(grain=Grain.METRIC)
    if not AWS_ACCOUNT.fullmatch(parse.account_id):
        batch.rejects.append(Reject(parse.file, 0, RejectReason.BAD_ACCOUNT, "account"))
        return batch
    reader = LabelReader(parse.attribution)
    actor = batch.intern_actor(Actor())
    dims: dict[str, int] = {}
    for (model, start), counts in sorted(
        _windows(series, parse, batch).items(), key=lambda item: item[0]
    ):
        if model not in dims:
            resolved = resolve_model(model, parse.directory)
            labels = reader.read(resolved.profile_tags) if resolved.profile_tags else NO_LABELS
            dims[model] = batch.intern_dimension(_dimension(resolved, labels, parse))
        native_id = metric_native_id(model, start, parse.period_seconds)
        _append(batch, (dims[model], actor), native_id, start, counts)
    # Several points make a row: what is counted as read is what becomes of them.
    batch.rows_read = len(batch) + len(batch.rejects)
    return batch


_Window = tuple[str, int]
_Counts = dict[Metric, float]


def _windows(
    series: Iterable[MetricSeries], parse: MetricParse, batch: ParsedSpend
) -> dict[_Window, _Counts]:
    windows: dict[_Window, _Counts] = {}
    for one in series:
        for position, (at, value) in enumerate(one.points, start=1):
            reason = parse.bounds.problem(at * 1_000_000) or _value_problem(value)
            if reason:
                detail = f"{one.metric} of {one.model}"[:200]
                batch.rejects.append(Reject(parse.file, position, reason, detail))
                continue
            start = at - at % parse.period_seconds
            counts = windows.setdefault((one.model, start), {})
            counts[one.metric] = counts.get(one.metric, 0.0) + value
    return {window: counts for window, counts in windows.items() if any(counts.values())}


def _value_problem(value: float) -> str | None:
    if not math.isfinite(value):
        return RejectReason.WRONG_TYPE
    return tokens_problem((round(value),), limit=MAX_TOKENS_PER_METRIC)


def _dimension(model: ResolvedModel, labels: Labels, parse: MetricParse) -> Dimension:
    values = labels.values
    return Dimension(
        source=Source.BEDROCK,
        provider=PROVIDER,
        account_id=parse.account_id,
        usage_account_id=parse.account_id,
        region=parse.region,
        routing_scope=model.routing_scope,
        model_id=model.model_id,
        model_family=model.family,
        model_tier=model.tier,
        service_tier=model.service_tier,
        modality=model.modality,
        profile_arn=model.profile_arn,
        application=values[Label.APPLICATION],
        team=values[Label.TEAM],
        environment=values[Label.ENVIRONMENT],
        owner=values[Label.OWNER],
        tags=labels.tags,
    )


def _append(
    batch: ParsedSpend, keys: tuple[int, int], native_id: str, start: int, counts: _Counts
) -> None:
    batch.dim.append(keys[0])
    batch.actor.append(keys[1])
    batch.native_id.append(native_id)
    batch.ts_us.append(start * 1_000_000)
    batch.requests.append(round(counts.get(Metric.INVOCATIONS, 0)))
    batch.input_tokens.append(round(counts.get(Metric.INPUT, 0)))
    batch.cached_tokens.append(round(counts.get(Metric.CACHE_READ, 0)))
    batch.cache_write_5m_tokens.append(round(counts.get(Metric.CACHE_WRITE, 0)))
    batch.cache_write_1h_tokens.append(0)
    batch.output_tokens.append(round(counts.get(Metric.OUTPUT, 0)))
    for column in (
        batch.quantity_micro, batch.unit, batch.recorded_cost_nano, batch.recorded_currency,
        batch.latency_ms, batch.error_code, batch.request_id, batch.conversation_id,
        batch.session_id, batch.prompt_hash, batch.response_hash, batch.prefix_hashes,
    ):  # fmt: skip
        column.append(None)
