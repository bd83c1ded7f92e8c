"""Rotation of a connection's secret: its progress, and what steers it."""

from datetime import datetime
from typing import Annotated

import strawberry

from tensorcost.domain.integration.contracts_rotation import (
    OVERLAP,
    Admission,
    RotationState,
    SecretKind,
)
from tensorcost.graphql.context import GraphqlInfo
from tensorcost.graphql.ids import global_id, uuid_in
from tensorcost.graphql.integration.runs import CONNECTION
from tensorcost.graphql.problems import (
    ConflictProblem,
    ForbiddenProblem,
    NotFoundProblem,
    UnavailableProblem,
    ValidationProblem,
)
from tensorcost.graphql.roots import mutation, query
from tensorcost.services.secret_rotation import CustomerStep, RotationView, SecretRotationService

strawberry.enum(SecretKind, name="SecretKind")
strawberry.enum(RotationState, name="RotationState")
strawberry.enum(Admission, name="Admission", description="What the provider said to a secret.")


@strawberry.type(description="What the customer does now.")
class RotationStep:
    title: str
    update_command: str = strawberry.field(description="For who deployed our stack.")
    trust_policy: str = strawberry.field(
        description="The role's trust policy that results, as JSON."
    )

    @classmethod
    def from_domain(cls, found: CustomerStep) -> "RotationStep":
        return cls(
            title=found.title,
            update_command=found.update_command,
            trust_policy=found.trust_policy,
        )


@strawberry.type(description="A rotation of a connection's secret.")
class SecretRotation:
    connection_id: strawberry.ID
    kind: SecretKind
    state: RotationState
    requested_by: str
    started_at: datetime
    deadline: datetime = strawberry.field(description="Until when both secrets may be valid.")
    switched_at: datetime | None = strawberry.field(
        description="Since when the new secret is in use."
    )
    finished_at: datetime | None
    looks: int = strawberry.field(description="How often the provider was asked.")
    looked_at: datetime | None
    new: Admission
    old: Admission
    note: str
    joined: bool = strawberry.field(description="This rotation was under way already.")
    step: RotationStep | None = strawberry.field(description="What there is to do now.")

    @classmethod
    def from_domain(cls, view: RotationView) -> "SecretRotation":
        found = view.rotation
        return cls(
            connection_id=global_id(CONNECTION, found.connection.connection_id),
            kind=found.kind,
            state=found.state,
            requested_by=found.requested_by,
            started_at=found.started_at,
            deadline=found.deadline,
            switched_at=found.switched_at,
            finished_at=found.finished_at,
            looks=found.looks,
            looked_at=found.looked_at,
            new=found.new,
            old=found.old,
            note=found.note,
            joined=view.joined,
            step=None if view.step is None else RotationStep.from_domain(view.step),
        )


RotationResult = Annotated[
    SecretRotation
    | ValidationProblem
    | ForbiddenProblem
    | NotFoundProblem
    | ConflictProblem
    | UnavailableProblem,
    strawberry.union("RotationResult"),
]


@strawberry.type
class RotationQueries:
    @query(SecretRotationService.get, "The rotation of a connection's secret, the newest one.")
    async def secret_rotation(
        self, info: GraphqlInfo, connection_id: strawberry.ID
    ) -> SecretRotation | None:
        context = info.context
        found = await context.services.rotations.get(
            context.principal, uuid_in(connection_id, CONNECTION, field="connectionId")
        )
        return SecretRotation.from_domain(found)


@strawberry.type
class RotationMutations:
    @mutation(SecretRotationService.begin, "Begin to rotate a connection's secret, or join.")
    async def rotate_connection_secret(
        self, info: GraphqlInfo, id: strawberry.ID, overlap_days: int = OVERLAP.days
    ) -> RotationResult:
        context = info.context
        begun = await context.services.rotations.begin(
            context.principal, uuid_in(id, CONNECTION), overlap_days
        )
        return SecretRotation.from_domain(begun)

    @mutation(SecretRotationService.verify, "Ask the provider now for both secrets.")
    async def verify_secret_rotation(self, info: GraphqlInfo, id: strawberry.ID) -> RotationResult:
        context = info.context
        looked = await context.services.rotations.verify(context.principal, uuid_in(id, CONNECTION))
        return SecretRotation.from_domain(looked)

    @mutation(SecretRotationService.roll_back, "Go back to the connection's old secret.")
    async def roll_back_secret_rotation(
        self, info: GraphqlInfo, id: strawberry.ID, reason: str = ""
    ) -> RotationResult:
        context = info.context
        ended = await context.services.rotations.roll_back(
            context.principal, uuid_in(id, CONNECTION), reason
        )
        return SecretRotation.from_domain(ended)
