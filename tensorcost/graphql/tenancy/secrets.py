"""Rotation of the secrets that are stored for a tenant: its progress, and what steers it."""

from datetime import datetime
from typing import Annotated

import strawberry

from tensorcost.domain.integration.contracts_rotation import OVERLAP
from tensorcost.domain.tenancy.secret_rotation import StoredRotationState
from tensorcost.domain.tenancy.stored_secrets import StoredSecretKind
from tensorcost.graphql.context import GraphqlInfo
from tensorcost.graphql.problems import (
    ConflictProblem,
    ForbiddenProblem,
    NotFoundProblem,
    UnavailableProblem,
    ValidationProblem,
)
from tensorcost.graphql.roots import mutation, query
from tensorcost.services.tenancy.secret_rotation import StoredRotationView, StoredSecretService

strawberry.enum(StoredSecretKind, name="StoredSecretKind")
strawberry.enum(StoredRotationState, name="StoredRotationState")


@strawberry.type(description="A rotation of a secret that is stored for the tenant.")
class StoredSecretRotation:
    kind: StoredSecretKind
    state: StoredRotationState
    old_version: int
    new_version: int
    in_use: int = strawberry.field(
        description="The version in use. Once ended, the other is destroyed."
    )
    requested_by: str
    started_at: datetime
    deadline: datetime = strawberry.field(description="Until when the earlier version is kept.")
    finished_at: datetime | None
    note: str
    joined: bool = strawberry.field(description="This rotation was under way already.")
    consequence: str = strawberry.field(description="What the rotation changes for good.")

    @classmethod
    def from_domain(cls, view: StoredRotationView) -> "StoredSecretRotation":
        found = view.rotation
        return cls(
            kind=found.kind,
            state=found.state,
            old_version=found.old_version,
            new_version=found.new_version,
            in_use=found.in_use,
            requested_by=found.requested_by,
            started_at=found.started_at,
            deadline=found.deadline,
            finished_at=found.finished_at,
            note=found.note,
            joined=view.joined,
            consequence=view.consequence,
        )


StoredRotationResult = Annotated[
    StoredSecretRotation
    | ValidationProblem
    | ForbiddenProblem
    | NotFoundProblem
    | ConflictProblem
    | UnavailableProblem,
    strawberry.union("StoredRotationResult"),
]


@strawberry.type
class StoredSecretQueries:
    @query(StoredSecretService.get, "The rotation of a stored secret, the newest one.")
    async def stored_secret_rotation(
        self, info: GraphqlInfo, kind: StoredSecretKind
    ) -> StoredSecretRotation | None:
        context = info.context
        found = await context.services.stored_secrets.get(context.principal, kind)
        return StoredSecretRotation.from_domain(found)


@strawberry.type
class StoredSecretMutations:
    @mutation(StoredSecretService.begin, "Begin to rotate a stored secret, or join.")
    async def rotate_stored_secret(
        self, info: GraphqlInfo, kind: StoredSecretKind, overlap_days: int = OVERLAP.days
    ) -> StoredRotationResult:
        context = info.context
        begun = await context.services.stored_secrets.begin(context.principal, kind, overlap_days)
        return StoredSecretRotation.from_domain(begun)

    @mutation(StoredSecretService.finish, "Destroy the earlier secret now.")
    async def finish_stored_secret_rotation(
        self, info: GraphqlInfo, kind: StoredSecretKind, reason: str = ""
    ) -> StoredRotationResult:
        context = info.context
        ended = await context.services.stored_secrets.finish(context.principal, kind, reason)
        return StoredSecretRotation.from_domain(ended)

    @mutation(StoredSecretService.roll_back, "Use the earlier secret again; the new one goes.")
    async def roll_back_stored_secret_rotation(
        self, info: GraphqlInfo, kind: StoredSecretKind, reason: str = ""
    ) -> StoredRotationResult:
        context = info.context
        ended = await context.services.stored_secrets.roll_back(context.principal, kind, reason)
        return StoredSecretRotation.from_domain(ended)
