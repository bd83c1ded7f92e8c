"""What the GraphQL face is built from; runtime hands it over."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tensorcost.domain.clock import Clock
from tensorcost.domain.identity.principal import Principal
from tensorcost.graphql.settings import GraphqlSettings
from tensorcost.services.audit import AuditService
from tensorcost.services.cost.service import CostService
from tensorcost.services.events import EventService
from tensorcost.services.flags import FlagService
from tensorcost.services.integration import IntegrationService
from tensorcost.services.integration_history import IntegrationHistory
from tensorcost.services.prices import PriceService
from tensorcost.services.reconciliation.coverage import CoverageService
from tensorcost.services.reconciliation.service import ReconciliationService
from tensorcost.services.rerating import ReratingService
from tensorcost.services.secret_rotation import SecretRotationService
from tensorcost.services.spend.service import SpendService
from tensorcost.services.tenancy.members import MemberService
from tensorcost.services.tenancy.secret_rotation import StoredSecretService
from tensorcost.services.tenancy.settings import TenantService

Authenticate = Callable[[str, str | None], Awaitable[Principal]]
"""``Authenticator.authenticate``: a bearer token and the tenant that is asked for."""


@dataclass(frozen=True, slots=True)
class GraphqlServices:
    """The use cases behind the schema."""

    audit: AuditService
    cost: CostService
    coverage: CoverageService
    events: EventService
    flags: FlagService
    history: IntegrationHistory
    integration: IntegrationService
    members: MemberService
    prices: PriceService
    reconciliation: ReconciliationService
    reratings: ReratingService
    rotations: SecretRotationService
    spend: SpendService
    stored_secrets: StoredSecretService
    tenants: TenantService


@dataclass(frozen=True, slots=True)
class GraphqlDeps:
    """HTTP requests carry their caller in the ASGI scope (``domain.identity.caller``), put there
    by the gateway; websockets authenticate in ``connection_init`` with ``authenticate``."""

    services: GraphqlServices
    authenticate: Authenticate
    clock: Clock
    settings: GraphqlSettings
