"""AWS errors on the wire: each protocol spells the same refusal in its own way."""

from __future__ import annotations

from enum import StrEnum
from xml.sax.saxutils import escape

import orjson

from demo.aws.http import HttpResponse


class Protocol(StrEnum):
    QUERY = "query"
    JSON = "json"
    QUERY_JSON = "query-json"
    """JSON with the query-compatible error header (CloudWatch)."""
    REST_JSON = "rest-json"
    S3 = "s3"


SERVICE_PROTOCOLS: dict[str, Protocol] = {
    "sts": Protocol.QUERY,
    "iam": Protocol.QUERY,
    "cloudwatch": Protocol.QUERY_JSON,
    "logs": Protocol.JSON,
    "organizations": Protocol.JSON,
    "cur": Protocol.JSON,
    "bcm-data-exports": Protocol.JSON,
    "bedrock": Protocol.REST_JSON,
    "s3": Protocol.S3,
}
_XML_NAMESPACES = {
    "sts": "https://sts.amazonaws.com/doc/2011-06-15/",
    "iam": "https://iam.amazonaws.com/doc/2010-05-08/",
}


class Kind(StrEnum):
    """Refusals that every service knows, under different names."""

    DENIED = "denied"
    THROTTLED = "throttled"
    EXPIRED = "expired"
    BAD_CREDENTIALS = "bad_credentials"
    BAD_SIGNATURE = "bad_signature"
    INTERNAL = "internal"
    UNAVAILABLE = "unavailable"
    REGION_DISABLED = "region_disabled"


