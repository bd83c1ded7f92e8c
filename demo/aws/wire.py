"""From bytes to a call: which service, which operation, signed by whom, for which region."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

import orjson

from demo.aws.errors import AwsError
from demo.aws.http import HttpRequest

_CREDENTIAL = re.compile(r"Credential=([^/,\s]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request")
_SIGNING_NAMES = {"monitoring": "cloudwatch"}
_BEDROCK_ROUTES: list[tuple[str, re.Pattern[str], str]] = [
    ("GET", re.compile(r"^/inference-profiles/?$"), "ListInferenceProfiles"),
    ("GET", re.compile(r"^/inference-profiles/(?P<id>.+)$"), "GetInferenceProfile"),
    ("POST", re.compile(r"^/listTagsForResource$"), "ListTagsForResource"),
    ("GET", re.compile(r"^/logging/modelinvocations$"), "GetModelInvocationLoggingConfiguration"),
    ("GET", re.compile(r"^/provisioned-model-throughputs$"), "ListProvisionedModelThroughputs"),
    (
        "GET",
        re.compile(r"^/provisioned-model-throughput/(?P<id>.+)$"),
        "GetProvisionedModelThroughput",
    ),
    ("GET", re.compile(r"^/foundation-models$"), "ListFoundationModels"),
]


@dataclass(frozen=True, slots=True)
class Signature:
    access_key: str
    region: str
    service: str
    token: str | None


@dataclass(frozen=True, slots=True)
class Call:
    """One understood request. ``params`` is the decoded input, ``target`` the path's identifier."""

    service: str
    operation: str
    region: str
    params: dict[str, Any]
    target: str
    request: HttpRequest

    def text(self, name: str) -> str | None:
        value = self.params.get(name)
        return value if isinstance(value, str) else None

    def number(self, name: str, default: int) -> int:
        value = self.params.get(name)
        if value is None or value == "":
            return default
        try:
            return int(value)
        except (TypeError, ValueError) as error:
            raise AwsError("ValidationException", f"{name} is not an integer") from error


def read_signature(request: HttpRequest) -> Signature | None:
    """The SigV4 credential scope; None when the request is not signed."""
    found = _CREDENTIAL.search(request.headers.get("authorization", ""))
    if found is None:
        return None
    key, _date, region, name = found.groups()
    token = request.headers.get("x-amz-security-token")
    return Signature(key, region, _SIGNING_NAMES.get(name, name), token)


def read_call(request: HttpRequest, signature: Signature) -> Call:
    """Decode operation and parameters; raises AwsError for what cannot be read."""
    service, region = signature.service, signature.region
    if target := request.headers.get("x-amz-target"):
        params = _json(request.body)
        return Call(service, target.rpartition(".")[2], region, params, "", request)
    if service == "bedrock":
        return _bedrock(request, region)
    if service == "s3":
        bucket, _, key = request.path.lstrip("/").partition("/")
        operation = _s3_operation(request, key)
        params = dict(request.query) | {"Bucket": bucket, "Key": key}
        return Call(service, operation, region, params, f"{bucket}/{key}", request)
    form = dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
    if "Action" in form:
        return Call(service, form["Action"], region, dict(form), "", request)
    return Call(service, "", region, {}, "", request)


def _bedrock(request: HttpRequest, region: str) -> Call:
    for method, pattern, operation in _BEDROCK_ROUTES:
        found = pattern.match(request.raw_path)
        if found and method == request.method:
            groups = found.groupdict()
            params = dict(request.query) | _json(request.body)
            target = unquote(groups.get("id", ""))
            return Call("bedrock", operation, region, params, target, request)
    return Call("bedrock", "", region, {}, "", request)


def _s3_operation(request: HttpRequest, key: str) -> str:
    if key:
        names = {"GET": "GetObject", "HEAD": "HeadObject", "PUT": "PutObject"}
        return names.get(request.method, "")
    if request.method == "HEAD":
        return "HeadBucket"
    if request.method == "GET" and "location" in request.query:
        return "GetBucketLocation"
    if request.method == "GET" and request.query.get("list-type") == "2":
        return "ListObjectsV2"
    return ""


def _json(body: bytes) -> dict[str, Any]:
    if not body:
        return {}
    try:
        decoded = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise AwsError("SerializationException", str(error)) from error
    if not isinstance(decoded, dict):
        raise AwsError("SerializationException", "the input is not an object")
    return decoded
