"""One foreign event to one row of ``ParsedSpend``, or to the reason why not."""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from tensorcost.domain.spend.facts import Actor, Dimension, RoutingScope, Source
from tensorcost.domain.spend.limits import (
    AWS_ACCOUNT,
    MAX_QUANTITY,
    RejectReason,
    context_bucket,
    tokens_problem,
)
from tensorcost.domain.spend.parsed import ParsedSpend
from tensorcost.providers.exports.event_names import call_name, tier_of
from tensorcost.providers.exports.event_spec import TOKEN_FIELDS, CachedTokens, EventSpec
from tensorcost.providers.exports.time_format import formatted_us
from tensorcost.providers.exports.values import (
    BadValue,
    currency_of,
    decimal_of,
    micro_of,
    nano_of,
    text_of,
    timestamp_us,
    whole_number,
)

_MODEL_LIMIT: Final = 2048
"""An ARN's length at most."""
_ID_LIMIT: Final = 1024
_DIMENSION_FIELDS: Final = (
    "source",
    "provider",
    "model_id",
    "routing_scope",
    "account_id",
    "region",
    "service_tier",
    "modality",
    "operation",
    "application",
    "team",
    "environment",
    "owner",
)
_ACTOR_FIELDS: Final = ("user", "agent", "workflow")
_NOBODY: Final = Actor()
_MAX_KNOWN_DIMENSIONS: Final = 10_000
_DEFAULT_CURRENCY: Final = "USD"
_MAX_LATENCY_MS: Final = 2**31 - 1

Values = Mapping[str, object]
"""A row's values by our field; a field that the row does not have is absent."""


class _Usage(NamedTuple):
    tokens: tuple[int, int, int, int, int]
    quantity_micro: int | None
    unit: str | None
    cost_nano: int | None
    currency: str | None
    error_code: str | None


class EventRows:
    """Appends rows to a ``ParsedSpend``; raises BadValue for a row that cannot be taken."""

    def __init__(self, spec: EventSpec) -> None:
        self._spec = spec
        self._dimensions: dict[tuple[str, tuple[object, ...]], Dimension] = {}

    def append(self, parsed: ParsedSpend, row: Values, fallback_id: Callable[[], str]) -> None:
        """Read every value before the first column grows, so that columns stay equal in length."""
        ts_us = self._time(row)
        usage = self._usage(row)
        dimension = self._dimension(row, usage.tokens)
        actor = self._actor(row)
        latency = _latency(row)
        names = [_name(row, n) for n in ("request_id", "conversation_id", "session_id")]
        native_id = _text(row, "id", _ID_LIMIT) or fallback_id()
        parsed.ts_us.append(ts_us)
        parsed.native_id.append(native_id)
        parsed.dim.append(parsed.intern_dimension(dimension))
        parsed.actor.append(parsed.intern_actor(actor))
        parsed.request_id.append(names[0])
        parsed.conversation_id.append(names[1])
        parsed.session_id.append(names[2])
        parsed.latency_ms.append(latency)
        _append_usage(parsed, usage)

    def _actor(self, row: Values) -> Actor:
        if row.keys().isdisjoint(_ACTOR_FIELDS):
            return _NOBODY
        return Actor(*(_text(row, name) for name in _ACTOR_FIELDS))

    def _time(self, row: Values) -> int:
        value = row.get("timestamp")
        if value is None:
            raise BadValue(RejectReason.MISSING_FIELD, "timestamp")
        form = self._spec.time_format
        ts_us = formatted_us(value, form) if form else timestamp_us(value)
        if problem := self._spec.bounds.problem(ts_us):
            raise BadValue(problem, "timestamp")
        return ts_us

    def _usage(self, row: Values) -> _Usage:
        raw = [row.get(name) for name in TOKEN_FIELDS]
        counts = [
            0 if value is None else whole_number(value, name)
            for name, value in zip(TOKEN_FIELDS, raw, strict=True)
        ]
        if problem := tokens_problem(tuple(counts)):
            raise BadValue(problem, _worst(counts, problem))
        if self._spec.cached is CachedTokens.INCLUDED:
            counts[0] -= sum(counts[1:4])
            if counts[0] < 0:
                raise BadValue(
                    RejectReason.NEGATIVE_TOKENS,
                    "cached tokens exceed input_tokens: they are counted beside it",
                )
        quantity, unit = _quantity(row)
        cost, currency = _cost(row)
        error = _name(row, "error_code")
        stated = quantity is not None or cost is not None or error is not None
        if not stated and all(value is None for value in raw):
            raise BadValue(RejectReason.MISSING_FIELD, "tokens, quantity or cost")
        tokens = (counts[0], counts[1], counts[2], counts[3], counts[4])
        return _Usage(tokens, quantity, unit, cost, currency, error)

    def _dimension(self, row: Values, tokens: tuple[int, int, int, int, int]) -> Dimension:
        """The row's dimension; rows say the same few things over and over."""
        bucket = context_bucket(sum(tokens[:4]))
        said = tuple(map(row.get, _DIMENSION_FIELDS))
        if not all(value is None or type(value) is str for value in said):
            return self._new_dimension(row, bucket)
        known = self._dimensions.get((bucket, said))
        if known is None:
            known = self._new_dimension(row, bucket)
            if len(self._dimensions) < _MAX_KNOWN_DIMENSIONS:
                self._dimensions[bucket, said] = known
        return known

    def _new_dimension(self, row: Values, bucket: str) -> Dimension:
        model = _text(row, "model_id", _MODEL_LIMIT)
        if not model:
            raise BadValue(RejectReason.MISSING_FIELD, "model_id")
        call = call_name(_text(row, "source"), _text(row, "provider"), model, _scope(row))
        account = _text(row, "account_id")
        if account and call.source is Source.BEDROCK and not AWS_ACCOUNT.fullmatch(account):
            raise BadValue(RejectReason.BAD_ACCOUNT, "account_id is not twelve digits")
        family, tier = self._spec.family_of(call.model_id)
        return Dimension(
            source=call.source,
            provider=call.provider,
            account_id=account,
            usage_account_id=account,
            region=_text(row, "region"),
            routing_scope=call.scope,
            model_id=call.model_id,
            model_family=family,
            model_tier=tier,
            service_tier=tier_of(_text(row, "service_tier")),
            modality=_text(row, "modality") or "text",
            context_bucket=bucket,
            operation=_text(row, "operation"),
            profile_arn=call.profile_arn,
            application=_text(row, "application"),
            team=_text(row, "team"),
            environment=_text(row, "environment"),
            owner=_text(row, "owner"),
        )


