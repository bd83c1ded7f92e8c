"""Names shared by everything that talks to Temporal: queues, search attributes.

One list (decisions 39): the dev server registers it at start, a deploy step on a cluster.
"""

from enum import StrEnum
from typing import Final


class TaskQueue(StrEnum):
    CORE = "tensorcost-core"
    """Workflows and short database activities."""
    CLOUD = "tensorcost-cloud"
    """Reads of outside systems, parsing and loading."""


class SearchAttribute(StrEnum):
    TENANT_ID = "TenantId"
    CONTEXT = "Context"
    STATE = "State"
    PROVIDER = "Provider"
    CONNECTION_ID = "ConnectionId"
    ESTIMATED_SAVINGS_USD = "EstimatedSavingsUsd"


SEARCH_ATTRIBUTE_TYPES: Final[dict[SearchAttribute, str]] = {
    SearchAttribute.TENANT_ID: "Keyword",
    SearchAttribute.CONTEXT: "Keyword",
    SearchAttribute.STATE: "Keyword",
    SearchAttribute.PROVIDER: "Keyword",
    SearchAttribute.CONNECTION_ID: "Keyword",
    SearchAttribute.ESTIMATED_SAVINGS_USD: "Double",
}
