"""The bill of a connection: which export is read, and whether it can be.

Exports of one account hold the same bill in other clothes. Reading two of them would double
every dollar, so exactly one is read, and the others are named.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tensorcost.activities.integration.bedrock.access import BedrockAccess, is_refusal, with_bucket
from tensorcost.domain.integration.contracts_connection import Connection
from tensorcost.domain.integration.contracts_findings import NewFinding, Severity
from tensorcost.domain.integration.diagnosis_codes import Code, finding
from tensorcost.domain.integration.plan import Site
from tensorcost.domain.integration.probe_facts import Probe
from tensorcost.domain.integration.states import SourceKind
from tensorcost.providers.aws.errors import ProviderError
from tensorcost.providers.aws.session import AccountSession
from tensorcost.providers.bedrock.source_cur import BillExport, discover_exports
from tensorcost.providers.bedrock.source_objects import list_objects


@dataclass(frozen=True, slots=True)
class BillSearch:
    """Looks for the bill with the connection's own role. Raises ProviderError only for what
    trying again may heal."""

    access: BedrockAccess
    connection: Connection
    session: AccountSession

    def look(self) -> tuple[list[Site], list[NewFinding]]:
        """At most one site, and what stands in the way of it or beside it."""
        findings: list[NewFinding] = []
        exports = self._exports(findings)
        if not exports:
            return [], findings
        chosen = choose_export(exports, self.connection.settings.cur_export)
        findings += _beside(chosen, exports)
        try:
            next(list_objects(self.session, chosen.bucket, chosen.prefix, chosen.bucket_region), 0)
        except ProviderError as error:
            if not is_refusal(error):
                raise
            named = with_bucket(self.connection, chosen.bucket)
            findings.append(self.access.finding(error, Probe.CUR_BUCKET, named))
            return [], findings
        return [self._site(chosen)], findings

    def _exports(self, findings: list[NewFinding]) -> list[BillExport]:
        """The report that the connection names, else every export of the account."""
        own = self.connection.settings
        if own.cur_bucket:
            return [
                BillExport(
                    name=own.cur_export,
                    bucket=own.cur_bucket,
                    prefix=own.cur_prefix,
                    bucket_region=own.cur_region,
                )
            ]
        try:
            return discover_exports(self.session)
        except ProviderError as error:
            if not is_refusal(error):
                raise
            found = self.access.finding(error, Probe.CUR_BUCKET, self.connection)
            findings.append(found.model_copy(update=_EXPORTS_HIDDEN))
            return []

    def _site(self, export: BillExport) -> Site:
        params = {
            "place": export.name or export.bucket,
            "export": export.name,
            "bucket": export.bucket,
            "prefix": export.prefix,
            "bucket_region": export.bucket_region,
            "legacy": "yes" if export.is_legacy else "no",
        }
        return Site(SourceKind.BILL, self.connection.account_id, "", params)


def choose_export(exports: Sequence[BillExport], named: str = "") -> BillExport:
    """The one to read: the named one, else healthy before not, CUR 2.0 before legacy, by name.

    The order has no chance in it, so that every look chooses the same one.
    """
    return min(
        exports,
        key=lambda export: (
            export.name != named,
            not export.is_healthy,
            export.is_legacy,
            export.name,
            export.bucket,
        ),
    )


_EXPORTS_HIDDEN = {
    "title": "The role may not look for Cost and Usage Reports",
    "remedy": "Allow bcm-data-exports:ListExports, bcm-data-exports:GetExport and "
    "cur:DescribeReportDefinitions, or name the report's bucket on the connection.",
    "causes": (),
}


def _beside(chosen: BillExport, exports: Sequence[BillExport]) -> list[NewFinding]:
    told = []
    others = [export.name for export in exports if export is not chosen]
    if others:
        left = ", ".join(sorted(others))
        told.append(
            finding(
                Code.BILL_EXPORTED_TWICE,
                Severity.INFO,
                f"The bill is exported more than once; {chosen.name} is read",
                "Nothing is wrong. To read another one, name it on the connection.",
                subject=chosen.bucket,
                evidence={"read": chosen.name, "left": left[:500]},
            )
        )
    if not chosen.is_healthy:
        told.append(
            finding(
                Code.EXPORT_UNHEALTHY,
                Severity.WARNING,
                f"AWS cannot deliver the export {chosen.name}",
                "Open the export under Billing, Data Exports: usually the bucket's policy no "
                "longer lets AWS write.",
                subject=chosen.bucket,
                evidence={"export": chosen.name, "reason": chosen.reason},
            )
        )
    return told
