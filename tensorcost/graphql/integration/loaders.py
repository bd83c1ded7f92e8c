"""Batched reads of one operation; each batch opens its own short transaction in the service."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from strawberry.dataloader import DataLoader

from tensorcost.domain.errors import NotFound
from tensorcost.domain.identity.principal import Principal
from tensorcost.domain.ids import ConnectionId
from tensorcost.domain.integration.contracts_connection import Connection
from tensorcost.domain.integration.progress_records import AccountCoverage, SyncStep
from tensorcost.services.integration import IntegrationService
from tensorcost.services.integration_history import IntegrationHistory

StepsKey = tuple[UUID, int]


class IntegrationUseCases(Protocol):
    """The services that these loaders read through."""

    @property
    def integration(self) -> IntegrationService: ...
    @property
    def history(self) -> IntegrationHistory: ...


class IntegrationLoaders:
    """``cache`` is off on a stream, where a value read once must not be shown for ever."""

    def __init__(self, services: IntegrationUseCases, principal: Principal, *, cache: bool) -> None:
        self._services = services
        self._principal = principal
        self.connection: DataLoader[UUID, Connection] = DataLoader(self._connections, cache=cache)
        self.accounts: DataLoader[UUID, Sequence[AccountCoverage]] = DataLoader(
            self._accounts, cache=cache
        )
        self.steps: DataLoader[StepsKey, Sequence[SyncStep]] = DataLoader(self._steps, cache=cache)

    async def _connections(self, ids: list[UUID]) -> list[Connection | NotFound]:
        found = await self._services.integration.by_ids(self._principal, list(set(ids)))
        return [found.get(ConnectionId(i)) or NotFound("connection", i) for i in ids]

    async def _accounts(self, ids: list[UUID]) -> list[Sequence[AccountCoverage]]:
        # One after the other: a list of connections may not take every database connection.
        return [await self._services.history.accounts(self._principal, i) for i in ids]

    async def _steps(self, keys: list[StepsKey]) -> list[Sequence[SyncStep]]:
        """The first steps of many runs, one query a page size."""
        by_limit: dict[int, list[UUID]] = defaultdict(list)
        for run_id, limit in keys:
            by_limit[limit].append(run_id)
        found: dict[StepsKey, Sequence[SyncStep]] = {}
        for limit, run_ids in by_limit.items():
            steps = await self._services.history.steps_of_runs(
                self._principal, run_ids, limit=limit
            )
            found.update({(run_id, limit): steps.get(run_id, ()) for run_id in run_ids})
        return [found[key] for key in keys]
