"""AWS's failures, sorted once for everybody.

Order matters: transport, credentials, throttling, access, then the rest. The same refusal has
another code in each protocol; the text is consulted only where AWS gives no code for it.
"""

import re
from collections.abc import Iterable
from typing import Final

from botocore import exceptions as boto

from tensorcost.domain.errors import DomainError, ErrorCode
from tensorcost.domain.integration.probe_facts import CallFailure, ErrorKind

MAX_MESSAGE: Final = 1_000
_MASK: Final = "************"
_ACCOUNT: Final = re.compile(r"(?<![0-9A-Za-z])\d{12}(?![0-9A-Za-z])")

ENDED_CODES: Final = frozenset(
    {
        "ExpiredToken", "ExpiredTokenException", "RequestExpired", "InvalidClientTokenId",
        "InvalidToken", "InvalidAccessKeyId", "UnrecognizedClientException",
    }
)  # fmt: skip
"""The session ended early, or its role was deleted: assume the role again."""
_CREDENTIALS: Final = frozenset(
    {
        "InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch",
        "InvalidSignatureException", "ExpiredToken", "ExpiredTokenException", "InvalidToken",
        "InvalidAccessKeyId", "IncompleteSignature", "RequestExpired", "MissingAuthenticationToken",
        "AuthFailure",
    }
)  # fmt: skip
_THROTTLING: Final = frozenset(
    {
        "Throttling", "ThrottlingException", "ThrottledException", "TooManyRequestsException",
        "RequestLimitExceeded", "RequestThrottled", "RequestThrottledException", "SlowDown",
        "LimitExceededException", "BandwidthLimitExceeded", "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException", "EC2ThrottledException", "TransactionInProgress",
    }
)  # fmt: skip
_REGION_DISABLED: Final = frozenset({"RegionDisabledException", "OptInRequired"})
_DENIED: Final = frozenset(
    {
        "AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AllAccessDisabled",
        "Forbidden", "UnauthorizedException", "403",
    }
)  # fmt: skip
_NOT_FOUND: Final = frozenset(
    {
        "NoSuchEntity", "NoSuchEntityException", "NoSuchBucket", "NoSuchKey", "NotFound", "404",
        "ResourceNotFoundException", "ResourceNotFound",
    }
)  # fmt: skip
_WRONG_REGION: Final = frozenset(
    {
        "PermanentRedirect", "301", "AuthorizationHeaderMalformed", "IllegalLocationConstraint",
        "IllegalLocationConstraintException", "TemporaryRedirect",
    }
)  # fmt: skip
_INVALID: Final = frozenset(
    {
        "ValidationError", "ValidationException", "InvalidParameterException",
        "InvalidParameterValue", "InvalidParameterCombination", "InvalidInputException",
        "MalformedPolicyDocument", "PackedPolicyTooLarge", "InvalidRequest", "InvalidArgument",
    }
)  # fmt: skip
_BY_CODE: Final = (
    (_CREDENTIALS, ErrorKind.BACKEND_CREDENTIALS),
    (_THROTTLING, ErrorKind.THROTTLED),
    (_REGION_DISABLED, ErrorKind.REGION_DISABLED),
    (frozenset({"AWSOrganizationsNotInUseException"}), ErrorKind.NOT_IN_ORGANIZATION),
    (_NOT_FOUND, ErrorKind.NOT_FOUND),
    (_WRONG_REGION, ErrorKind.WRONG_REGION),
    (_INVALID, ErrorKind.INVALID),
    (frozenset({"PreconditionFailed", "412"}), ErrorKind.CHANGED),
)
_BY_CLASS: Final = (
    (
        (
            boto.HTTPClientError,
            boto.ConnectionError,
            boto.EndpointConnectionError,
            boto.IncompleteReadError,
            boto.ResponseStreamingError,
            ConnectionError,
            TimeoutError,
        ),
        ErrorKind.NETWORK,
    ),
    (
        (
            boto.NoCredentialsError,
            boto.PartialCredentialsError,
            boto.CredentialRetrievalError,
            boto.TokenRetrievalError,
        ),
        ErrorKind.BACKEND_CREDENTIALS,
    ),
    ((boto.ParamValidationError,), ErrorKind.INVALID),
)
_TRANSIENT: Final = frozenset(
    {ErrorKind.NETWORK, ErrorKind.THROTTLED, ErrorKind.SERVER, ErrorKind.CHANGED}
)


class ProviderError(DomainError):
    """A call to a provider that failed, understood. ``retry_after`` is in seconds."""

    code = ErrorCode.UNAVAILABLE

    def __init__(self, failure: CallFailure, retry_after: float | None = None) -> None:
        super().__init__(f"{failure.service} {failure.operation}: {failure.message}")
        self.failure = failure
        self.retry_after = retry_after

    @property
    def kind(self) -> ErrorKind:
        return self.failure.kind

    @property
    def is_transient(self) -> bool:
        """Trying again later may help."""
        return self.kind in _TRANSIENT


AWS_ERRORS: Final = (boto.BotoCoreError, boto.ClientError, ConnectionError, TimeoutError)
"""What ``classify`` understands; catch these and nothing broader."""


def classify(
    error: Exception,
    *,
    service: str,
    operation: str = "",
    account: str = "",
    region: str = "",
    known_accounts: Iterable[str] = (),
) -> ProviderError:
    """Sort one of ``AWS_ERRORS``. ``known_accounts`` may stand in the kept text."""
    code, status, text, retry_after = _parts(error)
    if isinstance(error, boto.ClientError) and error.operation_name:
        operation = error.operation_name
    failure = CallFailure(
        kind=_kind(error, code, status, text),
        service=service,
        operation=operation,
        code=code,
        account=account,
        region=region,
        message=mask_accounts(text, {account, *known_accounts})[:MAX_MESSAGE],
        status=status,
    )
    return ProviderError(failure, retry_after)


def mask_accounts(text: str, known: Iterable[str]) -> str:
    """``text`` without the ids of accounts that are not ``known``."""
    own = frozenset(known)
    return _ACCOUNT.sub(lambda found: found[0] if found[0] in own else _MASK, text)


def _parts(error: Exception) -> tuple[str, int, str, float | None]:
    """(code, HTTP status, text, seconds to wait) of an error."""
    if not isinstance(error, boto.ClientError):
        return type(error).__name__, 0, str(error), None
    answer = error.response
    meta = answer.get("ResponseMetadata", {})
    headers = meta.get("HTTPHeaders", {})
    wait = str(headers.get("retry-after", ""))
    body = answer.get("Error", {})
    return (
        str(body.get("Code", "")).rpartition("#")[2],
        int(meta.get("HTTPStatusCode", 0)),
        str(body.get("Message", "")) or str(error),
        float(wait) if wait.isdigit() else None,
    )


def _kind(error: Exception, code: str, status: int, text: str) -> ErrorKind:
    for classes, kind in _BY_CLASS:
        if isinstance(error, classes):
            return kind
    for codes, kind in _BY_CODE:
        if code in codes:
            return kind
    if code in _DENIED:
        return _denial(text)
    if code.startswith("KMS."):
        return ErrorKind.KMS_DENIED
    return ErrorKind.SERVER if status >= 500 else ErrorKind.UNKNOWN


def _denial(text: str) -> ErrorKind:
    lower = text.lower()
    if "kms:decrypt" in lower or "kms key" in lower:
        return ErrorKind.KMS_DENIED
    return ErrorKind.EXPLICIT_DENY if "explicit deny" in lower else ErrorKind.DENIED
