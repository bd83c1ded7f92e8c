"""Every operation that the schema allows, with one tenant's own values in its arguments.

Like the REST walk, it knows each argument by name and stops at one that it does not know.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    is_leaf_type,
    is_required_argument,
)

from tests.isolation.settling import BILLED_MONTH, DEAL, FLAG, REGION, Household

DEPTH = 4
RECONCILED = ("reconciliationLedger", "reconciliationLines", "spendCoverage")
"""Fields whose window is of whole days, as what they show is."""
PAGE = 3


@dataclass(frozen=True)
class Operation:
    text: str
    aimed: bool
    """An id of the tenant is among the arguments."""


@dataclass(frozen=True)
class Arguments:
    """Literals for every argument, the first of several being the plainest."""

    household: Household
    now: datetime
    head: tuple[int, str]
    ids: Mapping[str, str]
    """The tenant's global ids by type."""
    cursors: Mapping[str, str]
    """By root field: where the tenant's own list goes on."""

    def literals(self, field: str, name: str, kind: GraphQLNamedType) -> list[str]:
        """KeyError for an argument that nobody has thought of yet."""
        if kind.name == "ID":
            plain = [str(self.household.connection_id), str(self.household.run_id)]
            return [json.dumps(one) for one in (*self.ids.values(), *plain)]
        if name == "after":
            return [json.dumps(self.cursors[field])]
        if kind.name in ("SpendFilterInput", "LedgerFilterInput", "BillLineFilterInput"):
            kept = self._filter() if kind.name == "SpendFilterInput" else self._ledger_filter()
            if kind.name == "BillLineFilterInput":
                del kept["minGap"]
            return [f"{{{label}: {value}}}" for label, value in kept.items()]
        if name == "window" and field in RECONCILED:
            return [f'{{from: "{BILLED_MONTH}-01", to: "{BILLED_MONTH}-31"}}']
        return self._known()[name]

    def _filter(self) -> dict[str, str]:
        home = self.household
        labels = ("application", "team", "environment", "owner", "user", "agent", "workflow")
        return {
            "modelId": json.dumps(home.named("model")),
            "account": json.dumps(home.account_id),
            "region": json.dumps(REGION),
            "source": "BEDROCK",
            "aiOnly": "true",
            **{label: json.dumps(home.named(label)) for label in labels},
        }

    def _ledger_filter(self) -> dict[str, str]:
        home = self.household
        return {
            "account": json.dumps(home.account_id),
            "region": json.dumps(REGION),
            "modelId": json.dumps(home.named("model")),
            "gapClass": "UNLOGGED",
            "minGap": '"1"',
        }

    def _known(self) -> dict[str, list[str]]:
        home = self.household
        role = json.dumps(home.connection["role_arn"])
        hour = self.now.replace(minute=0, second=0, microsecond=0)
        since, until = hour - timedelta(days=2), hour + timedelta(days=1)
        window = f'{{from: "{since.isoformat()}", to: "{until.isoformat()}"}}'
        account = json.dumps(home.account_id)
        return {
            "first": [str(PAGE)],
            "limit": ["2"],
            "lines": ["2"],
            "dimension": ["AGENT", "MODEL", "TEAM", "ACCOUNT"],
            "step": ["DAY", "HOUR"],
            "window": [window],
            "from": [json.dumps(since.isoformat())],
            "to": [json.dumps(until.isoformat())],
            "at": [json.dumps(self.now.isoformat())],
            "asOf": [json.dumps(self.now.isoformat())],
            "period": [json.dumps(BILLED_MONTH)],
            "fromVersion": ["0"],
            "toVersion": ["1"],
            "account": [account],
            "region": [json.dumps(REGION)],
            "order": ["DAY"],
            "silentOnly": ["true"],
            "basis": ["NET"],
            "charges": ["INVOICE"],
            "unpricedOnly": ["true"],
            "agent": [json.dumps(home.named("agent"))],
            "workflow": [json.dumps(home.named("workflow"))],
            "modelId": [json.dumps(home.named("model"))],
            "provider": ['"bedrock"'],
            "state": ["OPEN", "RESOLVED"],
            "actor": [json.dumps(f"user:{home.tenant.owner_id}")],
            "action": ['"member"'],
            "remembered": [f'{{chainNo: {self.head[0]}, hash: "{self.head[1]}"}}'],
            "connection": [f'{{name: "Ours", accountId: {account}, roleArn: {role}}}'],
            "changes": [f"{{roleArn: {role}}}"],
            "reason": ['"not ours"'],
            "preview": ["1"],
            "overlapDays": ["3"],
            "kind": ["CONTENT_HASH"],
            "priceMap": [json.dumps(json.dumps({home.named("model"): DEAL}))],
            "effectiveFrom": ['"2026-01-01"'],
            "source": ['"contract 7"'],
            "idempotencyKey": [json.dumps(home.idempotency_key)],
            "name": ['"Renamed"'],
            "timeZone": ['"Europe/Paris"'],
            "branding": ['{primaryColor: "#123456"}'],
            "email": [json.dumps(home.tenant.owner_email)],
            "role": ["VIEWER"],
            "key": [json.dumps(FLAG)],
            "enabled": ["true"],
        }


