"""What the server keeps of a failure: the message, the innermost calls, and little else."""

import pytest
from temporalio.api.failure.v1 import Failure
from temporalio.converter import DataConverter
from temporalio.exceptions import ApplicationError

from tensorcost.workers.failures import FRAMES
from tensorcost.workers.plugin import data_converter
from tensorcost.workers.settings import CodecSettings

KEPT_BY_SERVER = 4_096


def sink(depth: int) -> None:
    if depth:
        sink(depth - 1)
    raise ConnectionError("AWS could not be reached")


def fail() -> None:
    """As an activity does: a translated error over a cause from deep below."""
    try:
        sink(100)
    except ConnectionError as error:
        raise ApplicationError("x" * 1_000, type="ProviderThrottled") from error


async def encoded(converter: DataConverter) -> Failure:
    with pytest.raises(ApplicationError) as caught:
        fail()
    failure = Failure()
    await converter.encode_failure(caught.value, failure)
    return failure


async def test_message_and_innermost_calls_are_kept_and_fit() -> None:
    failure = await encoded(data_converter())
    assert failure.ByteSize() < KEPT_BY_SERVER
    assert failure.message == "x" * 1_000
    assert failure.cause.message == "AWS could not be reached"
    assert failure.cause.stack_trace.count("in sink") == FRAMES


async def test_an_encrypted_one_fits_too_and_says_nothing() -> None:
    codec = CodecSettings(active="k1", keys={"k1": "ZmFrZS1rZXktb2YtMzItYnl0ZXMtMDEyMzQ1Njc4OTA="})
    converter = data_converter(codec)
    failure = await encoded(converter)
    assert failure.ByteSize() < KEPT_BY_SERVER
    assert b"AWS could not" not in failure.SerializeToString()
    read = await converter.decode_failure(failure)
    assert isinstance(read.__cause__, ApplicationError)
    assert read.__cause__.message == "AWS could not be reached"
