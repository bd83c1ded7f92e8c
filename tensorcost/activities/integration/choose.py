"""The connector of a connection's provider, and what its failures mean to Temporal."""

from datetime import timedelta

from temporalio import activity
from temporalio.exceptions import ApplicationError

from tensorcost.activities.failures import later, never
from tensorcost.activities.integration.ports import Connector, ConnectorError, Connectors
from tensorcost.domain.integration.contracts import LONGEST_PAUSE, Failure


def connector_for(connectors: Connectors, provider: str) -> Connector:
    """The connector for ``provider``; ApplicationError ``UnknownProvider`` when there is none."""
    found = connectors.get(provider)
    if found is None:
        known = ", ".join(sorted(connectors)) or "none"
        raise never(Failure.UNKNOWN_PROVIDER, f"no connector for {provider} here (known: {known})")
    return found


def translated(error: ConnectorError, longest_pause: timedelta = LONGEST_PAUSE) -> ApplicationError:
    """Retried no sooner than the connector asks, later from attempt to attempt; or never."""
    if error.retry_after is None:
        return never(Failure.CUSTOMER_MUST_ACT, error.message, code=error.code)
    grown = timedelta(seconds=2 ** min(activity.info().attempt - 1, 10))
    delay = max(timedelta(seconds=error.retry_after), min(grown, longest_pause))
    return later(Failure.PROVIDER_THROTTLED, error.message, delay, code=error.code)
