"""Named troubles. Those of the diagnosis table change the world, so that probes agree with them;
those of the network and of busy services are rules on calls.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from demo.aws.errors import Kind
from demo.aws.faults import Fault
from demo.aws.state import Account, Bucket, LogGroup, Organization, Role, SimState


class PresetArgs(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Where a preset strikes; each preset's text says which members it reads."""

    account: str | None = None
    region: str | None = None
    role: str | None = None
    resource: str | None = None
    service: str | None = None
    operation: str | None = None
    times: int | None = None
    seconds: float | None = None
    value: str | None = None


class PresetError(ValueError):
    """The preset does not exist, or points at nothing in the world."""


StateChange = Callable[[SimState, PresetArgs], None]
Rules = Callable[[PresetArgs], list[Fault]]


def _roles(state: SimState, args: PresetArgs) -> list[tuple[Account, Role]]:
    found = [
        (account, role)
        for account in state.accounts
        for role in account.roles
        if args.account in (None, account.id) and args.role in (None, role.name)
    ]
    if not found:
        raise PresetError(f"no role {args.role} in account {args.account}")
    return found


def _trust_statements(state: SimState, args: PresetArgs) -> list[dict[str, object]]:
    return [s for _, role in _roles(state, args) for s in role.trust.get("Statement", [])]


def _external_id_mismatch(state: SimState, args: PresetArgs) -> None:
    """The role expects another ExternalId (``value``). Reads account, role, value."""
    other = args.value or "another-external-id"
    for statement in _trust_statements(state, args):
        if "Condition" in statement:
            statement["Condition"] = {"StringEquals": {"sts:ExternalId": other}}


def _external_id_not_required(state: SimState, args: PresetArgs) -> None:
    """The role trusts without any ExternalId: the confused deputy. Reads account, role."""
    for statement in _trust_statements(state, args):
        statement.pop("Condition", None)


def _backend_account_default(state: SimState, args: PresetArgs) -> None:
    """TensorCostBackendAccountId was left at 000000000000. Reads account, role."""
    for statement in _trust_statements(state, args):
        statement["Principal"] = {"AWS": "arn:aws:iam::000000000000:root"}


def _role_missing(state: SimState, args: PresetArgs) -> None:
    """The role does not exist. Reads account, role; name both, or every role goes."""
    for account, role in _roles(state, args):
        account.roles.remove(role)


def _trust_explicit_deny(state: SimState, args: PresetArgs) -> None:
    """A service control policy denies sts:AssumeRole in the caller's account. Reads account."""
    for account in state.accounts:
        if args.account in (None, account.id):
            account.scp_denied.append("sts:AssumeRole")


def _without(action: str) -> StateChange:
    def change(state: SimState, args: PresetArgs) -> None:
        """The role's policy lacks one action. Reads account, role."""
        service = action.partition(":")[0]
        for _, role in _roles(state, args):
            kept = [p for p in role.permissions if p.partition("@")[0] not in ("*", f"{service}:*")]
            role.permissions[:] = [p for p in kept if p.partition("@")[0] != action]

    return change


def _logging_off(state: SimState, args: PresetArgs) -> None:
    """No logging configuration and no log group. Reads account, region."""
    state.logging = [c for c in state.logging if not _here(args, c.account, c.region)]
    state.log_groups = [g for g in state.log_groups if not _here(args, g.account, g.region)]


def _no_events(state: SimState, args: PresetArgs) -> None:
    """The log group is empty although metrics count calls. Reads account, region."""
    groups = [g for g in state.log_groups if _here(args, g.account, g.region)]
    if not groups:
        raise PresetError("no log group there")
    for group in groups:
        group.silent = True


def _no_traffic(state: SimState, args: PresetArgs) -> None:
    """Logging is on, but nobody calls Bedrock: no events, no objects, no metrics.

    Reads account, region.
    """
    for account in state.accounts:
        if args.account in (None, account.id):
            account.idle_regions.append(args.region or "*")
    written = {c.bucket for c in state.logging if _here(args, c.account, c.region)}
    for bucket in state.buckets:
        bucket.silent = bucket.silent or bucket.name in written
    for group in state.log_groups:
        group.silent = group.silent or _here(args, group.account, group.region)


