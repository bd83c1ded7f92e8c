"""Groups of chunks into the database, those of one kind together."""

from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from tensorcost.activities.ingest.pipeline import SpendObject, SpendWindow
from tensorcost.activities.ingest.report import IngestReport, Settle
from tensorcost.activities.integration.bill_items import BillItems
from tensorcost.activities.integration.groups import Piece
from tensorcost.activities.integration.item_steps import mark_items
from tensorcost.activities.integration.open_items import OpenItems
from tensorcost.activities.integration.ports import (
    BillChunk,
    ConnectorError,
    Loaders,
    MetricsChunk,
    ObjectChunk,
    ProfilesChunk,
    WindowChunk,
)
from tensorcost.domain.clock import Clock
from tensorcost.storage.integration_sites import save_profiles
from tensorcost.storage.session import Database, TenantTx


@dataclass(frozen=True, slots=True)
class ChunkLoader:
    """Loads what was read for one activity's items."""

    db: Database
    loaders: Loaders
    clock: Clock
    work: OpenItems

    async def load(
        self, pieces: Sequence[Piece]
    ) -> AsyncGenerator[tuple[Piece, IngestReport], None]:
        """Each piece with its report, once it is committed, counted on its step by then.

        Where one cannot be read the others are loaded, save those of its own item.
        """
        left = deque(pieces)
        while left:
            try:
                async with aclosing(self._reports(left)) as reports:
                    async for report in reports:
                        yield left.popleft(), report
                return
            except ConnectorError as error:
                stopped = left.popleft().item
                stopped.failed, stopped.error = True, error
                left = deque(piece for piece in left if not piece.item.failed)

    def _reports(self, left: deque[Piece]) -> AsyncGenerator[IngestReport, None]:
        """A report for each of some chunks of one kind, in order. Those of which one was handed
        out are taken from ``left``."""

        async def settle(tx: TenantTx, reports: Sequence[IngestReport]) -> None:
            await mark_items(tx, self.work, zip(left, reports, strict=False), self.clock())

        chunks = [piece.chunk for piece in left]
        tenant, origin, spend = self.work.connection.tenant_id, self.work.origin, self.loaders.spend
        match chunks[0]:
            case ObjectChunk():
                objects = [
                    SpendObject(c.ref, c.spend) for c in chunks if isinstance(c, ObjectChunk)
                ]
                return spend.load_objects(tenant, origin, objects, settle=settle)
            case MetricsChunk():
                windows = [
                    SpendWindow(c.name, c.spend) for c in chunks if isinstance(c, MetricsChunk)
                ]
                return spend.load_metrics(tenant, origin, windows, settle=settle)
            case ProfilesChunk():
                return self._profiles([c for c in chunks if isinstance(c, ProfilesChunk)], settle)
            case BillChunk() | WindowChunk() as chunk:
                return self._alone(chunk, settle)

    async def _profiles(
        self, chunks: Sequence[ProfilesChunk], settle: Settle
    ) -> AsyncGenerator[IngestReport, None]:
        profiles = [profile for chunk in chunks for profile in chunk.profiles]
        key = self.work.connection
        reports = [IngestReport() for _ in chunks]
        async with self.db.tenant(key.tenant_id) as tx:
            await save_profiles(tx, key.connection_id, profiles, self.clock())
            await settle(tx, reports)
        for report in reports:
            yield report

    async def _alone(
        self, chunk: WindowChunk | BillChunk, settle: Settle
    ) -> AsyncGenerator[IngestReport, None]:
        tenant, origin = self.work.connection.tenant_id, self.work.origin
        if isinstance(chunk, WindowChunk):
            yield await self.loaders.spend.load_window(
                tenant, origin, chunk.name, chunk.spend, settle=settle
            )
        else:
            bills = BillItems(self.loaders.bills, settle)
            yield await bills.load(tenant, origin, chunk, self.clock())
