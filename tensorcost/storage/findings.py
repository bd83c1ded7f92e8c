"""Findings: opened once per (code, subject), seen again, resolved when no longer judged.

Of two that say one thing of one subject only the one that names the cause stays open.
"""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID, uuid4

import orjson
from sqlalchemy import Row

from tensorcost.domain.errors import NotFound
from tensorcost.domain.ids import ConnectionId
from tensorcost.domain.integration.contracts_findings import (
    Finding,
    NewFinding,
    RankedCause,
    Severity,
)
from tensorcost.domain.integration.duplicates import is_better_said, without_duplicates
from tensorcost.domain.integration.states import FindingState
from tensorcost.storage.session import TenantTx

_OPEN = """
    INSERT INTO app.finding AS f (tenant_id, finding_id, connection_id, code, severity, subject,
        title, remedy, causes, evidence, first_seen_at, last_seen_at)
    VALUES (:tenant, :id, :connection, :code, :severity, :subject, :title, :remedy,
        CAST(:causes AS jsonb), CAST(:evidence AS jsonb), :now, :now)
    ON CONFLICT (tenant_id, connection_id, code, subject) WHERE state = 'open' DO UPDATE SET
        severity = excluded.severity, title = excluded.title, remedy = excluded.remedy,
        causes = excluded.causes, evidence = excluded.evidence,
        last_seen_at = excluded.last_seen_at
"""
_STANDING = """
    SELECT code, subject FROM app.finding
    WHERE tenant_id = :tenant AND connection_id = :connection AND state = 'open'
"""
_RESOLVE = """
    UPDATE app.finding f SET state = 'resolved', last_seen_at = :now
    FROM unnest(CAST(:codes AS text[]), CAST(:subjects AS text[])) AS gone (code, subject)
    WHERE f.tenant_id = :tenant AND f.connection_id = :connection AND f.state = 'open'
        AND f.code = gone.code AND f.subject = gone.subject
"""
_SELECT = """
    SELECT finding_id, connection_id, code, severity, subject, title, remedy,
        causes::text AS causes, evidence::text AS evidence, state, first_seen_at, last_seen_at
    FROM app.finding
"""
_LIST = f"""
    {_SELECT} WHERE tenant_id = :tenant AND finding_id > :after
        AND (CAST(:connection AS uuid) IS NULL OR connection_id = :connection)
        AND (:state = '' OR state = :state)
    ORDER BY finding_id LIMIT :limit
"""
_INVOCATIONS = """
    SELECT d.usage_account_id AS account, d.region AS region, s.grain AS grain,
        sum(s.requests)::bigint AS requests
    FROM ai.spend_daily s JOIN ai.dimension d USING (tenant_id, dim_id)
    WHERE s.tenant_id = :tenant AND s.day BETWEEN :first AND :last AND d.source = :source
        AND d.usage_account_id = ANY(:accounts)
    GROUP BY 1, 2, 3
"""


async def record_findings(
    tx: TenantTx,
    connection_id: UUID,
    findings: Sequence[NewFinding],
    *,
    judged: Sequence[str],
    now: datetime,
    spared: Collection[str] = (),
    ending: str = "",
) -> None:
    """Open or refresh ``findings``; resolve open ones whose code was judged and not found, and
    those whose cause another one names.

    Of ``spared`` subjects, and of all that is about spared accounts, nothing was judged; nor of
    subjects that do not end in ``ending``.
    """
    rows = await tx.all(_STANDING, tenant=tx.tenant_id, connection=connection_id)
    before = [(row.code, row.subject) for row in rows]
    unjudged = {
        (code, subject)
        for code, subject in before
        if code not in judged
        or subject in spared
        or subject.partition("/")[0] in spared
        or not subject.endswith(ending)
    }
    told = without_duplicates(findings, unjudged)
    standing = unjudged | {(finding.code, finding.subject) for finding in told}
    gone = [named for named in before if named not in standing or is_better_said(*named, standing)]
    for finding in sorted(told, key=lambda found: (found.code, found.subject)):
        await tx.run(
            _OPEN,
            tenant=tx.tenant_id,
            id=uuid4(),
            connection=connection_id,
            code=finding.code,
            severity=finding.severity.value,
            subject=finding.subject,
            title=finding.title,
            remedy=finding.remedy,
            causes=orjson.dumps([cause.model_dump() for cause in finding.causes]).decode(),
            evidence=orjson.dumps(finding.evidence).decode(),
            now=now,
        )
    await resolve_findings(tx, connection_id, gone, now)


async def resolve_findings(
    tx: TenantTx, connection_id: UUID, named: Sequence[tuple[str, str]], now: datetime
) -> int:
    """Resolve what is open of these (code, subject); how many that were."""
    return await tx.run(
        _RESOLVE,
        tenant=tx.tenant_id,
        connection=connection_id,
        codes=[code for code, _ in named],
        subjects=[subject for _, subject in named],
        now=now,
    )


async def connections_with(tx: TenantTx, codes: Sequence[str], ending: str) -> set[UUID]:
    """Connections with an open finding of ``codes`` about a subject that ends in ``ending``."""
    rows = await tx.all(
        "SELECT DISTINCT connection_id FROM app.finding WHERE tenant_id = :tenant "
        "AND state = 'open' AND code = ANY(:codes) AND right(subject, :length) = :ending",
        tenant=tx.tenant_id,
        codes=list(codes),
        length=len(ending),
        ending=ending,
    )
    return {row.connection_id for row in rows}


async def list_findings(
    tx: TenantTx,
    *,
    limit: int,
    connection_id: UUID | None = None,
    state: FindingState | None = FindingState.OPEN,
    after: UUID | None = None,
) -> list[Finding]:
    """At most ``limit`` findings by id, after an id; every state with ``state=None``."""
    rows = await tx.all(
        _LIST,
        tenant=tx.tenant_id,
        after=after or UUID(int=0),
        connection=connection_id,
        state="" if state is None else state.value,
        limit=limit,
    )
    return [_finding(row) for row in rows]


async def get_finding(tx: TenantTx, finding_id: UUID) -> Finding:
    """The finding, or NotFound."""
    row = await tx.first(
        f"{_SELECT} WHERE tenant_id = :tenant AND finding_id = :id",
        tenant=tx.tenant_id,
        id=finding_id,
    )
    if row is None:
        raise NotFound("finding", finding_id)
    return _finding(row)


async def requests_by_place(
    tx: TenantTx, source: str, accounts: Sequence[str], first: date, last: date
) -> dict[tuple[str, str, int], int]:
    """Requests per (account, region, grain) in the days ``first`` to ``last``, both included.

    Grain 2 is what CloudWatch's Invocations metric counted, grain 1 what logs explained: the
    pair tells a silent log from a quiet account (traps 19).
    """
    rows = await tx.all(
        _INVOCATIONS,
        tenant=tx.tenant_id,
        source=source,
        accounts=list(accounts),
        first=first,
        last=last,
    )
    return {(row.account, row.region, row.grain): row.requests for row in rows}


def _finding(row: Row[Any]) -> Finding:
    return Finding(
        finding_id=row.finding_id,
        connection_id=ConnectionId(row.connection_id),
        code=row.code,
        severity=Severity(row.severity),
        subject=row.subject,
        title=row.title,
        remedy=row.remedy,
        causes=tuple(RankedCause.model_validate(cause) for cause in orjson.loads(row.causes)),
        evidence=orjson.loads(row.evidence),
        state=FindingState(row.state),
        first_seen_at=row.first_seen_at,
        last_seen_at=row.last_seen_at,
    )
