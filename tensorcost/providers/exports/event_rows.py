"""One foreign event to one row of ``ParsedSpend``, or to the reason why not."""

from collections.abc import Callable
from typing import Final, NamedTuple

from tensorcost.domain.spend.facts import Actor, Dimension, RoutingScope, Source
from tensorcost.domain.spend.limits import (
    AWS_ACCOUNT,
    RejectReason,
    context_bucket,
    tokens_problem,
)
from tensorcost.domain.spend.parsed import ParsedSpend
from tensorcost.providers.exports.event_names import call_name, tier_of
from tensorcost.providers.exports.event_spec import TOKEN_FIELDS, CachedTokens, EventSpec
from tensorcost.providers.exports.values import (
    BadValue,
    currency_of,
    decimal_of,
    micro_of,
    nano_of,
    plain,
    text_of,
    timestamp_us,
    whole_number,
)

_MODEL_LIMIT: Final = 2048
"""An ARN's length at most."""
_ID_LIMIT: Final = 1024
_DEFAULT_CURRENCY: Final = "USD"
_MAX_LATENCY_MS: Final = 2**31 - 1

Get = Callable[[str], object]
"""A field's value in one row, None where it has none."""


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

    def append(self, parsed: ParsedSpend, get: Get, fallback_id: Callable[[], str]) -> None:
        """Read every value before the first column grows, so that columns stay equal in length."""
        ts_us = self._time(get)
        usage = self._usage(get)
        dimension = self._dimension(get, usage.tokens)
        actor = Actor(_text(get, "user"), _text(get, "agent"), _text(get, "workflow"))
        latency = _latency(get)
        names = [_name(get, n) for n in ("request_id", "conversation_id", "session_id")]
        native_id = _text(get, "id", _ID_LIMIT) or fallback_id()
        parsed.ts_us.append(ts_us)
        parsed.native_id.append(native_id)
        parsed.dim.append(parsed.intern_dimension(dimension))
        parsed.actor.append(parsed.intern_actor(actor))
        parsed.request_id.append(names[0])
        parsed.conversation_id.append(names[1])
        parsed.session_id.append(names[2])
        parsed.latency_ms.append(latency)
        _append_usage(parsed, usage)

    def _time(self, get: Get) -> int:
        value = plain(get("timestamp"))
        if value is None:
            raise BadValue(RejectReason.MISSING_FIELD, "timestamp")
        ts_us = timestamp_us(value)
        if problem := self._spec.bounds.problem(ts_us):
            raise BadValue(problem, "timestamp")
        return ts_us

    def _usage(self, get: Get) -> _Usage:
        raw = [plain(get(name)) for name in TOKEN_FIELDS]
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
        quantity, unit = _quantity(get)
        cost, currency = _cost(get)
        error = _name(get, "error_code")
        stated = quantity is not None or cost is not None or error is not None
        if not stated and all(value is None for value in raw):
            raise BadValue(RejectReason.MISSING_FIELD, "tokens, quantity or cost")
        tokens = (counts[0], counts[1], counts[2], counts[3], counts[4])
        return _Usage(tokens, quantity, unit, cost, currency, error)

    def _dimension(self, get: Get, tokens: tuple[int, int, int, int, int]) -> Dimension:
        model = _text(get, "model_id", _MODEL_LIMIT)
        if not model:
            raise BadValue(RejectReason.MISSING_FIELD, "model_id")
        call = call_name(_text(get, "source"), _text(get, "provider"), model, _scope(get))
        account = _text(get, "account_id")
        if account and call.source is Source.BEDROCK and not AWS_ACCOUNT.fullmatch(account):
            raise BadValue(RejectReason.BAD_ACCOUNT, "account_id is not twelve digits")
        family, tier = self._spec.family_of(call.model_id)
        return Dimension(
            source=call.source,
            provider=call.provider,
            account_id=account,
            usage_account_id=account,
            region=_text(get, "region"),
            routing_scope=call.scope,
            model_id=call.model_id,
            model_family=family,
            model_tier=tier,
            service_tier=tier_of(_text(get, "service_tier")),
            modality=_text(get, "modality") or "text",
            context_bucket=context_bucket(sum(tokens[:4])),
            operation=_text(get, "operation"),
            profile_arn=call.profile_arn,
            application=_text(get, "application"),
            team=_text(get, "team"),
            environment=_text(get, "environment"),
            owner=_text(get, "owner"),
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


def _text(get: Get, field: str, limit: int = 256) -> str:
    value = plain(get(field))
    return "" if value is None else text_of(value, field, limit)


def _name(get: Get, field: str) -> str | None:
    return _text(get, field) or None


def _scope(get: Get) -> RoutingScope | None:
    text = _text(get, "routing_scope").lower()
    if not text:
        return None
    try:
        return RoutingScope(text)
    except ValueError:
        detail = "routing_scope is none of in_region, geo, global"
        raise BadValue(RejectReason.WRONG_TYPE, detail) from None


def _quantity(get: Get) -> tuple[int | None, str | None]:
    value, unit = plain(get("quantity")), _name(get, "unit")
    if value is None:
        return None, None
    amount = decimal_of(value, "quantity", RejectReason.WRONG_TYPE)
    if amount < 0:
        raise BadValue(RejectReason.WRONG_TYPE, "quantity is negative")
    if unit is None:
        raise BadValue(RejectReason.MISSING_FIELD, "unit")
    return micro_of(amount, "quantity"), unit


def _cost(get: Get) -> tuple[int | None, str | None]:
    value = plain(get("cost"))
    if value is None:
        return None, None
    currency = plain(get("currency"))
    code = _DEFAULT_CURRENCY if currency is None else currency_of(currency)
    return nano_of(value, "cost"), code


def _latency(get: Get) -> int | None:
    value = plain(get("latency_ms"))
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
