"""IAM: GetRole, the one read that a coverage probe needs."""

from __future__ import annotations

from urllib.parse import quote
from xml.sax.saxutils import escape

import orjson

from demo.aws.access import Caller
from demo.aws.context import Context, Operations
from demo.aws.errors import AwsError
from demo.aws.http import HttpResponse
from demo.aws.wire import Call


def _get_role(ctx: Context, call: Call, caller: Caller) -> HttpResponse:
    name = call.text("RoleName") or ""
    ctx.note.resource = name
    account = ctx.state.account(caller.account)
    role = account.role(name) if account else None
    path = role.path if role else "/"
    arn = f"arn:aws:iam::{caller.account}:role{path}{name}"
    ctx.require(call, caller, "iam:GetRole", arn)
    if role is None:
        raise AwsError("NoSuchEntity", f"The role with name {name} cannot be found.", 404)
    trust = quote(orjson.dumps(role.trust).decode())
    body = (
        '<GetRoleResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><GetRoleResult><Role>'
        f"<Path>{escape(role.path)}</Path><RoleName>{escape(role.name)}</RoleName>"
        f"<RoleId>AROA{escape(role.name.upper()[:16])}</RoleId><Arn>{escape(arn)}</Arn>"
        "<CreateDate>2025-01-01T00:00:00Z</CreateDate>"
        f"<AssumeRolePolicyDocument>{trust}</AssumeRolePolicyDocument>"
        f"<MaxSessionDuration>{role.max_session_seconds}</MaxSessionDuration></Role>"
        "</GetRoleResult><ResponseMetadata><RequestId>sim</RequestId></ResponseMetadata>"
        "</GetRoleResponse>"
    )
    return HttpResponse(200, body.encode(), {"content-type": "text/xml"})


OPERATIONS: Operations = {"GetRole": _get_role}
