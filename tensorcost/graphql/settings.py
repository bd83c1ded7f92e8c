"""Settings of the GraphQL face."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GraphqlSettings:
    introspection: bool = True
    """Whether clients may ask for the schema, and get suggestions in error messages."""
    explorer: bool = False
    """Whether a GET serves the explorer page."""
    max_depth: int = 12
    max_aliases: int = 30
    max_tokens: int = 4_000
    max_cost: int = 20_000
    """Most that one operation may cost (``execution.limits``)."""
    cost_of_a_request: int = 200
    """Cost that counts as one request of the tenant's quota (A8): the longest page of one list.
    A dearer operation counts as so many more, so the dearest one as a hundred."""
    max_body_bytes: int = 256 * 1024
    documents: int = 1_000
    """Parsed and validated documents kept."""
    allowed_origins: frozenset[str] = frozenset()
    """Origins besides the server's own from which a browser may open a websocket."""
    init_timeout_seconds: float = 10.0
    """How long an opened websocket may take to authenticate."""
    max_streams: int = 50
    """Operations side by side on one websocket."""
    max_frames: int = 500
    """Frames that wait for one stream's reader before the stream is ended with its cursor."""
    recheck_seconds: float = 1.0
    """How often an open websocket's membership is looked at again. The authenticator believes
    its own answer for four seconds, so together that is the five of decisions 19."""
