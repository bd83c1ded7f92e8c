"""Loads a whole bill delivery in one transaction and makes it the period's current one."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import Final
from uuid import UUID

import uuid_utils.compat as uuids

from tensorcost.activities.ingest.known import Known, KnownDimensions
from tensorcost.activities.ingest.report import IngestReport, Settle
from tensorcost.domain.events.catalogue import EventType
from tensorcost.domain.events.envelope import NewEvent
from tensorcost.domain.ids import TenantId
from tensorcost.domain.spend.bill import BillDelivery, BillLine, ParsedBill
from tensorcost.domain.spend.bill_columns import BillColumns
from tensorcost.domain.spend.facts import Dimension, Source
from tensorcost.domain.spend.labels import labels_of_tags
from tensorcost.domain.spend.parsed import Reject
from tensorcost.providers.bedrock.cur import is_incomplete
from tensorcost.providers.bedrock.model_family import family_and_tier
from tensorcost.storage.session import Database, TenantTx
from tensorcost.storage.spend.batches import Counts, Origin
from tensorcost.storage.spend.bills import (
    add_lines,
    find_delivery,
    make_current,
    open_delivery,
)
from tensorcost.storage.spend.quarantine import quarantine

BillParts = Callable[[], Iterable[ParsedBill]]
"""Called in a thread; yields the delivery's lines in bounded memory."""

_SOURCES: Final = {
    "bedrock": Source.BEDROCK,
    "azure_openai": Source.AZURE_OPENAI,
    "vertex": Source.VERTEX,
    "openai": Source.OPENAI_API,
    "anthropic": Source.ANTHROPIC_API,
}
_PROFILE: Final = "inference-profile/"


class _Torn(Exception):
    """The delivery could not be read whole: the transaction must not stand."""


class BillIngest:
    """Loads each delivery once; a newer one of the same period replaces it as a whole."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._known = KnownDimensions()

    async def load_bill(
        self,
        tenant_id: TenantId,
        origin: Origin,
        delivery: BillDelivery,
        parts: BillParts,
        *,
        settle: Settle | None = None,
    ) -> IngestReport:
        """Load one delivery, or report that this manifest version was loaded before.

        A delivery of which a part is torn, or most rows cannot be read, is quarantined, and the
        period keeps its former one.
        """
        async with self._db.tenant(tenant_id) as tx:
            known = await find_delivery(tx, origin, delivery)
        if known is not None:
            return IngestReport(checkpoint=Counts(accepted=known.rows_accepted))
        first = await asyncio.to_thread(_started, parts)
        report = IngestReport()
        rejects: list[Reject] = []
        added: set[Known] = set()
        try:
            async with self._db.tenant(tenant_id) as tx:
                delivery_id: UUID = uuids.uuid7()
                if not await open_delivery(tx, origin, delivery, delivery_id):
                    return IngestReport(checkpoint=Counts())
                part, rest = first
                lines = 0
                while part is not None:
                    report.rows_read += part.rows_read
                    report.reject(part.rejects)
                    rejects.extend(part.rejects)
                    if is_incomplete(part.rejects):
                        raise _Torn
                    for columns in _columns(part):
                        lines += len(columns)
                        await self._add(tx, delivery_id, columns, added)
                    part = await asyncio.to_thread(next, rest, None)
                if is_mostly_bad(report.rejected, report.rows_read):
                    raise _Torn
                await quarantine(tx, origin, rejects)
                # Lines out of scope are folded: what counts as accepted is the file's rows.
                report.accepted = report.rows_read - report.rejected
                await make_current(
                    tx, origin, delivery, delivery_id, rows=report.accepted, lines=lines
                )
                tx.emit(NewEvent(EventType.COST_UPDATED, _announcement(delivery, lines)))
                if settle is not None:
                    await settle(tx, [report])
        except _Torn:
            return await self.refuse(tenant_id, origin, rejects, report.rows_read, settle=settle)
        self._known.remember(tenant_id, added)
        return report

    async def refuse(
        self,
        tenant_id: TenantId,
        origin: Origin,
        rejects: list[Reject],
        rows_read: int,
        *,
        settle: Settle | None = None,
    ) -> IngestReport:
        """Quarantine a file that must not become anybody's bill."""
        report = IngestReport(rows_read=rows_read, refused=True)
        report.reject(rejects)
        report.withheld = max(0, rows_read - report.rejected)
        async with self._db.tenant(tenant_id) as tx:
            await quarantine(tx, origin, rejects)
            if settle is not None:
                await settle(tx, [report])
        return report

    async def _add(
        self, tx: TenantTx, delivery_id: UUID, columns: BillColumns, added: set[Known]
    ) -> None:
        """Append lines and the dimensions that they need; ``added`` are those of this load."""
        dimensions = [line_dimension(line) for line in columns.patterns]
        new = [one for one in dict.fromkeys(dimensions) if one not in added]
        added |= await self._known.ensure(tx, new, ())
        await add_lines(tx, delivery_id, columns, [one.stable_id() for one in dimensions])


def is_mostly_bad(rejected: int, rows_read: int) -> bool:
    """More rows cannot be read than can: what is left is no bill."""
    return rejected > rows_read - rejected


def _columns(part: ParsedBill) -> list[BillColumns]:
    found = [] if part.columns is None else [part.columns]
    return [*found, BillColumns.of_lines(part.lines)] if part.lines else found


def line_dimension(line: BillLine) -> Dimension:
    """The dimension a bill line belongs to; out-of-scope lines name no model."""
    labels = labels_of_tags(line.tags)
    family, tier = family_and_tier(line.model_id)
    is_profile = _PROFILE in line.resource_id
    return Dimension(
        source=_SOURCES.get(line.provider, Source.OTHER),
        provider=line.provider,
        account_id=line.usage_account_id,
        usage_account_id=line.usage_account_id,
        region=line.region,
        routing_scope=line.routing_scope,
        model_id=line.model_id,
        model_family=family,
        model_tier=tier,
        service_tier=line.service_tier,
        operation=line.operation,
        profile_arn=line.resource_id if is_profile else "",
        application=labels.application,
        team=labels.team,
        environment=labels.environment,
        owner=labels.owner,
    )


def _started(parts: BillParts) -> tuple[ParsedBill | None, Iterator[ParsedBill]]:
    """Read the first part, so that a delivery that cannot be read opens no transaction."""
    rest = iter(parts())
    return next(rest, None), rest


def _announcement(delivery: BillDelivery, lines: int) -> dict[str, object]:
    return {
        "export": delivery.export_name,
        "period": delivery.period.isoformat(),
        "lines": lines,
    }
