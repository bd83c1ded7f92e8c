"""The gateway's slice of the settings."""

from dataclasses import dataclass, field

from tensorcost.domain.identity.principal import Plan
from tensorcost.domain.tenancy.plans import REQUESTS_PER_MINUTE
from tensorcost.providers.limits.gcra import Quota


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    cors_origins: frozenset[str] = frozenset()
    """Browser origins that may call the API, as ``https://console.example.com``."""
    max_body_bytes: int = 8 * 1024 * 1024
    legacy_aliases: bool = False
    """Serve the retired ``/api/`` paths as aliases instead of 410."""
    anonymous_per_minute: int = 300
    """Requests a minute from one address without a valid token."""
    sign_ins_per_minute: int = 30
    """Sign-ins a minute from one address, with a valid token or without."""
    requests_per_minute: dict[Plan, int] = field(default_factory=lambda: REQUESTS_PER_MINUTE)
    https_only: bool = False
    """Tell browsers to insist on TLS; set it where TLS ends before or at this process."""

    def tenant_quotas(self) -> dict[Plan, Quota]:
        """One quota a plan, published as ``tenant``."""
        return {plan: Quota("tenant", limit) for plan, limit in self.requests_per_minute.items()}

    def anonymous_quota(self) -> Quota:
        """Published as ``address``."""
        return Quota("address", self.anonymous_per_minute)

    def sign_in_quota(self) -> Quota:
        """Published as ``sign-in``."""
        return Quota("sign-in", self.sign_ins_per_minute)
