"""Organizations: who belongs to the organisation, and who may ask."""

from __future__ import annotations

from typing import Any

from demo.aws.access import Caller
from demo.aws.context import Context, Operations, json_answer, seal, unseal
from demo.aws.errors import AwsError, Kind, of_kind
from demo.aws.http import HttpResponse
from demo.aws.state import Account, Organization
from demo.aws.wire import Call

_MAX_PAGE = 20
_STATUS_OF_STATE = {
    "ACTIVE": "ACTIVE",
    "SUSPENDED": "SUSPENDED",
    "PENDING_CLOSURE": "PENDING_CLOSURE",
}


def _organization(ctx: Context, caller: Caller) -> Organization:
    found = ctx.state.organization
    if found is None or caller.account not in found.members:
        raise AwsError(
            "AWSOrganizationsNotInUseException", "Your account is not a member of an organization."
        )
    return found


def _describe(ctx: Context, call: Call, caller: Caller) -> HttpResponse:
    ctx.require(call, caller, "organizations:DescribeOrganization")
    org = _organization(ctx, caller)
    management = ctx.state.account(org.management)
    base = f"arn:aws:organizations::{org.management}"
    return json_answer(
        {
            "Organization": {
                "Id": org.id,
                "Arn": f"{base}:organization/{org.id}",
                "FeatureSet": "ALL",
                "MasterAccountArn": f"{base}:account/{org.id}/{org.management}",
                "MasterAccountId": org.management,
                "MasterAccountEmail": management.email if management else "",
            }
        }
    )


def _list_accounts(ctx: Context, call: Call, caller: Caller) -> HttpResponse:
    ctx.require(call, caller, "organizations:ListAccounts")
    org = _organization(ctx, caller)
    if caller.account != org.management and caller.account not in org.delegated:
        raise of_kind(
            "organizations", Kind.DENIED, "You don't have permissions to access this resource."
        )
    size = call.number("MaxResults", _MAX_PAGE)
    if not 1 <= size <= _MAX_PAGE:
        raise AwsError("InvalidInputException", "You provided a value that is out of range.")
    size = min(size, ctx.tweaks.page_size or size)
    token = call.text("NextToken")
    opened = unseal(token, "InvalidInputException") if token else {}
    at, skipped = int(opened.get("at", 0)), bool(opened.get("skipped"))
    if token and org.empty_page and not skipped:
        return json_answer({"Accounts": [], "NextToken": seal(at=at, skipped=True)})
    stop = min(at + size, len(org.members))
    if org.empty_page and not token and len(org.members) > 1:
        # A first page that holds everything would hide the empty page from small organisations.
        stop = min(stop, (len(org.members) + 1) // 2)
    listed = [ctx.state.account(account_id) for account_id in org.members[at:stop]]
    body: dict[str, Any] = {"Accounts": [_account(org, a) for a in listed if a is not None]}
    if stop < len(org.members):
        body["NextToken"] = seal(at=stop, skipped=skipped)
    return json_answer(body)


def _account(org: Organization, account: Account) -> dict[str, Any]:
    body: dict[str, Any] = {
        "Id": account.id,
        "Arn": f"arn:aws:organizations::{org.management}:account/{org.id}/{account.id}",
        "Email": account.email,
        "Name": account.name,
        "State": account.state,
        "JoinedMethod": account.joined_method,
    }
    if status := _STATUS_OF_STATE.get(account.state):
        body["Status"] = status
    if account.joined:
        body["JoinedTimestamp"] = account.joined.timestamp()
    return body


OPERATIONS: Operations = {"DescribeOrganization": _describe, "ListAccounts": _list_accounts}
