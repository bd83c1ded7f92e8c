"""Bedrock as the integration activities see it: validate, discover, read."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tensorcost.activities.integration.bedrock.access import BedrockAccess
from tensorcost.activities.integration.bedrock.discover import Discoverer
from tensorcost.activities.integration.bedrock.read import ItemReader
from tensorcost.activities.integration.ports import (
    NOTHING_KNOWN,
    Answer,
    Chunk,
    Discovery,
    Known,
    ReadJob,
)
from tensorcost.domain.clock import Clock
from tensorcost.domain.integration.contracts_connection import Connection
from tensorcost.domain.integration.contracts_steps import ProbeVerdict
from tensorcost.domain.integration.diagnosis import diagnose
from tensorcost.domain.integration.diagnosis_failures import RETRY_AFTER
from tensorcost.domain.integration.probe_facts import ErrorKind, Probe
from tensorcost.providers.aws.errors import ProviderError
from tensorcost.providers.aws.session import AwsSessions
from tensorcost.providers.bedrock.probe import about, probe


@dataclass(frozen=True, slots=True)
class BedrockConnector:
    """The connector of provider ``bedrock``. Blocking; one serves every connection."""

    sessions: AwsSessions
    clock: Clock
    pauses: Mapping[ErrorKind, float] = field(default_factory=lambda: RETRY_AFTER)
    """Of ``BedrockAccess``."""

    def probe(self, connection: Connection) -> ProbeVerdict:
        results = probe(self.sessions, connection, self.clock)
        return diagnose(results, about(connection, self.sessions))

    def admits(self, connection: Connection) -> Answer:
        return self._access.admits(connection)

    def discover(self, connection: Connection, known: Known = NOTHING_KNOWN) -> Discovery:
        access = self._access
        try:
            return Discoverer(access, connection, self.clock(), known).discover()
        except ProviderError as error:
            raise access.translated(error, Probe.ORGANIZATION, connection) from error

    def read(self, job: ReadJob) -> Iterator[Chunk]:
        return ItemReader.of(self._access, job, self.clock()).chunks()

    @property
    def _access(self) -> BedrockAccess:
        return BedrockAccess(self.sessions, self.pauses)
