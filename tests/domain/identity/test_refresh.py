"""Refresh tokens: form and verdict."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorcost.domain.identity.refresh import (
    GRACE,
    OpaqueKind,
    OpaqueToken,
    RefreshVerdict,
    judge_refresh,
)
from tensorcost.domain.ids import TenantId

NOW = datetime(2026, 11, 1, tzinfo=UTC)


@given(st.uuids(), st.binary(min_size=32, max_size=32), st.sampled_from(OpaqueKind))
def test_a_token_made_here_reads_back_with_its_tenant_and_kind_only(
    tenant: TenantId, secret: bytes, kind: OpaqueKind
) -> None:
    token = OpaqueToken.make(kind, tenant, secret)
    assert OpaqueToken.parse(kind, token.text) == token
    other = next(one for one in OpaqueKind if one is not kind)
    assert OpaqueToken.parse(other, token.text) is None


@given(st.text(max_size=120))
def test_other_text_is_no_token(text: str) -> None:
    assert OpaqueToken.parse(OpaqueKind.REFRESH, text) is None


@pytest.mark.parametrize(
    ("spent_ago", "verdict"),
    [
        (None, RefreshVerdict.ROTATE),
        (timedelta(0), RefreshVerdict.REPEAT),
        (GRACE, RefreshVerdict.REPEAT),
        (GRACE + timedelta(microseconds=1), RefreshVerdict.REUSED),
        (timedelta(days=3), RefreshVerdict.REUSED),
    ],
)
def test_ten_seconds_divide_a_second_tab_from_a_thief(
    spent_ago: timedelta | None, verdict: RefreshVerdict
) -> None:
    spent = None if spent_ago is None else NOW - spent_ago
    assert (
        judge_refresh(expires_at=NOW + timedelta(days=1), spent_at=spent, revoked_at=None, now=NOW)
        is verdict
    )


@pytest.mark.parametrize("spent_at", [None, NOW, NOW - timedelta(days=1)])
def test_an_expired_or_revoked_token_is_refused_and_nothing_more(
    spent_at: datetime | None,
) -> None:
    for expires_at, revoked_at in ((NOW, None), (NOW + timedelta(days=1), NOW)):
        verdict = judge_refresh(
            expires_at=expires_at, spent_at=spent_at, revoked_at=revoked_at, now=NOW
        )
        assert verdict is RefreshVerdict.REFUSED
