"""Shapes of a model invocation log record. Bodies stay raw bytes and are never decoded whole.

Field names are AWS's; unknown fields are skipped unread. ``Record`` is a record as it should be:
the decoder itself checks what must be there and within which bounds, and splits the bodies
into the raw parts that are hashed, in one pass. ``PlainRecord`` is for all others: every field
is optional there, so that a missing one is told apart from one of the wrong type.
"""

from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from tensorcost.domain.spend.limits import MAX_TOKENS_PER_REQUEST

NO_RAW: Final = msgspec.Raw()
UNREADABLE: Final = (msgspec.DecodeError, RecursionError)
"""What a decoder raises: the second one for JSON nested too deep for where it is read."""
SchemaType = Literal["ModelInvocationLog"]
SchemaVersion = Literal["1.0"]
_Text = Annotated[str, Meta(min_length=1)]
_Tokens = Annotated[int, Meta(ge=0, le=MAX_TOKENS_PER_REQUEST)]


class Identity(msgspec.Struct, gc=False):
    arn: str | None = None


class PerformanceConfig(msgspec.Struct, gc=False):
    latency: str | None = None


class InputBody(msgspec.Struct, gc=False):
    """What a prompt is made of, in the order in which a prompt cache reads it."""

    tools: msgspec.Raw = NO_RAW
    toolConfig: msgspec.Raw = NO_RAW  # noqa: N815
    system: msgspec.Raw = NO_RAW
    messages: list[msgspec.Raw] | None = None
    prompt: msgspec.Raw = NO_RAW
    inputText: msgspec.Raw = NO_RAW  # noqa: N815
    service_tier: msgspec.Raw = NO_RAW
    serviceTier: msgspec.Raw = NO_RAW  # noqa: N815


class InputPart(msgspec.Struct, rename="camel", gc=False):
    input_token_count: _Tokens | None = None
    cache_read_input_token_count: _Tokens | None = None
    cache_write_input_token_count: _Tokens | None = None
    input_body_json: InputBody | None = None


class PlainInputPart(msgspec.Struct, rename="camel", gc=False):
    input_token_count: int | None = None
    cache_read_input_token_count: int | None = None
    cache_write_input_token_count: int | None = None
    input_body_json: msgspec.Raw = NO_RAW


class CacheDetail(msgspec.Struct, rename="camel", gc=False):
    ttl: str | None = None
    input_tokens: int | None = None


class CacheCreation(msgspec.Struct, gc=False):
    ephemeral_5m_input_tokens: int | None = None
    ephemeral_1h_input_tokens: int | None = None


class Usage(msgspec.Struct, gc=False):
    """Converse (camel case) and Anthropic (snake case) usage, as far as the log lacks it."""

    cacheDetails: list[CacheDetail] | None = None  # noqa: N815
    cache_creation: CacheCreation | None = None


class Metrics(msgspec.Struct, gc=False):
    latencyMs: float | None = None  # noqa: N815


class InvocationMetrics(msgspec.Struct, gc=False):
    invocationLatency: float | None = None  # noqa: N815


class StreamMessage(msgspec.Struct, gc=False):
    usage: Usage | None = None


class OutputBody(msgspec.Struct, gc=False):
    """A response body, or one event of a streamed one.

    The first five members are where the vendors put what the model said.
    """

    output: msgspec.Raw = NO_RAW
    content: msgspec.Raw = NO_RAW
    generation: msgspec.Raw = NO_RAW
    results: msgspec.Raw = NO_RAW
    choices: msgspec.Raw = NO_RAW
    metrics: Metrics | None = None
    usage: Usage | None = None
    message: msgspec.Raw = NO_RAW
    service_tier: msgspec.Raw = NO_RAW
    serviceTier: msgspec.Raw = NO_RAW  # noqa: N815
    invocation: InvocationMetrics | None = msgspec.field(
        default=None, name="amazon-bedrock-invocationMetrics"
    )


class OutputPart(msgspec.Struct, rename="camel", gc=False):
    output_token_count: _Tokens | None = None
    output_body_json: OutputBody | list[msgspec.Raw] | None = None


class PlainOutputPart(msgspec.Struct, rename="camel", gc=False):
    output_token_count: int | None = None
    output_body_json: msgspec.Raw = NO_RAW


class _Common(msgspec.Struct, rename="camel", gc=False, kw_only=True):
    request_id: str | None = None
    operation: str | None = None
    error_code: str | None = None
    identity: Identity | None = None
    request_metadata: msgspec.Raw = NO_RAW
    performance_config: PerformanceConfig | None = None
    service_tier: msgspec.Raw = NO_RAW


class Record(_Common, rename="camel", gc=False, kw_only=True):
    schema_type: SchemaType
    schema_version: SchemaVersion
    timestamp: Annotated[datetime, Meta(tz=True)]
    account_id: _Text
    region: _Text
    model_id: _Text
    input: InputPart | None = None
    output: OutputPart | None = None


class PlainRecord(_Common, rename="camel", gc=False, kw_only=True):
    schema_type: str | None = None
    schema_version: str | None = None
    timestamp: str | None = None
    account_id: str | None = None
    region: str | None = None
    model_id: str | None = None
    input: PlainInputPart | None = None
    output: PlainOutputPart | None = None


class TierObject(msgspec.Struct, gc=False):
    type: str | None = None


decode_record = msgspec.json.Decoder(Record).decode
decode_plain_record = msgspec.json.Decoder(PlainRecord).decode
decode_input_body = msgspec.json.Decoder(InputBody).decode
decode_any_output = msgspec.json.Decoder(OutputBody | list[msgspec.Raw]).decode
decode_output_body = msgspec.json.Decoder(OutputBody).decode
decode_metadata = msgspec.json.Decoder(dict[str, str | None]).decode
decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
decode_message = msgspec.json.Decoder(StreamMessage | None).decode
decode_tier = msgspec.json.Decoder(TierObject | str | None).decode
_decode_text = msgspec.json.Decoder(str).decode


def text_of(raw: msgspec.Raw) -> str | None:
    """The value of a JSON string, None for anything else."""
    try:
        return _decode_text(raw)
    except UNREADABLE:
        return None
