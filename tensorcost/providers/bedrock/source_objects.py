"""Objects in the customer's buckets: listed lazily, opened as streams, never copied.

Invocation logs lie under ``[<prefix>/]AWSLogs/<account>/BedrockModelInvocationLogs/<region>/``
in folders of the hour of *delivery*; large bodies lie beside them under ``/data/`` and are not
records.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from tensorcost.providers.aws.errors import AWS_ERRORS, ProviderError
from tensorcost.providers.aws.session import AccountSession

CHUNK_BYTES: Final = 262_144
_NO_FIRST_BYTE: Final = "InvalidRange"
"""How S3 answers who wants a part of an empty object."""


@dataclass(frozen=True, slots=True)
class LogBucket:
    """Where one account and region delivers its invocation logs. ``region`` is the bucket's."""

    bucket: str
    prefix: str
    region: str


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object as listed. ``etag`` is without quotes."""

    bucket: str
    key: str
    etag: str
    size: int
    modified: datetime


def log_folder(prefix: str, account: str, region: str, day: date | None = None) -> str:
    """The key prefix of one account's and region's logs, of one UTC day of delivery if given."""
    head = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
    folder = f"{head}AWSLogs/{account}/BedrockModelInvocationLogs/{region}/"
    return f"{folder}{day:%Y/%m/%d}/" if day else folder


def list_log_objects(
    session: AccountSession, place: LogBucket, region: str, day: date, *, after: str = ""
) -> Iterator[StoredObject]:
    """Log objects delivered on a UTC day, in order of key, after the key ``after``.

    Raises ProviderError.
    """
    folder = log_folder(place.prefix, session.account_id, region, day)
    for found in list_objects(session, place.bucket, folder, place.region, after=after):
        if is_log_object(found.key):
            yield found


def is_log_object(key: str) -> bool:
    """False for bodies stored apart, for AWS's permission check and for anything else."""
    return key.endswith(".json.gz") and "/data/" not in key


def list_objects(
    session: AccountSession, bucket: str, prefix: str, bucket_region: str, *, after: str = ""
) -> Iterator[StoredObject]:
    """Objects under a prefix in order of key, page by page. Raises ProviderError."""
    given: dict[str, Any] = {"Bucket": bucket, "Prefix": prefix}
    if after:
        given["StartAfter"] = after
    while True:
        page = session.call("s3", "list_objects_v2", bucket_region, **given)
        for item in page.get("Contents", []):
            yield StoredObject(
                bucket=bucket,
                key=item["Key"],
                etag=str(item["ETag"]).strip('"'),
                size=int(item["Size"]),
                modified=item["LastModified"],
            )
        token = page.get("NextContinuationToken")
        if not page.get("IsTruncated") or not token:
            return
        given["ContinuationToken"] = token


def has_log_objects(session: AccountSession, place: LogBucket, region: str, day: date) -> bool:
    """Whether anything was delivered that day. Raises ProviderError."""
    return next(list_log_objects(session, place, region, day), None) is not None


@contextmanager
def open_object(
    session: AccountSession, bucket: str, key: str, bucket_region: str, *, etag: str = ""
) -> Iterator[Iterator[bytes]]:
    """The object's bytes in chunks, as that version. Raises ProviderError, also while reading.

    A version that was replaced since it was listed fails with the kind ``changed``; a stream
    that ends early fails too, so that a torn transfer is never taken for a torn object.
    """
    given = {"Bucket": bucket, "Key": key} | ({"IfMatch": f'"{etag}"'} if etag else {})
    body = session.call("s3", "get_object", bucket_region, **given)["Body"]
    try:
        yield _chunks(session, body, bucket_region)
    finally:
        body.close()


def read_object(
    session: AccountSession, bucket: str, key: str, bucket_region: str, *, limit: int
) -> tuple[bytes, str]:
    """(bytes, ETag) of a small object. Raises ProviderError; ValueError above ``limit`` bytes."""
    answer = session.call("s3", "get_object", bucket_region, Bucket=bucket, Key=key)
    body = answer["Body"]
    try:
        if int(answer.get("ContentLength", 0)) > limit:
            raise ValueError(f"{key} is larger than {limit} bytes")
        data = b"".join(_chunks(session, body, bucket_region))
    finally:
        body.close()
    return data, str(answer["ETag"]).strip('"')


def etag_now(session: AccountSession, bucket: str, key: str, bucket_region: str) -> str:
    """The object's present ETag. Raises ProviderError.

    Asked for with the first byte: S3 refuses a HEAD without a word, and an ended session would
    look like a mistake that only the customer can heal.
    """
    named = {"Bucket": bucket, "Key": key}
    try:
        answer = session.call("s3", "get_object", bucket_region, **named, Range="bytes=0-0")
    except ProviderError as error:
        if error.failure.code != _NO_FIRST_BYTE:
            raise
        answer = session.call("s3", "head_object", bucket_region, **named)
    else:
        answer["Body"].close()
    return str(answer["ETag"]).strip('"')


def _chunks(session: AccountSession, body: Any, region: str) -> Iterator[bytes]:
    try:
        yield from body.iter_chunks(CHUNK_BYTES)
    except AWS_ERRORS as error:
        raise session.failure(error, service="s3", operation="GetObject", region=region) from error
