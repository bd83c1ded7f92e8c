"""Accounts that two payers bill, as findings on the connections that read these bills."""

from collections import defaultdict
from datetime import datetime
from uuid import UUID

from tensorcost.activities.reconciliation.month import Month
from tensorcost.domain.cost.reconciliation.payers import (
    JUDGED,
    PayerBill,
    judge_account,
    subject_end,
)
from tensorcost.domain.integration.contracts_findings import NewFinding
from tensorcost.storage.findings import connections_with, record_findings
from tensorcost.storage.reconciliation.payers import read_shared_bills
from tensorcost.storage.session import TenantTx


async def judge_payers(tx: TenantTx, month: Month, now: datetime) -> list[str]:
    """The month's accounts with two payers, sorted; their findings opened, or resolved.

    Bills that were imported have no connection: of these alone only the accounts are told.
    """
    by_account: dict[str, list[PayerBill]] = defaultdict(list)
    for bill in await read_shared_bills(tx, month.deliveries):
        by_account[bill.account_id].append(bill)
    told: dict[UUID, list[NewFinding]] = defaultdict(list)
    for bills in by_account.values():
        found = judge_account(month.period, bills)
        for connection_id in {bill.connection_id for bill in bills if bill.connection_id}:
            told[connection_id].append(found)
    ending = subject_end(month.period)
    for connection_id in sorted(told.keys() | await connections_with(tx, JUDGED, ending)):
        await record_findings(
            tx, connection_id, told[connection_id], judged=JUDGED, now=now, ending=ending
        )
    return sorted(by_account)
