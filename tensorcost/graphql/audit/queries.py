"""Who did what, and whether the record of it holds."""

import strawberry

from tensorcost.domain.audit.chain import ChainHead
from tensorcost.domain.errors import ValidationFailed
from tensorcost.graphql.audit.types import AuditChainReport, AuditEntry
from tensorcost.graphql.context import GraphqlInfo
from tensorcost.graphql.paging import Connection, connection, page_of, time_key
from tensorcost.graphql.roots import query
from tensorcost.graphql.scalars import Count
from tensorcost.services.audit import AuditService
from tensorcost.storage.audit import AuditFilter


@strawberry.input
class AuditHeadInput:
    chain_no: Count
    hash: str

    def to_domain(self) -> ChainHead:
        """The head; ValidationFailed for a hash that is not 32 bytes in hexadecimal."""
        try:
            raw = bytes.fromhex(self.hash)
        except ValueError:
            raw = b""
        if len(raw) != 32:
            raise ValidationFailed("a hash has 64 hexadecimal digits", field="hash")
        return ChainHead(self.chain_no, raw)


@strawberry.type
class AuditQueries:
    @query(AuditService.list, "The trail, newest first. Reading it is itself audited.")
    async def audit_entries(
        self,
        info: GraphqlInfo,
        first: int,
        after: str | None = None,
        actor: str | None = None,
        action: str | None = None,
    ) -> Connection[AuditEntry] | None:
        context, page = info.context, page_of(first, after)
        rows = await context.services.audit.list(
            context.principal,
            AuditFilter(actor=actor, action=action),
            limit=page.limit,
            after=page.after_time(),
        )
        return connection(
            rows,
            page,
            node=AuditEntry.from_domain,
            key=lambda row: time_key(row.at, row.entry_id),
        )

    @query(AuditService.verify, "Recompute every hash; `remembered` is a head from before.")
    async def audit_chain(
        self, info: GraphqlInfo, remembered: AuditHeadInput | None = None
    ) -> AuditChainReport | None:
        context = info.context
        head = None if remembered is None else remembered.to_domain()
        return AuditChainReport.from_domain(
            await context.services.audit.verify(context.principal, head)
        )