def operations(
    schema: GraphQLSchema, kind: str, name: str, arguments: Arguments
) -> Iterator[Operation]:
    """The plain operation, and one for each other value of each argument."""
    field = root_fields(schema, kind)[name]
    given = {
        argument: arguments.literals(name, argument, get_named_type(found.type))
        for argument, found in field.args.items()
    }
    needed = [argument for argument, found in field.args.items() if is_required_argument(found)]
    plain = {argument: given[argument][0] for argument in needed}
    asked = [plain]
    for argument, literals in given.items():
        others = literals[1:] if argument in needed else literals
        asked += [{**plain, argument: literal} for literal in others]
    for one in asked:
        ids = [name for name in one if get_named_type(field.args[name].type).name == "ID"]
        for selection in selections(schema, field):
            yield Operation(f"{kind} {{ {name}{_written(one)}{selection} }}", bool(ids))


def root_fields(schema: GraphQLSchema, kind: str) -> Mapping[str, GraphQLField]:
    root: GraphQLObjectType = getattr(schema, f"{kind}_type")
    fields: Mapping[str, GraphQLField] = root.fields
    return fields


def selections(schema: GraphQLSchema, field: GraphQLField) -> Sequence[str]:
    """Everything below the field; for an interface once for each of its types, since fields of
    one name may be of several kinds there."""
    named = get_named_type(field.type)
    if is_leaf_type(named):
        return [""]
    if isinstance(named, GraphQLInterfaceType):
        kinds = schema.get_implementations(named).objects
        return [f" {{ __typename ... on {one.name} {_all_of(one, DEPTH)} }}" for one in kinds]
    return [f" {_all_of(named, DEPTH)}"]


def _all_of(kind: Any, depth: int) -> str:
    if isinstance(kind, GraphQLUnionType):
        members = (f"... on {one.name} {_all_of(one, depth - 1)}" for one in kind.types)
        return "{ __typename " + " ".join(members) + " }"
    parts = ["__typename"]
    for name, field in kind.fields.items():
        inner = get_named_type(field.type)
        arguments = f"(first: {PAGE})" if "first" in field.args else ""
        if is_leaf_type(inner):
            parts.append(name)
        elif depth > 1 and name != "edges":
            parts.append(f"{name}{arguments} {_all_of(inner, depth - 1)}")
    return "{ " + " ".join(parts) + " }"


def _written(arguments: Mapping[str, str]) -> str:
    if not arguments:
        return ""
    return "(" + ", ".join(f"{name}: {value}" for name, value in arguments.items()) + ")"