class AwsError(Exception):
    """An answer that is an error; ``fields`` become further members of the error body."""

    def __init__(
        self, code: str, message: str, status: int = 400, fields: dict[str, str] | None = None
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.fields = fields or {}


_MESSAGES = {
    Kind.DENIED: "Access denied",
    Kind.THROTTLED: "Rate exceeded",
    Kind.EXPIRED: "The security token included in the request is expired",
    Kind.BAD_CREDENTIALS: "The security token included in the request is invalid.",
    Kind.BAD_SIGNATURE: (
        "The request signature we calculated does not match the signature you provided. "
        "Check your AWS Secret Access Key and signing method."
    ),
    Kind.INTERNAL: "An internal error has occurred. Please retry the request.",
    Kind.UNAVAILABLE: "Service is unable to handle request.",
    Kind.REGION_DISABLED: "The requested region is not enabled for this account.",
}
_CODES: dict[Protocol, dict[Kind, tuple[str, int]]] = {
    Protocol.QUERY: {
        Kind.DENIED: ("AccessDenied", 403),
        Kind.THROTTLED: ("Throttling", 400),
        Kind.EXPIRED: ("ExpiredToken", 403),
        Kind.BAD_CREDENTIALS: ("InvalidClientTokenId", 403),
        Kind.BAD_SIGNATURE: ("SignatureDoesNotMatch", 403),
        Kind.INTERNAL: ("InternalFailure", 500),
        Kind.UNAVAILABLE: ("ServiceUnavailable", 503),
        Kind.REGION_DISABLED: ("RegionDisabledException", 403),
    },
    Protocol.QUERY_JSON: {
        Kind.DENIED: ("AccessDenied", 400),
        Kind.THROTTLED: ("Throttling", 400),
        Kind.EXPIRED: ("ExpiredToken", 403),
        Kind.BAD_CREDENTIALS: ("InvalidClientTokenId", 403),
        Kind.BAD_SIGNATURE: ("SignatureDoesNotMatch", 403),
        Kind.INTERNAL: ("InternalServiceError", 500),
        Kind.UNAVAILABLE: ("ServiceUnavailable", 503),
        Kind.REGION_DISABLED: ("OptInRequired", 403),
    },
    Protocol.JSON: {
        Kind.DENIED: ("AccessDeniedException", 400),
        Kind.THROTTLED: ("ThrottlingException", 400),
        Kind.EXPIRED: ("ExpiredTokenException", 400),
        Kind.BAD_CREDENTIALS: ("UnrecognizedClientException", 400),
        Kind.BAD_SIGNATURE: ("InvalidSignatureException", 400),
        Kind.INTERNAL: ("InternalServerException", 500),
        Kind.UNAVAILABLE: ("ServiceUnavailableException", 503),
        Kind.REGION_DISABLED: ("OptInRequired", 403),
    },
    Protocol.REST_JSON: {
        Kind.DENIED: ("AccessDeniedException", 403),
        Kind.THROTTLED: ("ThrottlingException", 429),
        Kind.EXPIRED: ("ExpiredTokenException", 403),
        Kind.BAD_CREDENTIALS: ("UnrecognizedClientException", 403),
        Kind.BAD_SIGNATURE: ("InvalidSignatureException", 403),
        Kind.INTERNAL: ("InternalServerException", 500),
        Kind.UNAVAILABLE: ("ServiceUnavailableException", 503),
        Kind.REGION_DISABLED: ("OptInRequired", 403),
    },
    Protocol.S3: {
        Kind.DENIED: ("AccessDenied", 403),
        Kind.THROTTLED: ("SlowDown", 503),
        Kind.EXPIRED: ("ExpiredToken", 400),
        Kind.BAD_CREDENTIALS: ("InvalidAccessKeyId", 403),
        Kind.BAD_SIGNATURE: ("SignatureDoesNotMatch", 403),
        Kind.INTERNAL: ("InternalError", 500),
        Kind.UNAVAILABLE: ("ServiceUnavailable", 503),
        Kind.REGION_DISABLED: ("OptInRequired", 403),
    },
}
_S3_MESSAGES = {
    Kind.THROTTLED: "Please reduce your request rate.",
    Kind.EXPIRED: "The provided token has expired.",
    Kind.BAD_CREDENTIALS: "The AWS Access Key Id you provided does not exist in our records.",
    Kind.INTERNAL: "We encountered an internal error. Please try again.",
}


def protocol_of(service: str) -> Protocol:
    return SERVICE_PROTOCOLS.get(service, Protocol.JSON)


def of_kind(service: str, kind: Kind, message: str | None = None) -> AwsError:
    """The refusal ``kind`` as ``service`` really names it."""
    protocol = protocol_of(service)
    code, status = _CODES[protocol][kind]
    if service == "organizations" and kind is Kind.THROTTLED:
        code = "TooManyRequestsException"
    text = message or (_S3_MESSAGES if protocol is Protocol.S3 else {}).get(kind, _MESSAGES[kind])
    return AwsError(code, text, status)


def render(service: str, error: AwsError, request_id: str, resource: str = "") -> HttpResponse:
    """Spell ``error`` in the protocol of ``service``."""
    protocol = protocol_of(service)
    headers = {"x-amzn-requestid": request_id}
    if protocol is Protocol.QUERY:
        body = _query_xml(service, error, request_id)
        return HttpResponse(error.status, body, headers | {"content-type": "text/xml"})
    if protocol is Protocol.S3:
        body = _s3_xml(error, request_id, resource)
        extra = {"x-amz-request-id": request_id, "content-type": "application/xml"}
        if region := error.fields.get("Region"):
            extra["x-amz-bucket-region"] = region
        return HttpResponse(error.status, body, headers | extra)
    if protocol is Protocol.REST_JSON:
        headers |= {"x-amzn-errortype": error.code, "content-type": "application/json"}
        return HttpResponse(error.status, orjson.dumps({"message": error.message}), headers)
    version = "1.1"
    if protocol is Protocol.QUERY_JSON:
        version = "1.0"
        headers["x-amzn-query-error"] = f"{error.code};Sender"
    headers["content-type"] = f"application/x-amz-json-{version}"
    body = orjson.dumps({"__type": error.code, "message": error.message, **error.fields})
    return HttpResponse(error.status, body, headers)


def _query_xml(service: str, error: AwsError, request_id: str) -> bytes:
    namespace = _XML_NAMESPACES.get(service, "https://aws.example.test/")
    sender = "Receiver" if error.status >= 500 else "Sender"
    return (
        f'<ErrorResponse xmlns="{namespace}"><Error><Type>{sender}</Type>'
        f"<Code>{escape(error.code)}</Code><Message>{escape(error.message)}</Message></Error>"
        f"<RequestId>{request_id}</RequestId></ErrorResponse>"
    ).encode()


def _s3_xml(error: AwsError, request_id: str, resource: str) -> bytes:
    extra = "".join(f"<{k}>{escape(v)}</{k}>" for k, v in error.fields.items())
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{escape(error.code)}</Code><Message>{escape(error.message)}</Message>"
        f"{extra}<Resource>{escape(resource)}</Resource><RequestId>{request_id}</RequestId></Error>"
    ).encode()
