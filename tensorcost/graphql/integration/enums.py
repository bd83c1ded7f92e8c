"""The closed sets of the integration context, as the schema shows them."""

import strawberry

from tensorcost.domain.integration.contracts_findings import Severity
from tensorcost.domain.integration.states import (
    ConnectionMode,
    ConnectionState,
    Coverage,
    FindingState,
    RunKind,
    RunState,
    StepState,
)

strawberry.enum(ConnectionMode, name="ConnectionMode")
strawberry.enum(ConnectionState, name="ConnectionState")
strawberry.enum(Coverage, name="Coverage", description="What became of an account: never silence.")
strawberry.enum(FindingState, name="FindingState")
strawberry.enum(RunKind, name="RunKind")
strawberry.enum(RunState, name="RunState")
strawberry.enum(Severity, name="Severity")
strawberry.enum(StepState, name="StepState")
