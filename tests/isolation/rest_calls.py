"""Every call that the published document allows, with one tenant's own values in it.

A parameter or a body that is not known here stops the walk: there is no default, so that a new
one is never left out in silence.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from tests.isolation.settling import BILLED_MONTH, DEAL, FLAG, REGION, Household

RECONCILED = {
    "list_reconciliation_ledger": {"from": f"{BILLED_MONTH}-03", "to": f"{BILLED_MONTH}-04"},
    "list_reconciliation_lines": {"from": f"{BILLED_MONTH}-03", "to": f"{BILLED_MONTH}-04"},
    "get_reconciliation_diff": {"from": "0", "to": "1"},
    "get_spend_coverage": {"from": f"{BILLED_MONTH}-01", "to": f"{BILLED_MONTH}-31"},
}
"""Bounds by operation that hold what ``settle`` has reconciled."""
METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True)
class Call:
    """One request. ``aimed`` when its path names something of the tenant that it was made of."""

    name: str
    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    aimed: bool = False
    is_public: bool = False
    takes_key: bool = False

    @property
    def label(self) -> str:
        asked = "&".join(f"{name}={value}" for name, value in self.query.items())
        return f"{self.name} ({self.method} {self.path}?{asked})"


@dataclass(frozen=True)
class Values:
    """What a tenant's values are called in requests."""

    household: Household
    now: datetime
    head: tuple[int, str]
    """Number and hash of the last sealed audit entry."""
    cursors: Mapping[str, str] = field(default_factory=dict)
    """By operation: where the tenant's own list goes on."""

    def path(self, path: str, name: str) -> tuple[str, bool]:
        """The value of a path parameter, and whether it names something of the tenant."""
        home = self.household
        known: dict[tuple[str, str], tuple[str, bool]] = {
            ("/v1/integration/connections", "connection_id"): (str(home.connection_id), True),
            ("/v1/integration/runs", "run_id"): (str(home.run_id), True),
            ("/v1/integration/templates", "provider"): ("bedrock", False),
            ("/v1/cost/reconciliation", "period"): (BILLED_MONTH, False),
            ("/v1/cost/reratings", "rerating_id"): (str(home.rerating_id), True),
            ("/v1/ai/agents", "id"): (home.named("agent"), True),
            ("/v1/ai/workflows", "id"): (home.named("workflow"), True),
            ("/v1/tenant/members", "id"): (home.guest["id"], True),
            ("/v1/tenant/feature-flags", "key"): (FLAG, False),
            ("/v1/tenant/secrets", "kind"): ("content_hash", False),
        }
        return known[path.split("/{", 1)[0], name]

    def query(self, operation: str, name: str) -> dict[str, str]:
        """A query parameter with its value, and whatever it must not come without."""
        home, day = self.household, self.now.date()
        if name == "cursor":
            return {"cursor": self.cursors[operation], "limit": "1"}
        if operation in RECONCILED and name in RECONCILED[operation]:
            return {name: RECONCILED[operation][name]}
        if name in ("head_no", "head_hash"):
            return {"head_no": str(self.head[0]), "head_hash": self.head[1]}
        same = ("application", "team", "environment", "owner", "user", "agent", "workflow")
        known = {
            **{label: home.named(label) for label in same},
            "source": "bedrock",
            "provider": "bedrock",
            "model_id": home.named("model"),
            "account": home.account_id,
            "region": REGION,
            "from": (day - timedelta(days=2)).isoformat(),
            "to": (day + timedelta(days=1)).isoformat(),
            "as_of": day.isoformat(),
            "at": self.now.isoformat(),
            "effective_from": day.isoformat(),
            "unpriced_only": "true",
            "silent_only": "true",
            "basis": "net",
            "charges": "invoice",
            "class": "unlogged",
            "min_gap": "1",
            "order": "day",
            "limit": "1",
            "lines": "3",
            "group_by": "agent",
            "tag": "team",
            "step": "hour",
            "state": "open",
            "kind": "backfill",
            "action": "member",
            "actor": f"user:{home.tenant.owner_id}",
            "since": (self.now - timedelta(days=1)).isoformat(),
            "until": (self.now + timedelta(days=1)).isoformat(),
        }
        return {name: known[name]}

    def body(self, operation: str) -> Any:
        """A body that names what is the tenant's."""
        home = self.household
        changes = {"role_arn": home.connection["role_arn"]}
        bodies: dict[str, Any] = {
            "push_spend_events": {"events": [self._event()]},
            "import_prices": {home.named("model"): DEAL},
            "login": {
                "email": home.tenant.owner_email,
                "password": "not-the-password",
                "tenant_id": home.tenant.slug,
            },
            "refresh_tokens": {"refreshToken": self._spoilt(home.refresh_token)},
            "logout": {"refreshToken": self._spoilt(home.refresh_token)},
            "accept_invitation": {
                "invitation": self._spoilt(home.guest["invitation"]),
                "password": "fake-password-of-a-guest",
            },
            "change_password": {
                "currentPassword": home.tenant.one_time_password,
                "newPassword": "fake-new-password-0001",
            },
            "create_connection": {
                "name": "Ours",
                "account_id": home.account_id,
                "role_arn": home.connection["role_arn"],
            },
            "update_connection": changes,
            "validate_connection": changes,
            "retry_connection": changes,
            "cancel_connection": {"reason": "not ours"},
            "rotate_connection_secret": {"overlap_days": 3},
            "verify_rotation": None,
            "roll_back_rotation": {"reason": "not ours"},
            "rotate_stored_secret": {"overlap_days": 3},
            "finish_stored_secret_rotation": {"reason": "not ours"},
            "roll_back_stored_secret_rotation": {"reason": "not ours"},
            "cancel_run": {"reason": "not ours"},
            "request_reconciliation": {"period": BILLED_MONTH},
            "request_rerating": None,
            "approve_rerating": {"preview": 1, "reason": "not ours"},
            "reject_rerating": {"reason": "not ours"},
            "revert_rerating": None,
            "update_tenant": {"name": "Renamed"},
            "replace_branding": {"primary_color": "#123456"},
            "override_feature_flag": {"enabled": True, "user_id": str(home.tenant.owner_id)},
            "invite_member": {"email": home.tenant.owner_email, "role": "viewer"},
            "change_member_role": {"role": "viewer"},
        }
        return bodies[operation]

    def _event(self) -> dict[str, Any]:
        return {
            "id": self.household.named("pushed"),
            "timestamp": (self.now - timedelta(hours=2)).isoformat(),
            "source": "openai_api",
            "account_id": self.household.named("project"),
            "model_id": self.household.named("unpriced-model"),
            "input_tokens": 7,
        }

    @staticmethod
    def _spoilt(secret: str) -> str:
        """The token with another secret: its bearer would be its owner."""
        return f"{secret[:-43]}{'A' * 43}"


def operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Path, method and description of each."""
    for path, described in document["paths"].items():
        for method in METHODS:
            if method in described:
                yield path, method, described[method]


def calls(document: Mapping[str, Any], values: Values) -> Iterator[Call]:
    """Each operation plainly, and then once for each query parameter that it can do without."""
    for path, method, _ in operations(document):
        plain, asked = _plain(document, path, method, values)
        yield plain
        for name in asked:
            query = {**plain.query, **values.query(plain.name, name)}
            if query != plain.query:
                yield replace(plain, query=query)


def listings(document: Mapping[str, Any], values: Values) -> Iterator[Call]:
    """The first row of every list that can be read on."""
    for path, method, _ in operations(document):
        plain, asked = _plain(document, path, method, values)
        if "cursor" in asked:
            yield replace(plain, query={**plain.query, "limit": "1"})


def _plain(
    document: Mapping[str, Any], path: str, method: str, values: Values
) -> tuple[Call, list[str]]:
    """The call with what it cannot do without, and the names of its query parameters."""
    operation = document["paths"][path][method]
    parameters = [_resolved(document, one) for one in operation.get("parameters", [])]
    name = operation["operationId"]
    asked = [one for one in parameters if one["in"] == "query"]
    needed = [values.query(name, one["name"]) for one in asked if one.get("required")]
    call = Call(
        name=name,
        method=method.upper(),
        path=path,
        query={key: value for part in needed for key, value in part.items()},
        body=values.body(name) if method in ("post", "put", "patch") else None,
        is_public="security" not in operation,
        takes_key=any(one["name"] == "Idempotency-Key" for one in parameters),
    )
    for one in parameters:
        if one["in"] == "path":
            value, is_theirs = values.path(path, one["name"])
            place = call.path.replace(f"{{{one['name']}}}", value)
            call = replace(call, path=place, aimed=call.aimed or is_theirs)
    return call, [one["name"] for one in asked]


def _resolved(document: Mapping[str, Any], parameter: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = parameter.get("$ref")
    if reference is None:
        return parameter
    found: Mapping[str, Any] = document["components"]["parameters"][reference.rsplit("/", 1)[-1]]
    return found
