"""One invocation log record to one row of columns."""

import re
from collections.abc import Iterable
from typing import Final

from tensorcost.domain.spend.facts import UNKNOWN, Actor, Dimension, Grain, ServiceTier, Source
from tensorcost.domain.spend.limits import (
    AWS_ACCOUNT,
    RejectReason,
    context_bucket,
    tokens_problem,
)
from tensorcost.domain.spend.parsed import ParsedSpend, Reject
from tensorcost.providers.bedrock import log_record as shape
from tensorcost.providers.bedrock.attribution import (
    NO_LABELS,
    AttributionRules,
    DistinctLimiter,
    Label,
    LabelReader,
    Labels,
    clean_text,
    user_of_identity,
)
from tensorcost.providers.bedrock.bodies import BodyFacts, read_tier
from tensorcost.providers.bedrock.log_record import NO_RAW
from tensorcost.providers.bedrock.model_id import ResolvedModel, resolve_model
from tensorcost.providers.bedrock.profiles import ProfileDirectory
from tensorcost.providers.bedrock.service_tier import LATENCY_OPTIMISED, tier_of

PROVIDER: Final = "bedrock"
MAX_ACTORS: Final = 20_000
_MAX_CACHED: Final = 20_000
_REGION: Final = re.compile(r"[a-z]{2,3}(-[a-z0-9]+){1,4}")
_TEXT_LIMIT: Final = 128
_USER, _AGENT, _WORKFLOW = int(Label.USER), int(Label.AGENT), int(Label.WORKFLOW)
_CONVERSATION, _SESSION = int(Label.CONVERSATION), int(Label.SESSION)
_COLUMNS: Final = (
    "dim",
    "actor",
    "ts_us",
    "native_id",
    "request_id",
    "input_tokens",
    "cached_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "latency_ms",
    "error_code",
    "conversation_id",
    "session_id",
    "prompt_hash",
    "response_hash",
    "prefix_hashes",
)
"""The order of a row's values; the other columns hold the same for every log row."""
_DIMENSION_LABELS: Final = (Label.APPLICATION, Label.TEAM, Label.ENVIRONMENT, Label.OWNER)

_Record = shape.Record | shape.PlainRecord
Problem = tuple[str, str]
"""A reject reason and the field that it is about."""


class _Context:
    """What all rows of one caller, model and metadata share within one batch."""

    __slots__ = ("actor", "conversation", "dims", "labels", "session")

    def __init__(self, labels: Labels, actor: int, dims: dict[str, int]) -> None:
        self.labels = labels
        self.actor = actor
        self.dims = dims
        self.conversation = labels.values[_CONVERSATION] or None
        self.session = labels.values[_SESSION] or None


