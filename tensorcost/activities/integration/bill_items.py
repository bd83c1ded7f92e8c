"""A bill as a work item loads it: one that stays broken is refused, and what is wrong is told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from temporalio import activity

from tensorcost.activities.ingest.report import IngestReport, Settle
from tensorcost.activities.integration.ports import BillChunk, BillLoader, ConnectorError
from tensorcost.domain.ids import TenantId
from tensorcost.domain.integration.contracts_findings import NewFinding, Severity
from tensorcost.domain.integration.diagnosis_codes import Code, finding
from tensorcost.domain.money import format_nano
from tensorcost.domain.spend.limits import RejectReason
from tensorcost.domain.spend.parsed import Reject
from tensorcost.storage.findings import record_findings, resolve_findings
from tensorcost.storage.session import TenantTx
from tensorcost.storage.spend.batches import Origin
from tensorcost.storage.spend.bills import foreign_totals

RESTARTS: Final = 3
"""How often a delivery that changes or lacks a file is begun again before it is refused."""
_CODES: Final = (Code.BILL_REFUSED, Code.BILL_ROWS_REJECTED, Code.BILL_OTHER_CURRENCY)


@dataclass(frozen=True, slots=True)
class BillItems:
    """Loads deliveries of a connection's bill; ``settle`` counts them."""

    bills: BillLoader
    settle: Settle

    async def load(
        self, tenant_id: TenantId, origin: Origin, chunk: BillChunk, now: datetime
    ) -> IngestReport:
        """Load one delivery, or refuse it: then the former one stays, and a finding says why.

        A delivery that changed while it was read is begun again from its manifest a few times
        first, by raising. Other months of the bill are read in any case.
        """

        async def settle(tx: TenantTx, reports: Sequence[IngestReport]) -> None:
            await self._tell(tx, origin, chunk, reports, now)

        try:
            report = await self.bills.load_bill(
                tenant_id, origin, chunk.delivery, chunk.parts, settle=settle
            )
        except ConnectorError as error:
            again = activity.info().attempt <= RESTARTS
            if again or error.code != Code.CHANGED_WHILE_READ:
                raise
            broken = Reject(
                chunk.delivery.manifest_key, 0, RejectReason.BROKEN_DELIVERY, error.message
            )
            report = await self.bills.refuse(tenant_id, origin, [broken], 0, settle=settle)
        return report

    async def _tell(
        self,
        tx: TenantTx,
        origin: Origin,
        chunk: BillChunk,
        reports: Sequence[IngestReport],
        now: datetime,
    ) -> None:
        """What is wrong with the delivery, within the transaction that loads or refuses it."""
        [report] = reports
        told = [_told(chunk, report)] if report.rejected else []
        if not report.refused:
            foreign = await foreign_totals(tx, origin, chunk.delivery)
            told += [_foreign(chunk, foreign)] if foreign else []
        report.notes = tuple((one.code, _short(one)) for one in told)
        await self.settle(tx, reports)
        if origin.connection_id is not None:
            named = [(code, _subject(chunk)) for code in _CODES]
            await resolve_findings(tx, origin.connection_id, named, now)
            await record_findings(tx, origin.connection_id, told, judged=(), now=now)


def _subject(chunk: BillChunk) -> str:
    return f"{chunk.delivery.export_name}/{chunk.delivery.period:%Y-%m}"


def _short(told: NewFinding) -> str:
    """Its title, and the row that it is about where there is one."""
    if "file" not in told.evidence:
        return told.title
    where = "{file} at {row}, {reason}".format(**told.evidence)
    return f"{told.title} ({where}; {told.evidence['withheld']} sound rows withheld)"


def _foreign(chunk: BillChunk, totals: Mapping[str, int]) -> NewFinding:
    month = f"{chunk.delivery.period:%Y-%m}"
    named = ", ".join(f"{format_nano(nano)} {currency}" for currency, nano in totals.items())
    return finding(
        Code.BILL_OTHER_CURRENCY,
        Severity.WARNING,
        f"The bill of {month} charges {named}, which is part of no sum in dollars",
        "Nothing can be set: no exchange rate is kept. These lines stand under their own currency "
        f"in the month (`GET /v1/cost/reconciliation/{month}`) and one by one on the bill "
        f"(`GET /v1/cost/reconciliation/{month}/lines`); costs in dollars show them beside the "
        "totals.",
        subject=_subject(chunk),
        evidence={
            "manifest": chunk.delivery.manifest_key,
            **{c: format_nano(n) for c, n in totals.items()},
        },
    )


def _told(chunk: BillChunk, report: IngestReport) -> NewFinding:
    month = f"{chunk.delivery.period:%Y-%m}"
    first = report.rejects[0]
    evidence = {
        "manifest": chunk.delivery.manifest_key,
        "file": first.file,
        "row": str(first.position),
        "reason": first.reason,
        "detail": first.detail[:500],
        "rejected": str(report.rejected),
        "withheld": str(report.withheld),
    }
    if report.refused:
        return finding(
            Code.BILL_REFUSED,
            Severity.ERROR,
            f"The newest bill of {month} cannot be read whole; the one before it stays",
            "Look at the file that is named here. AWS writes the bill again within a day, and "
            "we read it by itself. Where a column is missing, add it to the export's query.",
            subject=_subject(chunk),
            evidence=evidence,
        )
    return finding(
        Code.BILL_ROWS_REJECTED,
        Severity.WARNING,
        f"{report.rejected} of {report.rows_read} rows of the bill of {month} cannot be read",
        "The month is short of these rows: they stand in the quarantine with the reason of "
        "each. The next delivery that is sound replaces the whole month.",
        subject=_subject(chunk),
        evidence=evidence,
    )