def _wrong_region(state: SimState, args: PresetArgs) -> None:
    """Logging was switched on in ``value`` (default eu-central-1). Reads account, region, value."""
    other = args.value or "eu-central-1"
    for config in state.logging:
        if _here(args, config.account, config.region):
            config.region = other
    for group in state.log_groups:
        if _here(args, group.account, group.region):
            group.written_in = group.written_in or group.region
            group.region = other


def _not_management(state: SimState, args: PresetArgs) -> None:
    """The stack stands in a member account. Reads value: the account that manages instead."""
    organization = _organization(state)
    others = [m for m in organization.members if m != organization.management]
    organization.management = args.value or others[0]


def _no_organization(state: SimState, args: PresetArgs) -> None:
    """The account belongs to no organisation."""
    state.organization = None


def _account(state: SimState, args: PresetArgs) -> Account:
    found = state.account(args.account or "")
    if found is None:
        raise PresetError(f"no account {args.account}")
    return found


def _organization(state: SimState) -> Organization:
    if state.organization is None:
        raise PresetError("there is no organisation")
    return state.organization


def _account_joins(state: SimState, args: PresetArgs) -> None:
    """The organisation creates an account, with its jump role. Reads account, role, value: name."""
    if not args.account or state.account(args.account):
        raise PresetError(f"not a new account: {args.account}")
    made = Account(id=args.account, name=args.value or f"account-{args.account}")
    state.accounts.append(made)
    _organization(state).members.append(made.id)
    _role_deployed(state, args)


def _account_leaves(state: SimState, args: PresetArgs) -> None:
    """The account is removed from the organisation; it goes on by itself. Reads account."""
    members = _organization(state).members
    members.remove(_account(state, args).id)


def _account_suspended(state: SimState, args: PresetArgs) -> None:
    """The account was closed: AWS suspends it. Reads account."""
    _account(state, args).state = "SUSPENDED"


def _role_deployed(state: SimState, args: PresetArgs) -> None:
    """A StackSet brings a jump role that trusts the management account. Reads account, role."""
    root = f"arn:aws:iam::{_organization(state).management}:root"
    statement = {"Effect": "Allow", "Principal": {"AWS": root}, "Action": "sts:AssumeRole"}
    trust = {"Version": "2012-10-17", "Statement": [statement]}
    name = args.role or "OrganizationAccountAccessRole"
    _account(state, args).roles.append(Role(name=name, trust=trust, permissions=["*"]))


def _kms_denied(state: SimState, args: PresetArgs) -> None:
    """The key policy refuses kms:Decrypt. Reads resource: a bucket or a log group."""
    hit = False
    places: list[Bucket | LogGroup] = [*state.buckets, *state.log_groups]
    for place in places:
        if args.resource in (None, place.name):
            key = place.kms_key or f"arn:aws:kms:{place.region}:{place.account}:key/demo"
            place.kms_key, place.kms_refused, hit = key, True, True
    if not hit:
        raise PresetError(f"no bucket or log group {args.resource}")


def _cur_denied(state: SimState, args: PresetArgs) -> None:
    """A bucket policy denies everything to everyone. Reads resource: the bucket."""
    for bucket in state.buckets:
        if bucket.name == args.resource:
            statement = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}
            bucket.policy = {"Version": "2012-10-17", "Statement": [statement]}
            return
    raise PresetError(f"no bucket {args.resource}")


def _bucket_missing(state: SimState, args: PresetArgs) -> None:
    """The bucket was deleted. Reads resource."""
    state.buckets = [b for b in state.buckets if b.name != args.resource]


def _region_disabled(state: SimState, args: PresetArgs) -> None:
    """An opt-in region is off. Reads account, region."""
    for account in state.accounts:
        if args.account in (None, account.id):
            account.disabled_regions.append(args.region or "us-east-1")


def _hops_unrestricted(state: SimState, args: PresetArgs) -> None:
    """Do not insist on a read-only session policy for member hops."""
    state.require_read_only_hops = False


def _here(args: PresetArgs, account: str, region: str) -> bool:
    return args.account in (None, account) and args.region in (None, region)


def _rule(**defaults: object) -> Rules:
    def rules(args: PresetArgs) -> list[Fault]:
        where = {
            name: value
            for name in ("service", "operation", "account", "region", "resource", "times")
            if (value := getattr(args, name)) is not None
        }
        fields = defaults | where
        if args.seconds is not None:
            fields["slow" if "slow" in defaults else "delay"] = args.seconds
        return [msgspec.convert(fields, Fault)]

    return rules


