"""The tenant's events as they are committed, resumable."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import strawberry

from tensorcost.domain.errors import ValidationFailed
from tensorcost.graphql.context import GraphqlInfo
from tensorcost.graphql.events.types import Event
from tensorcost.graphql.roots import subscription
from tensorcost.services.events import EventService


@strawberry.type
class EventSubscriptions:
    @subscription(
        EventService.stream,
        "Events of the types asked for (names or prefixes such as `cost.*`), or of all "
        "that the caller may read: after the cursor `after`, or from now on.",
    )
    async def events(
        self, info: GraphqlInfo, types: list[str] | None = None, after: str | None = None
    ) -> AsyncGenerator[Event, None]:
        context = info.context
        stream = await context.services.events.stream(
            context.principal, tuple(types or ()), cursor_in(after)
        )
        async with aclosing(stream):
            async for event in stream:
                context.position = event.cursor
                yield Event.from_domain(event)


def cursor_in(after: str | None) -> int | None:
    """The position in a cursor; ValidationFailed when it is none of ours."""
    if after is None:
        return None
    if not (after.isascii() and after.isdigit() and len(after) < 19):
        raise ValidationFailed("not a cursor that an event carried", field="after")
    return int(after)
