"""Who may read which events."""

from uuid import UUID

import pytest

from tensorcost.domain.errors import Forbidden, ValidationFailed
from tensorcost.domain.events.catalogue import EventType, matches
from tensorcost.domain.identity.scopes import Scope
from tensorcost.domain.ids import TenantId
from tensorcost.services.events import SCOPE_OF, EventService
from tests.support.principals import caller

TENANT = TenantId(UUID(int=7))


class RecordingSource:
    """Remembers what was subscribed to."""

    def __init__(self) -> None:
        self.asked: list[tuple[TenantId, tuple[str, ...], int | None]] = []

    async def subscribe(
        self, tenant_id: TenantId, filters: tuple[str, ...], after: int | None
    ) -> object:
        self.asked.append((tenant_id, filters, after))
        return object()


def test_every_event_type_belongs_to_exactly_one_scope() -> None:
    for event_type in EventType:
        found = [prefix for prefix in SCOPE_OF if event_type.startswith(prefix)]
        assert len(found) == 1, event_type


async def asked(types: tuple[str, ...], *scopes: Scope) -> tuple[str, ...]:
    source = RecordingSource()
    await EventService(source).stream(caller(TENANT, scopes), types, 5)  # type: ignore[arg-type]
    ((tenant, filters, after),) = source.asked
    assert (tenant, after) == (TENANT, 5)
    return filters


async def test_without_types_the_stream_holds_what_the_scopes_allow() -> None:
    filters = await asked((), Scope.COST_READ)
    seen = {event_type for event_type in EventType if matches(event_type, filters)}
    assert EventType.COST_UPDATED in seen
    assert all(event_type.startswith(("cost.", "reconciliation.")) for event_type in seen)


async def test_types_may_be_names_prefixes_or_other_spellings() -> None:
    filters = await asked(("forecast.generated", "sync.*", "cost.updated"), *Scope)
    assert "cost.forecast_generated" in filters
    assert "sync.completed" in filters
    assert "cost.updated" in filters
    assert "cost.threshold_exceeded" not in filters


async def test_a_type_outside_the_scopes_is_forbidden_by_name() -> None:
    with pytest.raises(Forbidden, match="integration:read"):
        await asked(("cost.*", "sync.completed"), Scope.COST_READ)


async def test_nobody_reads_nothing() -> None:
    with pytest.raises(Forbidden):
        await asked(())


@pytest.mark.parametrize("types", [("nonsense",), ("cost",), ("",), ("cost.*",) * 51])
async def test_an_unknown_type_or_too_many_are_refused(types: tuple[str, ...]) -> None:
    with pytest.raises(ValidationFailed):
        await asked(types, *Scope)