STATE_PRESETS: dict[str, StateChange] = {
    "external_id_mismatch": _external_id_mismatch,
    "external_id_not_required": _external_id_not_required,
    "backend_account_default": _backend_account_default,
    "role_missing": _role_missing,
    "member_role_missing": _role_missing,
    "trust_explicit_deny": _trust_explicit_deny,
    "cloudwatch_denied": _without("cloudwatch:GetMetricData"),
    "logs_denied": _without("logs:FilterLogEvents"),
    "s3_denied": _without("s3:GetObject"),
    "tags_denied": _without("bedrock:ListTagsForResource"),
    "organizations_denied": _without("organizations:ListAccounts"),
    "logging_off": _logging_off,
    "no_events": _no_events,
    "no_traffic": _no_traffic,
    "wrong_region": _wrong_region,
    "not_management": _not_management,
    "no_organization": _no_organization,
    "account_joins": _account_joins,
    "account_leaves": _account_leaves,
    "account_suspended": _account_suspended,
    "role_deployed": _role_deployed,
    "kms_denied": _kms_denied,
    "cur_denied": _cur_denied,
    "bucket_missing": _bucket_missing,
    "region_disabled": _region_disabled,
    "hops_unrestricted": _hops_unrestricted,
}
_MENTIONS = "The ExternalId in the request does not match the trust policy of the role."
RULE_PRESETS: dict[str, Rules] = {
    "external_id_mentioned": _rule(
        service="sts", operation="AssumeRole", kind=Kind.DENIED, message=_MENTIONS
    ),
    "member_role_no_such_entity": _rule(
        service="sts",
        operation="AssumeRole",
        code="NoSuchEntity",
        status=404,
        message="The role cannot be found.",
    ),
    "backend_credentials": _rule(kind=Kind.BAD_CREDENTIALS),
    "signature_mismatch": _rule(kind=Kind.BAD_SIGNATURE),
    "throttling_burst": _rule(kind=Kind.THROTTLED, times=3),
    "always_throttled": _rule(kind=Kind.THROTTLED),
    "expired_token": _rule(kind=Kind.EXPIRED, times=1),
    "server_error_once": _rule(kind=Kind.INTERNAL, times=1),
    "unavailable": _rule(kind=Kind.UNAVAILABLE),
    "partial_data": _rule(service="cloudwatch", operation="GetMetricData", page_size=10),
    "empty_page": _rule(service="logs", operation="FilterLogEvents", empty_page=True),
    "small_pages": _rule(page_size=3),
    "slow_body": _rule(service="s3", operation="GetObject", slow=0.2, times=1),
    "slow_answer": _rule(delay=3.0, times=1),
    "connection_closed": _rule(close=True, times=1),
    "connection_dropped": _rule(service="s3", operation="GetObject", drop=0.5, times=1),
    "invalid_gzip": _rule(service="s3", operation="GetObject", resource="*.gz", corrupt=True),
    "truncated_gzip": _rule(service="s3", operation="GetObject", resource="*.gz", cut=0.6),
    "truncated_parquet": _rule(service="s3", operation="GetObject", resource="*.parquet", cut=0.6),
    "connection_reset": _rule(service="s3", operation="GetObject", drop=0.5, reset=True, times=1),
    "body_stalled": _rule(service="s3", operation="GetObject", drop=0.5, stall=3.0, times=1),
    "sessions_ended": _rule(expire=True, times=1),
    "object_rewritten": _rule(service="s3", operation="GetObject", rewritten=True, times=1),
    "object_replaced": _rule(service="s3", operation="GetObject", replace=True, times=1),
    "object_vanished": _rule(
        service="s3",
        operation="GetObject",
        code="NoSuchKey",
        status=404,
        message="The specified key does not exist.",
        times=1,
    ),
}


def apply_preset(name: str, state: SimState, args: PresetArgs) -> list[Fault]:
    """Change ``state`` or return rules, as the preset says; raises PresetError."""
    if change := STATE_PRESETS.get(name):
        change(state, args)
        return []
    if rules := RULE_PRESETS.get(name):
        made = rules(args)
        for fault in made:
            fault.name = fault.name or name
        return made
    raise PresetError(f"no preset {name}; there are {sorted([*STATE_PRESETS, *RULE_PRESETS])}")
