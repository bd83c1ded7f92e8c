"""Two findings that say one thing of one place: the one that knows the cause stands."""

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from tensorcost.domain.integration.contracts_findings import NewFinding
from tensorcost.domain.integration.diagnosis_codes import Code
from tensorcost.domain.integration.progress_silence import (
    SILENT_LOGS,
    UNEXPLAINED_ZERO,
    UNLOGGED_REGION,
)

Named = tuple[str, str]
"""Code and subject of a finding."""

_NOT_READ: Final = (
    Code.LOGGING_OFF,
    Code.WRONG_REGION,
    Code.LOG_GROUP_MISSING,
    Code.LOGS_DENIED,
    Code.LOG_BUCKET_DENIED,
    Code.LOG_BUCKET,
)
BETTER_SAID_BY: Final[Mapping[str, Collection[str]]] = {
    UNLOGGED_REGION: _NOT_READ,
    SILENT_LOGS: (*_NOT_READ, Code.KMS_DENIED),
    UNEXPLAINED_ZERO: (*_NOT_READ, Code.KMS_DENIED),
}
"""What is judged from counts alone, and the findings that name its cause at the same place."""


def is_better_said(code: str, subject: str, standing: Collection[Named]) -> bool:
    """Whether one of the ``standing`` findings names the cause of this one."""
    return any((better, subject) in standing for better in BETTER_SAID_BY.get(code, ()))


def without_duplicates(
    findings: Iterable[NewFinding], standing: Collection[Named]
) -> list[NewFinding]:
    """``findings`` without those whose cause is named, by one of themselves or of ``standing``."""
    listed = list(findings)
    known = {*standing, *((found.code, found.subject) for found in listed)}
    return [found for found in listed if not is_better_said(found.code, found.subject, known)]
