"""How audit rows name who did something."""

from tensorcost.domain.identity.principal import Principal
from tensorcost.domain.ids import UserId


def actor_of(principal: Principal) -> str:
    """``user:<id>`` or ``service:<name>``."""
    return f"{principal.kind.value}:{principal.subject}"


def user_actor(user_id: UserId) -> str:
    """The same for a user who is not signed in yet."""
    return f"user:{user_id}"


def system_actor(part: str) -> str:
    """``system:<part>``: a worker, the sealer, a schedule."""
    return f"system:{part}"
