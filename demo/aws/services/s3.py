"""S3: list, read and (for seeding) write, with the refusals that a reader must tell apart."""

from __future__ import annotations

import re
from datetime import datetime
from email.utils import format_datetime
from urllib.parse import quote
from xml.sax.saxutils import escape

from demo.aws.access import Caller, Verdict, denial_text, evaluate, refusal
from demo.aws.context import Context, Operations, seal, unseal
from demo.aws.errors import AwsError, Kind, of_kind
from demo.aws.http import HttpResponse
from demo.aws.objects import StoredObject
from demo.aws.state import Bucket
from demo.aws.wire import Call

_PAGE = 1000
_RANGE = re.compile(r"^bytes=(\d*)-(\d*)$")
_XML = {"content-type": "application/xml"}
_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


def _bucket(ctx: Context, call: Call) -> Bucket:
    name = str(call.params["Bucket"])
    ctx.note.resource = call.target
    bucket = ctx.state.bucket(name)
    if bucket is None:
        raise AwsError(
            "NoSuchBucket", "The specified bucket does not exist", 404, {"BucketName": name}
        )
    return bucket


def _in_region(call: Call, bucket: Bucket) -> None:
    if call.region != bucket.region:
        raise AwsError(
            "AuthorizationHeaderMalformed",
            f"The authorization header is malformed; the region '{call.region}' is wrong; "
            f"expecting '{bucket.region}'",
            400,
            {"Region": bucket.region},
        )


def _denied_because(
    ctx: Context, call: Call, caller: Caller, bucket: Bucket, action: str, resource: str
) -> str | None:
    """The denial's text, or None. Across accounts both role and bucket policy must agree."""
    verdict = Verdict.SILENT
    if bucket.policy is not None:
        verdict = evaluate(bucket.policy, action, resource, {}, principal=caller)
    why = refusal(ctx.state, caller, action, resource, call.region)
    if verdict is Verdict.DENY:
        text = denial_text(caller, action, resource, None)
        return f"{text} with an explicit deny in a resource-based policy"
    if caller.account != bucket.account:
        if verdict is not Verdict.ALLOW:
            text = denial_text(caller, action, resource, None)
            return f"{text} because no resource-based policy allows the {action} action"
        return denial_text(caller, action, resource, why) if why else None
    if why is None or (verdict is Verdict.ALLOW and not why.explicit):
        return None
    return denial_text(caller, action, resource, why)


def _require(
    ctx: Context, call: Call, caller: Caller, bucket: Bucket, action: str, key: str
) -> None:
    resource = f"arn:aws:s3:::{bucket.name}" + (f"/{key}" if key else "")
    text = _denied_because(ctx, call, caller, bucket, action, resource)
    if text is not None:
        raise of_kind("s3", Kind.DENIED, text)


def _may_list(ctx: Context, call: Call, caller: Caller, bucket: Bucket) -> bool:
    arn = f"arn:aws:s3:::{bucket.name}"
    return _denied_because(ctx, call, caller, bucket, "s3:ListBucket", arn) is None


