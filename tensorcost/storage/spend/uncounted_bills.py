"""Bills that are loaded and do not count, and the exports that count in their place."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import Final, NamedTuple

from tensorcost.storage.session import TenantTx

_UNCOUNTED: Final = """
    SELECT p.period, p.origin, p.export_name, p.payer_account_id,
           q.origin AS other_origin, q.export_name AS other_name,
           v.manifest_etag = w.manifest_etag AS is_same,
           ARRAY(
               SELECT split_part(named, chr(31), 2) FROM (
                   SELECT unnest(p.billed_accounts) AS named EXCEPT
                   SELECT unnest(c.billed_accounts) FROM ai.bill_period c
                   WHERE c.tenant_id = p.tenant_id AND c.period = p.period AND c.counted
               ) l ORDER BY 1
           ) AS left_out
    FROM ai.bill_period p
    JOIN ai.bill_period q ON q.tenant_id = p.tenant_id AND q.period = p.period
        AND q.counted AND q.billed_accounts && p.billed_accounts
    JOIN ai.bill_delivery v
        ON v.tenant_id = p.tenant_id AND v.delivery_id = p.current_delivery_id
    JOIN ai.bill_delivery w
        ON w.tenant_id = q.tenant_id AND w.delivery_id = q.current_delivery_id
    WHERE p.tenant_id = :tenant AND NOT p.counted
      AND (CAST(:periods AS date[]) IS NULL OR p.period = ANY(CAST(:periods AS date[])))
    ORDER BY p.period DESC, p.origin, p.export_name, q.origin, q.export_name
"""


class ExportRef(NamedTuple):
    """An export of an origin: ``import``, or a connection's id."""

    origin: str
    name: str


@dataclass(frozen=True, slots=True)
class UncountedBill:
    """An export's billing month that other exports speak for."""

    export: ExportRef
    period: date
    payer_account_id: str
    """Empty where the delivery names several payers or none."""
    counted: tuple[ExportRef, ...]
    """What counts instead."""
    is_same: bool
    """What counts has the very same content: nothing is missing."""
    left_out: tuple[str, ...]
    """Accounts of it that no bill of the month that counts names: they are in no figure."""


async def read_uncounted(
    tx: TenantTx, periods: Collection[date] | None = None
) -> list[UncountedBill]:
    """Of these months or of all, the newest first."""
    found: dict[tuple[date, ExportRef], UncountedBill] = {}
    wanted = None if periods is None else list(periods)
    for row in await tx.all(_UNCOUNTED, tenant=tx.tenant_id, periods=wanted):
        key = (row.period, ExportRef(row.origin, row.export_name))
        before = found.get(key)
        counted = ExportRef(row.other_origin, row.other_name)
        found[key] = UncountedBill(
            key[1],
            row.period,
            row.payer_account_id,
            (*before.counted, counted) if before else (counted,),
            row.is_same or (before is not None and before.is_same),
            tuple(row.left_out),
        )
    return list(found.values())
