"""Groups of chunks into the database, those of one kind together."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from tensorcost.activities.ingest.pipeline import SpendObject, SpendWindow
from tensorcost.activities.ingest.report import IngestReport
from tensorcost.activities.integration.bill_items import BillItems
from tensorcost.activities.integration.groups import Piece
from tensorcost.activities.integration.open_items import OpenItems
from tensorcost.activities.integration.ports import (
    BillChunk,
    Chunk,
    ConnectorError,
    Loaders,
    MetricsChunk,
    ObjectChunk,
    ProfilesChunk,
    WindowChunk,
)
from tensorcost.domain.clock import Clock
from tensorcost.storage.integration_sites import save_profiles
from tensorcost.storage.session import Database


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
        """Each piece with its report, once it is committed.

        Where one cannot be read the others are loaded, save those of its own item.
        """
        rest = list(pieces)
        while rest:
            done = 0
            try:
                async with aclosing(self._reports([piece.chunk for piece in rest])) as reports:
                    async for report in reports:
                        yield rest[done], report
                        done += 1
                return
            except ConnectorError as error:
                stopped = rest[done].item
                stopped.failed, stopped.error = True, error
                rest = [piece for piece in rest[done + 1 :] if not piece.item.failed]

    def _reports(self, chunks: Sequence[Chunk]) -> AsyncGenerator[IngestReport, None]:
        """A report for each of some chunks of one kind, in order."""
        tenant, origin, spend = self.work.connection.tenant_id, self.work.origin, self.loaders.spend
        match chunks[0]:
            case ObjectChunk():
                objects = [
                    SpendObject(c.ref, c.spend) for c in chunks if isinstance(c, ObjectChunk)
                ]
                return spend.load_objects(tenant, origin, objects)
            case MetricsChunk():
                windows = [
                    SpendWindow(c.name, c.spend) for c in chunks if isinstance(c, MetricsChunk)
                ]
                return spend.load_metrics(tenant, origin, windows)
            case ProfilesChunk():
                return self._profiles([c for c in chunks if isinstance(c, ProfilesChunk)])
            case BillChunk() | WindowChunk() as chunk:
                return self._alone(chunk)

    async def _profiles(
        self, chunks: Sequence[ProfilesChunk]
    ) -> AsyncGenerator[IngestReport, None]:
        profiles = [profile for chunk in chunks for profile in chunk.profiles]
        key = self.work.connection
        async with self.db.tenant(key.tenant_id) as tx:
            await save_profiles(tx, key.connection_id, profiles, self.clock())
        for _ in chunks:
            yield IngestReport()

    async def _alone(self, chunk: WindowChunk | BillChunk) -> AsyncGenerator[IngestReport, None]:
        tenant, origin = self.work.connection.tenant_id, self.work.origin
        if isinstance(chunk, WindowChunk):
            yield await self.loaders.spend.load_window(tenant, origin, chunk.name, chunk.spend)
        else:
            bills = BillItems(self.db, self.loaders.bills)
            yield await bills.load(tenant, origin, chunk, self.clock())