def _append_usage(parsed: ParsedSpend, usage: _Usage) -> None:
    parsed.requests.append(1)
    parsed.input_tokens.append(usage.tokens[0])
    parsed.cached_tokens.append(usage.tokens[1])
    parsed.cache_write_5m_tokens.append(usage.tokens[2])
    parsed.cache_write_1h_tokens.append(usage.tokens[3])
    parsed.output_tokens.append(usage.tokens[4])
    parsed.quantity_micro.append(usage.quantity_micro)
    parsed.unit.append(usage.unit)
    parsed.recorded_cost_nano.append(usage.cost_nano)
    parsed.recorded_currency.append(usage.currency)
    parsed.error_code.append(usage.error_code)
    parsed.prompt_hash.append(None)
    parsed.response_hash.append(None)
    parsed.prefix_hashes.append(None)


def _text(row: Values, field: str, limit: int = 256) -> str:
    value = row.get(field)
    return "" if value is None else text_of(value, field, limit)


def _name(row: Values, field: str) -> str | None:
    return _text(row, field) or None


def _scope(row: Values) -> RoutingScope | None:
    text = _text(row, "routing_scope").lower()
    if not text:
        return None
    try:
        return RoutingScope(text)
    except ValueError:
        detail = "routing_scope is none of in_region, geo, global"
        raise BadValue(RejectReason.WRONG_TYPE, detail) from None


def _quantity(row: Values) -> tuple[int | None, str | None]:
    value, unit = row.get("quantity"), _name(row, "unit")
    if value is None:
        return None, None
    amount = decimal_of(value, "quantity", RejectReason.WRONG_TYPE)
    if amount < 0:
        raise BadValue(RejectReason.WRONG_TYPE, "quantity is negative")
    if amount > MAX_QUANTITY:
        raise BadValue(RejectReason.BAD_AMOUNT, f"quantity is beyond {MAX_QUANTITY}")
    if unit is None:
        raise BadValue(RejectReason.MISSING_FIELD, "unit")
    return micro_of(amount, "quantity"), unit


def _cost(row: Values) -> tuple[int | None, str | None]:
    value = row.get("cost")
    if value is None:
        return None, None
    currency = row.get("currency")
    code = _DEFAULT_CURRENCY if currency is None else currency_of(currency)
    return nano_of(value, "cost"), code


def _latency(row: Values) -> int | None:
    value = row.get("latency_ms")
    if value is None:
        return None
    milliseconds = round(decimal_of(value, "latency_ms", RejectReason.WRONG_TYPE))
    if not 0 <= milliseconds <= _MAX_LATENCY_MS:
        raise BadValue(RejectReason.WRONG_TYPE, "latency_ms is not a duration")
    return milliseconds


def _worst(counts: list[int], problem: str) -> str:
    """The field that ``tokens_problem`` complains about."""
    worst = min(counts) if problem == RejectReason.NEGATIVE_TOKENS else max(counts)
    return TOKEN_FIELDS[counts.index(worst)]