def _list_objects(ctx: Context, call: Call, caller: Caller) -> HttpResponse:
    bucket = _bucket(ctx, call)
    _in_region(call, bucket)
    _require(ctx, call, caller, bucket, "s3:ListBucket", "")
    prefix, delimiter = call.text("prefix") or "", call.text("delimiter") or ""
    size = min(call.number("max-keys", _PAGE), ctx.tweaks.page_size or _PAGE, _PAGE)
    token = call.text("continuation-token")
    after = str(unseal(token, "InvalidArgument").get("after")) if token else ""
    after = after or call.text("start-after") or ""
    contents, groups, last, cut = _collect(ctx, bucket, prefix, delimiter, after, size)
    encode = quote if call.text("encoding-type") == "url" else escape
    parts = [
        f"<Name>{escape(bucket.name)}</Name><Prefix>{encode(prefix)}</Prefix>",
        f"<MaxKeys>{size}</MaxKeys><KeyCount>{len(contents) + len(groups)}</KeyCount>",
        f"<IsTruncated>{str(cut).lower()}</IsTruncated>",
    ]
    if call.text("encoding-type") == "url":
        parts.append("<EncodingType>url</EncodingType>")
    if delimiter:
        parts.append(f"<Delimiter>{encode(delimiter)}</Delimiter>")
    if token:
        parts.append(f"<ContinuationToken>{escape(token)}</ContinuationToken>")
    if cut:
        parts.append(f"<NextContinuationToken>{seal(after=last)}</NextContinuationToken>")
    parts += [
        f"<Contents><Key>{encode(item.key)}</Key>"
        f"<LastModified>{item.modified:%Y-%m-%dT%H:%M:%S.000Z}</LastModified>"
        f"<ETag>{escape(ctx.objects.etag(bucket.name, item))}</ETag><Size>{item.size}</Size>"
        "<StorageClass>STANDARD</StorageClass></Contents>"
        for item in contents
    ]
    parts += [f"<CommonPrefixes><Prefix>{encode(g)}</Prefix></CommonPrefixes>" for g in groups]
    body = f'<ListBucketResult xmlns="{_NAMESPACE}">{"".join(parts)}</ListBucketResult>'
    return HttpResponse(200, body.encode(), dict(_XML))


def _collect(
    ctx: Context, bucket: Bucket, prefix: str, delimiter: str, after: str, size: int
) -> tuple[list[StoredObject], list[str], str, bool]:
    contents: list[StoredObject] = []
    groups: list[str] = []
    last = after
    for key in [] if bucket.silent else ctx.objects.keys(bucket.name, prefix, after):
        group = _group(key, prefix, delimiter)
        if group and ((groups and groups[-1] == group) or after.startswith(group)):
            last = key
            continue
        if len(contents) + len(groups) >= size:
            return contents, groups, last, True
        if group:
            groups.append(group)
        elif (item := ctx.objects.find(bucket.name, key)) is not None:
            contents.append(item)
        last = key
    return contents, groups, last, False


def _group(key: str, prefix: str, delimiter: str) -> str:
    """The common prefix that ``key`` rolls up into; empty when it is listed itself."""
    if not delimiter:
        return ""
    head, found, _ = key[len(prefix) :].partition(delimiter)
    return prefix + head + delimiter if found else ""


def _get_object(ctx: Context, call: Call, caller: Caller) -> HttpResponse:
    bucket, item = _readable(ctx, call, caller)
    etag = ctx.objects.etag(bucket.name, item)
    headers = _headers(item, etag)
    if (early := _preconditions(call, etag, headers)) is not None:
        return early
    body = ctx.objects.read(item)
    if ctx.tweaks.cut is not None:
        body = body[: int(len(body) * ctx.tweaks.cut)]
    if ctx.tweaks.corrupt:
        body = bytes(byte ^ 0x5A for byte in body[:64]) + body[64:]
    if ctx.tweaks.replace:
        ctx.objects.replace(bucket.name, item.key)
    wanted = call.request.headers.get("range")
    if wanted is None:
        return HttpResponse(200, body, headers)
    start, end = _range(wanted, len(body))
    headers["content-range"] = f"bytes {start}-{end}/{len(body)}"
    return HttpResponse(206, body[start : end + 1], headers)


def _head_object(ctx: Context, call: Call, caller: Caller) -> HttpResponse:
    bucket, item = _readable(ctx, call, caller)
    etag = ctx.objects.etag(bucket.name, item)
    headers = _headers(item, etag)
    if (early := _preconditions(call, etag, headers)) is not None:
        return early
    return HttpResponse(200, b"", headers, head_length=item.size)


