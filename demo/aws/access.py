"""Who may do what: a small, strict part of IAM's evaluation.

Missing condition keys never satisfy a condition, deny wins, and a session policy can only
narrow what its role allows. Where AWS would need a full policy language, roles here carry
``service:Action`` patterns, optionally bound to resources as ``service:Action@arn-pattern``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

from demo.aws.state import PolicyDocument, SimState

_READ_ACTION = re.compile(r"^[a-z0-9-]+:(Get|List|Describe|Filter|Head|Lookup|Decrypt)[A-Za-z*]*$")
MAX_SESSION_POLICY = 2048


class Verdict(StrEnum):
    ALLOW = "allow"
    DENY = "deny"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class Caller:
    """The identity behind an access key."""

    arn: str
    account: str
    user_id: str
    permissions: tuple[str, ...]
    role_arn: str | None = None
    session_policy: PolicyDocument | None = None
    has_external_id: bool = False

    @property
    def is_session(self) -> bool:
        return self.role_arn is not None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an action is denied, in the words that AWS appends to its message."""

    reason: str
    explicit: bool = False


def matches(pattern: str, value: str) -> bool:
    return fnmatchcase(value.lower(), pattern.lower())


def permitted(patterns: Iterable[str], action: str, resource: str) -> bool:
    for pattern in patterns:
        name, _, where = pattern.partition("@")
        if matches(name, action) and (not where or matches(where, resource)):
            return True
    return False


def refusal(
    state: SimState, caller: Caller, action: str, resource: str, region: str
) -> Refusal | None:
    """None when ``caller`` may perform ``action``; otherwise the reason."""
    account = state.account(caller.account)
    if account and permitted(account.scp_denied, action, resource):
        return Refusal("with an explicit deny in a service control policy", explicit=True)
    if not permitted(caller.permissions, action, resource):
        return Refusal(f"because no identity-based policy allows the {action} action")
    if caller.session_policy is not None:
        context = {"aws:requestedregion": region}
        verdict = evaluate(caller.session_policy, action, resource, context)
        if verdict is Verdict.DENY:
            return Refusal("with an explicit deny in a session policy", explicit=True)
        if verdict is Verdict.SILENT:
            return Refusal(f"because no session policy allows the {action} action")
    return None


def denial_text(caller: Caller, action: str, resource: str, why: Refusal | None) -> str:
    text = f"User: {caller.arn} is not authorized to perform: {action} on resource: {resource}"
    return f"{text} {why.reason}" if why else text


def evaluate(
    document: PolicyDocument,
    action: str,
    resource: str,
    context: Mapping[str, str],
    principal: Caller | None = None,
) -> Verdict:
    """Evaluate one policy document; with ``principal`` it is a resource or trust policy."""
    verdict = Verdict.SILENT
    for statement in _listed(document.get("Statement", [])):
        if not _covers(statement, action, resource):
            continue
        if principal is not None and not _names(statement.get("Principal"), principal):
            continue
        if not _satisfied(statement.get("Condition", {}), context):
            continue
        if statement.get("Effect") == "Deny":
            return Verdict.DENY
        verdict = Verdict.ALLOW
    return verdict


def is_read_only(document: PolicyDocument) -> bool:
    """True when every action that the policy allows is named, and only reads."""
    allowed = [s for s in _listed(document.get("Statement", [])) if s.get("Effect") == "Allow"]
    actions = [a for s in allowed for a in _listed(s.get("Action", []))]
    if any("NotAction" in s for s in allowed) or not actions:
        return False
    return all(_READ_ACTION.match(str(action)) for action in actions)


def _covers(statement: Mapping[str, Any], action: str, resource: str) -> bool:
    if "NotAction" in statement:
        if any(matches(str(a), action) for a in _listed(statement["NotAction"])):
            return False
    elif not any(matches(str(a), action) for a in _listed(statement.get("Action", []))):
        return False
    if "Resource" not in statement:
        return True
    return any(fnmatchcase(resource, str(r)) for r in _listed(statement["Resource"]))


def _names(principal: object, caller: Caller) -> bool:
    if principal == "*":
        return True
    listed = _listed(principal.get("AWS", [])) if isinstance(principal, dict) else []
    own = {caller.arn, caller.account, f"arn:aws:iam::{caller.account}:root", "*"}
    if caller.role_arn:
        own.add(caller.role_arn)
    return any(str(name) in own for name in listed)


def _satisfied(condition: Mapping[str, Any], context: Mapping[str, str]) -> bool:
    for operator, wanted in condition.items():
        base, if_exists = operator.removesuffix("IfExists"), operator.endswith("IfExists")
        for key, values in wanted.items():
            actual = context.get(key.lower())
            if actual is None:
                if if_exists or "Not" in base:
                    continue
                return False
            if not _compare(base, actual, [str(v) for v in _listed(values)]):
                return False
    return True


def _compare(operator: str, actual: str, wanted: list[str]) -> bool:
    match operator:
        case "StringEquals" | "ArnEquals":
            return actual in wanted
        case "StringNotEquals":
            return actual not in wanted
        case "StringLike" | "ArnLike":
            return any(fnmatchcase(actual, pattern) for pattern in wanted)
        case "StringEqualsIgnoreCase":
            return actual.lower() in {value.lower() for value in wanted}
        case _:
            return False


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