class RowAssembler:
    """Turns records into rows of a batch, remembering what repeats within one object."""

    def __init__(self, directory: ProfileDirectory, rules: AttributionRules) -> None:
        self._directory = directory
        self._rules = rules
        self._reader = LabelReader(rules)
        self._limiter = DistinctLimiter(rules.max_distinct)
        self._actor_limiter = DistinctLimiter(MAX_ACTORS)
        self._models: dict[str, tuple[ResolvedModel, Labels]] = {}
        self._users: dict[str, str] = {}
        self._batch = ParsedSpend(grain=Grain.REQUEST)
        self._values: list[object] = []
        self._contexts: dict[object, _Context] = {}
        self._dims: dict[object, dict[str, int]] = {}
        self._actors: dict[tuple[str, str, str], int] = {}

    def append_plain(
        self, record: shape.PlainRecord, facts: BodyFacts, ts_us: int, native_id: str
    ) -> Problem | None:
        """The same as ``append`` for a record whose counts have not been checked."""
        counts = _counts(record, facts)
        if reason := tokens_problem(counts) if counts else None:
            return reason, "tokenCount"
        return self.append(record, facts, ts_us, native_id)

    def append(
        self, record: _Record, facts: BodyFacts, ts_us: int, native_id: str
    ) -> Problem | None:
        """Append one row; None when that is done, else what is wrong with the record."""
        counts = _counts(record, facts)
        if counts is None:
            return RejectReason.MISSING_FIELD, "input.inputTokenCount"
        named = facts.service_tier
        if record.performance_config is not None or record.service_tier is not NO_RAW:
            named = _named_tier(record, facts)
        raw = record.request_metadata
        metadata = b"" if raw is NO_RAW else bytes(raw)
        arn = record.identity.arn if record.identity is not None else None
        key = (
            record.account_id, record.region, record.model_id, record.operation, arn, named,
            metadata,
        )  # fmt: skip
        context = self._contexts.get(key)
        if context is None:
            context = self._context(record, arn, named, metadata)
            if context is None:
                return _place_problem(record)
            self._contexts[key] = context
        uncached, read, write_5m, write_1h, out = counts
        bucket = context_bucket(uncached + read + write_5m + write_1h)
        dim = context.dims.get(bucket)
        if dim is None:
            dim = self._batch.intern_dimension(self._dimension(record, named, bucket, context))
            context.dims[bucket] = dim
        error = record.error_code
        self._values += (
            dim, context.actor, ts_us, native_id, record.request_id,
            uncached, read, write_5m, write_1h, out, facts.latency_ms,
            clean_text(error, _TEXT_LIMIT) if error else None,
            context.conversation, context.session,
            facts.prompt_hash, facts.response_hash, facts.prefix_hashes,
        )  # fmt: skip
        return None

    def mark_line(self, line: int) -> None:
        """The next row is the one of ``line``, and those after it count up with the lines."""
        self._batch.mark_line(len(self._values) // len(_COLUMNS), line)

    def take(self, rejects: list[Reject], rows_read: int) -> ParsedSpend:
        """The filled batch; the next one starts empty."""
        batch, values = self._batch, self._values
        self._batch, self._values = ParsedSpend(grain=Grain.REQUEST), []
        self._contexts.clear()
        self._dims.clear()
        self._actors.clear()
        batch.rejects, batch.rows_read = rejects, rows_read
        for place, name in enumerate(_COLUMNS):
            setattr(batch, name, values[place :: len(_COLUMNS)])
        count = len(batch)
        batch.requests = [1] * count
        batch.quantity_micro = [None] * count
        batch.unit = [None] * count
        batch.recorded_cost_nano = [None] * count
        batch.recorded_currency = [None] * count
        return batch

    def _context(
        self, record: _Record, arn: str | None, tier: str | None, metadata: bytes
    ) -> _Context | None:
        """None where account or region is none; asked once for all that share a dimension."""
        labels = self._model(record.model_id or "")[1]
        if metadata and self._rules.capture_request_metadata:
            labels = self._reader.read(_pairs(metadata), labels)
        values = labels.values
        shared = (
            record.account_id, record.region, record.model_id, record.operation, tier,
            values[: len(_DIMENSION_LABELS)], labels.tags,
        )  # fmt: skip
        dims = self._dims.get(shared)
        if dims is None:
            if _place_problem(record):
                return None
            dims = self._dims[shared] = {}
        user = values[_USER]
        if not user and arn and self._rules.user_from_identity:
            user = self._user(arn)
        return _Context(labels, self._actor((user, values[_AGENT], values[_WORKFLOW])), dims)

    def _actor(self, named: tuple[str, str, str]) -> int:
        index = self._actors.get(named)
        if index is None:
            admit = self._actor_limiter.admit
            user, agent, workflow = named
            actor = Actor(admit("user", user), admit("agent", agent), admit("flow", workflow))
            index = self._actors[named] = self._batch.intern_actor(actor)
        return index

    def _model(self, raw: str) -> tuple[ResolvedModel, Labels]:
        known = self._models.get(raw)
        if known is None:
            model = resolve_model(clean_text(raw, 2048), self._directory)
            labels = self._reader.read(model.profile_tags) if model.profile_tags else NO_LABELS
            known = (model, labels)
            if len(self._models) < _MAX_CACHED:
                self._models[raw] = known
        return known

    def _user(self, arn: str) -> str:
        user = self._users.get(arn)
        if user is None:
            user = user_of_identity(arn)
            if len(self._users) < _MAX_CACHED:
                self._users[arn] = user
        return user

    def _dimension(
        self, record: _Record, tier: str | None, bucket: str, context: _Context
    ) -> Dimension:
        model, labels = self._model(record.model_id or "")[0], context.labels
        admit = self._limiter.admit
        named = [admit(k.name, v) for k, v in zip(_DIMENSION_LABELS, labels.values, strict=False)]
        own = model.service_tier
        return Dimension(
            source=Source.BEDROCK,
            provider=PROVIDER,
            account_id=record.account_id or UNKNOWN,
            usage_account_id=record.account_id or UNKNOWN,
            region=record.region or UNKNOWN,
            routing_scope=model.routing_scope,
            model_id=model.model_id,
            model_family=model.family,
            model_tier=model.tier,
            service_tier=tier_of(tier) if own is ServiceTier.STANDARD else own,
            modality=model.modality,
            context_bucket=bucket,
            operation=clean_text(record.operation or UNKNOWN, _TEXT_LIMIT),
            profile_arn=model.profile_arn,
            application=named[0],
            team=named[1],
            environment=named[2],
            owner=named[3],
            tags=tuple((key, admit(key, value)) for key, value in labels.tags),
        )


def _pairs(raw: bytes) -> Iterable[tuple[str, str | None]]:
    """The metadata's pairs; a value that is not text is not AWS's doing and is left out."""
    try:
        return shape.decode_metadata(raw).items()
    except shape.UNREADABLE:
        pass
    try:
        members = shape.decode_members(raw)
    except shape.UNREADABLE:
        return []
    return [(key, shape.text_of(value)) for key, value in members.items()]


def _place_problem(record: _Record) -> Problem | None:
    if not AWS_ACCOUNT.fullmatch(record.account_id or ""):
        return RejectReason.BAD_ACCOUNT, "accountId"
    if not _REGION.fullmatch(record.region or ""):
        return RejectReason.WRONG_TYPE, "region"
    return None


def _counts(record: _Record, facts: BodyFacts) -> tuple[int, int, int, int, int] | None:
    """The five disjoint buckets: input, cached, write 5m, write 1h, output.

    The log's count of cache writes is the total; the body only says how much of it is kept
    for an hour. Without a body every write counts as five minutes, the default. None when the
    call did not fail and yet has no counts.
    """
    source, target = record.input, record.output
    uncached = source.input_token_count if source is not None else None
    out = target.output_token_count if target is not None else None
    if uncached is None and out is None and not record.error_code:
        return None
    if source is None:
        return 0, 0, 0, 0, out or 0
    written, one_hour = source.cache_write_input_token_count or 0, facts.cache_write_1h
    if one_hour:
        one_hour = min(max(one_hour, 0), max(written, 0))
    read = source.cache_read_input_token_count or 0
    return uncached or 0, read, written - one_hour, one_hour, out or 0


def _named_tier(record: _Record, facts: BodyFacts) -> str | None:
    """The tier by the name that the source gives it; latency-optimised has its own prices."""
    speed = record.performance_config
    if speed is not None and speed.latency == LATENCY_OPTIMISED:
        return LATENCY_OPTIMISED
    if record.service_tier is not NO_RAW:
        return read_tier(record.service_tier) or facts.service_tier
    return facts.service_tier