def _readable(ctx: Context, call: Call, caller: Caller) -> tuple[Bucket, StoredObject]:
    bucket, key = _bucket(ctx, call), str(call.params["Key"])
    _in_region(call, bucket)
    _require(ctx, call, caller, bucket, "s3:GetObject", key)
    item = ctx.objects.find(bucket.name, key)
    if item is None:
        if not _may_list(ctx, call, caller, bucket):
            # Without s3:ListBucket S3 does not tell a missing key from a forbidden one.
            arn = f"arn:aws:s3:::{bucket.name}"
            raise of_kind("s3", Kind.DENIED, denial_text(caller, "s3:ListBucket", arn, None))
        raise AwsError("NoSuchKey", "The specified key does not exist.", 404, {"Key": key})
    if ctx.tweaks.rewritten:
        ctx.objects.replace(bucket.name, item.key)
    if bucket.kms_key is not None:
        why = refusal(ctx.state, caller, "kms:Decrypt", bucket.kms_key, call.region)
        if bucket.kms_refused or why is not None:
            text = denial_text(caller, "kms:Decrypt", bucket.kms_key, why)
            raise of_kind("s3", Kind.DENIED, text)
    return bucket, item


def _headers(item: StoredObject, etag: str) -> dict[str, str]:
    return {
        "etag": etag,
        "last-modified": _http_date(item.modified),
        "accept-ranges": "bytes",
        "content-type": "binary/octet-stream",
    }


def _preconditions(call: Call, etag: str, headers: dict[str, str]) -> HttpResponse | None:
    wanted = call.request.headers.get("if-match")
    if wanted is not None and wanted not in ("*", etag, etag.strip('"')):
        raise AwsError(
            "PreconditionFailed",
            "At least one of the pre-conditions you specified did not hold",
            412,
            {"Condition": "If-Match"},
        )
    unwanted = call.request.headers.get("if-none-match")
    if unwanted in (etag, etag.strip('"')):
        return HttpResponse(304, b"", headers)
    return None


def _range(header: str, size: int) -> tuple[int, int]:
    found = _RANGE.match(header)
    first, last = found.groups() if found else ("", "")
    if first:
        start, end = int(first), min(int(last), size - 1) if last else size - 1
    else:
        start, end = max(size - int(last or 0), 0), size - 1
    if found is None or start > end or start >= size:
        raise AwsError("InvalidRange", "The requested range is not satisfiable", 416)
    return start, end


def _put_object(ctx: Context, call: Call, caller: Caller) -> HttpResponse:
    bucket, key = _bucket(ctx, call), str(call.params["Key"])
    _in_region(call, bucket)
    _require(ctx, call, caller, bucket, "s3:PutObject", key)
    return HttpResponse(200, b"", {"etag": ctx.objects.put(bucket.name, key, call.request.body)})


def _head_bucket(ctx: Context, call: Call, caller: Caller) -> HttpResponse:
    bucket = _bucket(ctx, call)
    if call.region != bucket.region:
        return HttpResponse(301, b"", {"x-amz-bucket-region": bucket.region})
    _require(ctx, call, caller, bucket, "s3:ListBucket", "")
    return HttpResponse(200, b"", {"x-amz-bucket-region": bucket.region})


def _get_location(ctx: Context, call: Call, caller: Caller) -> HttpResponse:
    bucket = _bucket(ctx, call)
    _require(ctx, call, caller, bucket, "s3:GetBucketLocation", "")
    name = "" if bucket.region == "us-east-1" else bucket.region
    body = f'<LocationConstraint xmlns="{_NAMESPACE}">{name}</LocationConstraint>'
    return HttpResponse(200, body.encode(), dict(_XML))


def _http_date(at: datetime) -> str:
    return format_datetime(at, usegmt=True)


OPERATIONS: Operations = {
    "ListObjectsV2": _list_objects,
    "GetObject": _get_object,
    "HeadObject": _head_object,
    "PutObject": _put_object,
    "HeadBucket": _head_bucket,
    "GetBucketLocation": _get_location,
}
