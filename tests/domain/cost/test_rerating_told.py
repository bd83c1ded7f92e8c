"""What an operator reads of a re-rating in the Temporal UI."""

from datetime import date
from uuid import UUID

from tensorcost.domain.cost.contracts_rerating import (
    MonthChange,
    Preview,
    RerateInput,
    RerateState,
)
from tensorcost.domain.cost.reconciliation.closing import PeriodState
from tensorcost.domain.cost.rerating_told import rerating_markdown
from tensorcost.domain.ids import TenantId

REQUEST = RerateInput(tenant_id=TenantId(UUID(int=1)), price_version=7, requested_by="user:a")
PREVIEW = Preview(
    number=2,
    automatic_rows=1,
    approval_rows=2,
    approval_delta="0.400000000",
    approval_drift="0.300000000",
    months=(
        MonthChange(
            period=date(2026, 10, 1),
            state=PeriodState.CLOSING,
            rows=3,
            newly_priced_rows=1,
            before="1.000000000",
            after="1.500000000",
            delta="0.500000000",
            models=1,
            requests=2,
            beside_rows=1,
            drift="0.300000000",
        ),
    ),
)


def test_months_rows_and_what_is_waited_for() -> None:
    told = rerating_markdown(REQUEST, RerateState.AWAITING_APPROVAL, PREVIEW, "pay `attention`")
    assert "### Re-rating: price version 7" in told
    amounts = "| 1.000000000 | 1.500000000 | 0.500000000 | 0.300000000 |"
    assert f"| 2026-10 | closing | 3 | 1 | 1 | 2 {amounts}" in told
    assert "1 rows need no approval, 2 do (0.400000000 USD, 0.300000000 of it on days" in told
    assert "Signals: `approve_now`, `reject_now`." in told
    assert "`` pay `attention` ``" in told


def test_a_run_that_takes_back_names_what() -> None:
    request = REQUEST.model_copy(update={"reverts": UUID(int=5)})
    told = rerating_markdown(request, RerateState.PREVIEWING, None)
    assert str(UUID(int=5)) in told
    assert "Signals" not in told
