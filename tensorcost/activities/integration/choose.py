"""The connector of a connection's provider, or a failure that nobody retries."""

from tensorcost.activities.failures import never
from tensorcost.activities.integration.ports import Connector, Connectors
from tensorcost.domain.integration.contracts import Failure


def connector_for(connectors: Connectors, provider: str) -> Connector:
    """The connector for ``provider``; ApplicationError ``UnknownProvider`` when there is none."""
    found = connectors.get(provider)
    if found is None:
        known = ", ".join(sorted(connectors)) or "none"
        raise never(Failure.UNKNOWN_PROVIDER, f"no connector for {provider} here (known: {known})")
    return found
