"""From a stored connection to sessions in its accounts, inside its list of allowed accounts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from tensorcost.activities.integration.ports import Answer, ConnectorError
from tensorcost.domain.integration.contracts_connection import Connection
from tensorcost.domain.integration.contracts_findings import NewFinding
from tensorcost.domain.integration.contracts_rotation import Admission
from tensorcost.domain.integration.diagnosis_failures import RETRY_AFTER, judge_failure
from tensorcost.domain.integration.probe_facts import ErrorKind, Probe
from tensorcost.domain.integration.states import SourceKind
from tensorcost.providers.aws.errors import ProviderError
from tensorcost.providers.aws.session import AccountSession, AwsSessions
from tensorcost.providers.bedrock.access import session_for
from tensorcost.providers.bedrock.attribution import AttributionRules
from tensorcost.providers.bedrock.probe import about

PROBE_OF: Final = {
    SourceKind.METRICS: Probe.CLOUDWATCH,
    SourceKind.LOGS_S3: Probe.LOG_BUCKET,
    SourceKind.LOGS_CLOUDWATCH: Probe.LOG_GROUP,
    SourceKind.BILL: Probe.CUR_BUCKET,
    SourceKind.PROFILES: Probe.LOGGING_CONFIGURATION,
}
"""The probe whose judgement fits a source that fails while it is read."""


@dataclass(frozen=True, slots=True)
class BedrockAccess:
    """Opens sessions for one connection at a time. Blocking, safe for threads.

    ``pauses`` are the seconds after which a read that failed so is tried again; what is not
    among them needs a person.
    """

    sessions: AwsSessions
    pauses: Mapping[ErrorKind, float] = field(default_factory=lambda: RETRY_AFTER)

    def session(self, connection: Connection, account_id: str = "") -> AccountSession:
        """A session in ``account_id``: the connection's role itself, or a member's jump role."""
        return session_for(self.sessions, connection, account_id)

    def admits(self, connection: Connection) -> Answer:
        """Whether the role may be assumed with the connection's ExternalId, asked anew."""
        try:
            self.session(connection).renew()
        except ProviderError as error:
            if error.kind in (ErrorKind.DENIED, ErrorKind.EXPLICIT_DENY):
                return Answer(Admission.REFUSED)
            return Answer(Admission.UNKNOWN, error.failure.message)
        return Answer(Admission.ADMITTED)

    def finding(self, error: ProviderError, probe: Probe, connection: Connection) -> NewFinding:
        """What the failure means, in words with a remedy.

        A session is taken in the middle of other calls: where that was refused, it is the role
        that is wrong, not the call.
        """
        failure = error.failure
        if (failure.service, failure.operation) == ("sts", "AssumeRole"):
            is_own = failure.account == connection.account_id
            probe = Probe.ASSUME_ROLE if is_own else Probe.MEMBER_ROLE
        return judge_failure(probe, failure, about(connection, self.sessions)).finding

    def translated(
        self, error: ProviderError, probe: Probe, connection: Connection
    ) -> ConnectorError:
        """The failure as the activities know it: its code, and when to try again."""
        finding = self.finding(error, probe, connection)
        delay = error.retry_after or self.pauses.get(error.kind)
        told = finding if delay is None else None
        return ConnectorError(finding.code, error.failure.message, retry_after=delay, finding=told)


def attribution_of(connection: Connection) -> AttributionRules:
    """How the connection's request metadata is read, if at all."""
    own = connection.settings
    return AttributionRules(
        capture_request_metadata=own.capture_request_metadata,
        free_tags=frozenset(tag.lower().replace("-", "_") for tag in own.free_tags),
    )


def with_bucket(connection: Connection, bucket: str) -> Connection:
    """The connection as if it named the bill's bucket that was found, so that findings do."""
    settings = connection.settings.model_copy(update={"cur_bucket": bucket})
    return connection.model_copy(update={"settings": settings})


def is_refusal(error: ProviderError) -> bool:
    """AWS said no, or said that there is nothing: an answer about the customer's side."""
    return error.kind in _REFUSALS


_REFUSALS: Final = frozenset(
    {
        ErrorKind.DENIED,
        ErrorKind.EXPLICIT_DENY,
        ErrorKind.KMS_DENIED,
        ErrorKind.NOT_FOUND,
        ErrorKind.WRONG_REGION,
        ErrorKind.REGION_DISABLED,
        ErrorKind.NOT_IN_ORGANIZATION,
        ErrorKind.NOT_ALLOWED,
        ErrorKind.INVALID,
    }
)
