"""Which version of a stored secret is in use, and what operators see of its rotation."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from tensorcost.domain.ids import TenantId
from tensorcost.domain.integration.progress import MAX_DETAILS
from tensorcost.domain.tenancy.secret_rotation import (
    EndOrder,
    StoredRotation,
    StoredRotationState,
    stored_rotation_markdown,
)
from tensorcost.domain.tenancy.stored_secrets import STORED_SECRETS, StoredSecretKind

START = datetime(2026, 11, 20, 12, tzinfo=UTC)
ROTATION = StoredRotation(
    tenant_id=TenantId(UUID(int=1)),
    rotation_id=UUID(int=2),
    kind=StoredSecretKind.CONTENT_HASH,
    state=StoredRotationState.OVERLAPPING,
    old_version=3,
    new_version=5,
    requested_by="user:a",
    started_at=START,
    deadline=START + timedelta(days=7),
)


def test_every_kind_says_how_it_is_made_and_what_its_rotation_means() -> None:
    assert set(STORED_SECRETS) == set(StoredSecretKind)
    for spec in STORED_SECRETS.values():
        assert 16 <= spec.size <= 64, "BLAKE2b takes a key of at most 64 bytes"
        assert spec.purpose
        assert spec.consequence.endswith(".")


def test_the_new_version_is_in_use_while_both_are_there() -> None:
    assert ROTATION.is_open
    assert (ROTATION.in_use, ROTATION.not_in_use) == (5, 3)


@pytest.mark.parametrize(
    ("state", "in_use", "destroyed"),
    [
        (StoredRotationState.ROTATED, 5, 3),
        (StoredRotationState.ROLLED_BACK, 3, 5),
        (StoredRotationState.CANCELLED, 5, 3),
    ],
)
def test_how_it_ends_says_which_version_stays(
    state: StoredRotationState, in_use: int, destroyed: int
) -> None:
    order = EndOrder(
        tenant_id=ROTATION.tenant_id, rotation_id=ROTATION.rotation_id, state=state, note="n"
    )
    ended = ROTATION.ended(order, START + timedelta(days=1))
    assert not ended.is_open
    assert (ended.in_use, ended.not_in_use) == (in_use, destroyed)
    assert (ended.note, ended.finished_at) == ("n", START + timedelta(days=1))


def test_details_name_versions_and_fence_foreign_text() -> None:
    shown = stored_rotation_markdown(ROTATION, ROTATION.state, "oh `no`")
    assert shown.startswith("### Overlapping")
    assert "From version 3 to 5; overlap until 2026-11-27 12:00 UTC." in shown
    assert shown.endswith("`` oh `no` ``")
    assert len(stored_rotation_markdown(ROTATION, ROTATION.state, "x" * 20_000)) <= MAX_DETAILS
