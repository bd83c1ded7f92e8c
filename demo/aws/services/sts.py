"""STS: AssumeRole with its trust policies, and GetCallerIdentity.

STS never names the ExternalId: a wrong one, a missing one, an untrusted principal and a role
that does not exist all get the same sentence.
"""

from __future__ import annotations

import re
from datetime import timedelta
from xml.sax.saxutils import escape

import orjson

from demo.aws.access import (
    MAX_SESSION_POLICY,
    Caller,
    Verdict,
    denial_text,
    evaluate,
    is_read_only,
    refusal,
)
from demo.aws.context import Context, Operations
from demo.aws.errors import AwsError, Kind, of_kind
from demo.aws.http import HttpResponse
from demo.aws.state import Account, PolicyDocument, Role
from demo.aws.wire import Call

_ROLE_ARN = re.compile(r"^arn:aws:iam::(\d{12}):role/(?:[\w+=,.@/-]*/)?([\w+=,.@-]{1,64})$")
_SESSION_NAME = re.compile(r"^[\w+=,.@-]{2,64}$")
_EXTERNAL_ID = re.compile(r"^[\w+=,.@:/-]{2,1224}$")
_CHAIN_LIMIT = 3600
_NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"


def _assume_role(ctx: Context, call: Call, caller: Caller) -> HttpResponse:
    arn = call.text("RoleArn") or ""
    external_id = call.text("ExternalId")
    raw_policy = call.text("Policy")
    ctx.note.role, ctx.note.resource = arn, arn
    ctx.note.external_id, ctx.note.session_policy = external_id, raw_policy is not None
    account_id, role_name = _valid_input(call, arn, external_id)
    policy = _session_policy(raw_policy)
    why = refusal(ctx.state, caller, "sts:AssumeRole", arn, call.region)
    if why is not None:
        raise _denied(caller, arn, why.reason if why.explicit else "")
    account = ctx.state.account(account_id)
    role = _trusting_role(ctx, caller, account, arn, role_name, external_id)
    if account_id != caller.account and caller.is_session and ctx.state.require_read_only_hops:
        if policy is None:
            raise _denied(caller, arn, "without an inline session policy (cloud-sim's rule)")
        if not is_read_only(policy):
            raise _denied(
                caller, arn, "with a session policy that allows writes (cloud-sim's rule)"
            )
    duration = _duration(call, caller, role)
    session = ctx.sessions.grant(
        account_id,
        role.name,
        arn,
        call.text("RoleSessionName") or "",
        timedelta(seconds=duration),
        policy,
        external_id is not None,
    )
    packed = f"<PackedPolicySize>{_packed(raw_policy)}</PackedPolicySize>" if raw_policy else ""
    return _answer(
        "AssumeRole",
        f"<Credentials><AccessKeyId>{session.access_key}</AccessKeyId>"
        f"<SecretAccessKey>{session.secret_key}</SecretAccessKey>"
        f"<SessionToken>{session.token}</SessionToken>"
        f"<Expiration>{session.expires:%Y-%m-%dT%H:%M:%SZ}</Expiration></Credentials>"
        f"<AssumedRoleUser><AssumedRoleId>AROA{role.name.upper()[:16]}:"
        f"{escape(session.session_name)}</AssumedRoleId><Arn>{escape(session.arn)}</Arn>"
        f"</AssumedRoleUser>{packed}",
    )


def _valid_input(call: Call, arn: str, external_id: str | None) -> tuple[str, str]:
    found = _ROLE_ARN.match(arn)
    if len(arn) < 20:
        raise AwsError(
            "ValidationError",
            f"1 validation error detected: Value '{arn}' at 'roleArn' failed to satisfy "
            "constraint: Member must have length greater than or equal to 20",
        )
    if found is None:
        raise AwsError("ValidationError", f"{arn} is invalid")
    if not _SESSION_NAME.match(call.text("RoleSessionName") or ""):
        raise AwsError(
            "ValidationError",
            f"1 validation error detected: Value '{call.text('RoleSessionName')}' at "
            "'roleSessionName' failed to satisfy constraint: Member must satisfy regular "
            "expression pattern: [\\w+=,.@-]*",
        )
    if external_id is not None and not _EXTERNAL_ID.match(external_id):
        raise AwsError(
            "ValidationError",
            "1 validation error detected: Value at 'externalId' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: [\\w+=,.@:\\/-]*",
        )
    return found.group(1), found.group(2)


def _session_policy(raw: str | None) -> PolicyDocument | None:
    if raw is None:
        return None
    if len(raw) > MAX_SESSION_POLICY:
        raise AwsError(
            "ValidationError",
            "1 validation error detected: Value at 'policy' failed to satisfy constraint: "
            f"Member must have length less than or equal to {MAX_SESSION_POLICY}",
        )
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise AwsError("MalformedPolicyDocument", "Syntax errors in policy.") from error
    if not isinstance(document, dict) or "Statement" not in document:
        raise AwsError("MalformedPolicyDocument", "Syntax errors in policy.")
    return document


def _trusting_role(
    ctx: Context,
    caller: Caller,
    account: Account | None,
    arn: str,
    role_name: str,
    external_id: str | None,
) -> Role:
    role = account.role(role_name) if account else None
    if role is None or account is None or account.state != "ACTIVE":
        raise _denied(caller, arn)
    if arn != f"arn:aws:iam::{account.id}:role{role.path}{role.name}":
        raise _denied(caller, arn)
    context = {} if external_id is None else {"sts:externalid": external_id}
    verdict = evaluate(role.trust, "sts:AssumeRole", arn, context, principal=caller)
    if verdict is Verdict.DENY:
        raise _denied(caller, arn, "with an explicit deny in a resource-based policy")
    if verdict is Verdict.SILENT:
        raise _denied(caller, arn)
    return role


def _duration(call: Call, caller: Caller, role: Role) -> int:
    wanted = call.number("DurationSeconds", 3600)
    if not 900 <= wanted <= 43200:
        raise AwsError(
            "ValidationError",
            f"1 validation error detected: Value '{wanted}' at 'durationSeconds' failed to "
            "satisfy constraint: Member must have value between 900 and 43200",
        )
    if caller.is_session and wanted > _CHAIN_LIMIT:
        raise AwsError(
            "ValidationError",
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed "
            "by role chaining",
        )
    if wanted > role.max_session_seconds:
        raise AwsError(
            "ValidationError",
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        )
    return wanted


def _denied(caller: Caller, arn: str, reason: str = "") -> AwsError:
    text = denial_text(caller, "sts:AssumeRole", arn, None)
    return of_kind("sts", Kind.DENIED, f"{text} {reason}".strip())


def _packed(raw: str) -> int:
    return max(1, len(raw) * 100 // MAX_SESSION_POLICY)


def _get_caller_identity(ctx: Context, call: Call, caller: Caller) -> HttpResponse:
    return _answer(
        "GetCallerIdentity",
        f"<Arn>{escape(caller.arn)}</Arn><UserId>{escape(caller.user_id)}</UserId>"
        f"<Account>{caller.account}</Account>",
    )


def _answer(operation: str, result: str) -> HttpResponse:
    body = (
        f'<{operation}Response xmlns="{_NAMESPACE}"><{operation}Result>{result}'
        f"</{operation}Result><ResponseMetadata><RequestId>sim</RequestId></ResponseMetadata>"
        f"</{operation}Response>"
    )
    return HttpResponse(200, body.encode(), {"content-type": "text/xml"})


OPERATIONS: Operations = {
    "AssumeRole": _assume_role,
    "GetCallerIdentity": _get_caller_identity,
}
