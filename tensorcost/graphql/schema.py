"""One schema of every context's part. A root field without a use case does not get in."""

from collections.abc import Callable, Iterator
from typing import Any, cast

import strawberry
from strawberry.schema.config import StrawberryConfig
from strawberry.types.base import get_object_definition
from strawberry.types.field import StrawberryField

from tensorcost.graphql.audit.queries import AuditQueries
from tensorcost.graphql.cost.queries import CostQueries
from tensorcost.graphql.cost.rerating import ReratingMutations, ReratingQueries
from tensorcost.graphql.events.subscriptions import EventSubscriptions
from tensorcost.graphql.flags.mutations import FlagMutations
from tensorcost.graphql.flags.queries import FlagQueries
from tensorcost.graphql.integration.mutations import IntegrationMutations
from tensorcost.graphql.integration.queries import IntegrationQueries
from tensorcost.graphql.integration.rotation import RotationMutations, RotationQueries
from tensorcost.graphql.integration.subscriptions import IntegrationSubscriptions
from tensorcost.graphql.nodes import NodeQueries
from tensorcost.graphql.problems import HANDLERS, PROBLEMS
from tensorcost.graphql.reconciliation.mutations import ReconciliationMutations
from tensorcost.graphql.reconciliation.queries import ReconciliationQueries
from tensorcost.graphql.scalars import SCALARS
from tensorcost.graphql.spend.price_import import PriceMutations
from tensorcost.graphql.spend.queries import SpendQueries
from tensorcost.graphql.tenancy.mutations import TenancyMutations
from tensorcost.graphql.tenancy.queries import TenancyQueries
from tensorcost.graphql.tenancy.secrets import StoredSecretMutations, StoredSecretQueries
from tensorcost.services.authorise import Public, UseCase, served_by

Resolver = Callable[..., Any]


@strawberry.type
class Query(
    CostQueries,
    ReconciliationQueries,
    ReratingQueries,
    SpendQueries,
    IntegrationQueries,
    RotationQueries,
    TenancyQueries,
    StoredSecretQueries,
    FlagQueries,
    AuditQueries,
    NodeQueries,
):
    pass


@strawberry.type
class Mutation(
    ReconciliationMutations,
    ReratingMutations,
    PriceMutations,
    IntegrationMutations,
    RotationMutations,
    TenancyMutations,
    StoredSecretMutations,
    FlagMutations,
):
    pass


@strawberry.type
class Subscription(EventSubscriptions, IntegrationSubscriptions):
    pass


def root_fields() -> Iterator[tuple[str, StrawberryField, UseCase | Public]]:
    """Every root field with its operation's kind and its use case; TypeError without one."""
    for root in (Query, Mutation, Subscription):
        for field in get_object_definition(root, strict=True).fields:
            resolver = field.base_resolver
            shown = None if resolver is None else served_by(cast("Resolver", resolver.wrapped_func))
            if shown is None:
                raise TypeError(
                    f"{root.__name__}.{field.python_name}: declare it with "
                    "roots.query, roots.mutation or roots.subscription"
                )
            yield root.__name__.lower(), field, shown


def build_schema() -> strawberry.Schema:
    """The schema, checked."""
    list(root_fields())
    return strawberry.Schema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        types=PROBLEMS,
        config=StrawberryConfig(scalar_map=SCALARS),
        exception_handlers=HANDLERS,
    )


def print_schema() -> str:
    """The schema as text, as it is committed in ``docs/schema.graphql``."""
    return build_schema().as_str() + "\n"
