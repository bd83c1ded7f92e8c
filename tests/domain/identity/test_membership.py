"""Which tenant a caller acts in."""

from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorcost.domain.errors import (
    DomainError,
    Forbidden,
    NotFound,
    Unauthenticated,
    ValidationFailed,
)
from tensorcost.domain.identity.membership import (
    Membership,
    choose_membership,
    choose_service_tenant,
    parse_tenant_header,
)
from tensorcost.domain.identity.principal import Plan
from tensorcost.domain.identity.scopes import Role
from tensorcost.domain.ids import TenantId, UserId

IDS = [TenantId(uuid4()) for _ in range(4)]
tenants = st.sampled_from(IDS)


def member_of(tenant_id: TenantId) -> Membership:
    return Membership(tenant_id, UserId(UUID(int=1)), Role.VIEWER, Plan.GROWTH)


@given(
    memberships=st.lists(tenants, unique=True).map(lambda ids: [member_of(one) for one in ids]),
    claimed=st.none() | tenants,
    asked=st.none() | tenants,
)
def test_a_caller_only_ever_acts_where_they_are_a_member(
    memberships: list[Membership], claimed: TenantId | None, asked: TenantId | None
) -> None:
    try:
        chosen = choose_membership(memberships, claimed=claimed, asked=asked)
    except DomainError:
        return
    assert chosen in memberships
    assert asked in (None, chosen.tenant_id)
    assert asked is not None or claimed in (None, chosen.tenant_id)


def test_the_header_beats_the_claim() -> None:
    memberships = [member_of(IDS[0]), member_of(IDS[1])]
    chosen = choose_membership(memberships, claimed=IDS[0], asked=IDS[1])
    assert chosen.tenant_id == IDS[1]


@pytest.mark.parametrize(
    ("count", "claimed", "asked", "error"),
    [
        (1, None, IDS[3], NotFound),
        (1, IDS[3], None, Unauthenticated),
        (0, None, None, Forbidden),
        (2, None, None, ValidationFailed),
        (0, IDS[0], None, Unauthenticated),
    ],
)
def test_each_refusal_has_its_own_kind(
    count: int, claimed: TenantId | None, asked: TenantId | None, error: type[DomainError]
) -> None:
    memberships = [member_of(tenant_id) for tenant_id in IDS[:count]]
    with pytest.raises(error):
        choose_membership(memberships, claimed=claimed, asked=asked)


@given(asked=st.none() | tenants)
def test_a_service_never_leaves_its_tenant(asked: TenantId | None) -> None:
    try:
        assert choose_service_tenant(IDS[0], asked) == IDS[0]
    except Forbidden:
        assert asked not in (None, IDS[0])


@given(st.text(max_size=50))
def test_a_header_is_a_uuid_in_its_usual_form_or_refused(value: str) -> None:
    try:
        parsed = parse_tenant_header(value)
    except ValidationFailed:
        return
    assert str(parsed) == value.strip().lower()


@given(st.uuids())
def test_every_uuid_in_its_usual_form_is_read(value: UUID) -> None:
    assert parse_tenant_header(str(value)) == value
    assert parse_tenant_header(str(value).upper()) == value
