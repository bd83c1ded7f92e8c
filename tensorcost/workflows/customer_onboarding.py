"""A customer's way from sign-up to the first recommendation, driven by facts (A12)."""

from temporalio import workflow

from tensorcost.workflows.options import DB_SHORT, named
from tensorcost.workflows.visibility import show_state

with workflow.unsafe.imports_passed_through():
    from tensorcost.activities.tenancy import TenancyActivities
    from tensorcost.domain.tenancy.onboarding import (
        PROMISED_AFTER_SPEND,
        OnboardingState,
        state_of,
    )
    from tensorcost.domain.tenancy.onboarding_contracts import (
        CUSTOMER_ONBOARDING,
        FACT_SIGNAL,
        STATE_QUERY,
        CustomerOnboardingInput,
        FactReport,
        OnboardingEntry,
        OnboardingProgress,
    )


@workflow.defn(name=CUSTOMER_ONBOARDING)
class CustomerOnboarding:
    """Ends waiting at the first recommendation; its history stays small, whatever arrives."""

    @workflow.init
    def __init__(self, request: CustomerOnboardingInput) -> None:
        self._tenant = request.tenant_id
        self._facts = list(request.facts)
        started = OnboardingEntry(state=OnboardingState.SIGNED_UP, at=workflow.now())
        self._history = list(request.history) or [started]
        self._late = False
        self._shown: OnboardingState | None = None

    @workflow.run
    async def run(self, request: CustomerOnboardingInput) -> OnboardingProgress:
        while True:
            await self._project()
            state = self._state()
            if state is OnboardingState.COMPLETED:
                return self._progress()
            await self._wait_for_news(state)
            if workflow.info().is_continue_as_new_suggested():
                self._start_afresh()

    @workflow.signal(name=FACT_SIGNAL)
    def fact(self, report: FactReport) -> None:
        """A fact from another process. One that is known already changes nothing."""
        if report.fact not in self._facts:
            self._facts.append(report.fact)

    @workflow.query(name=STATE_QUERY)
    def state(self) -> OnboardingProgress:
        return self._progress()

    async def _wait_for_news(self, state: OnboardingState) -> None:
        """Until the facts say another state; past the promised time the wait is shown as late."""
        promised = PROMISED_AFTER_SPEND if self._is_awaited(state) else None
        try:
            await workflow.wait_condition(
                lambda: self._state() is not state,
                timeout=promised,
                timeout_summary="first recommendation promised by now",
            )
        except TimeoutError:
            self._late = True

    def _is_awaited(self, state: OnboardingState) -> bool:
        return state is OnboardingState.AWAITING_FIRST_RECOMMENDATION and not self._late

    async def _project(self) -> None:
        state = self._state()
        if self._history[-1].state is not state:
            self._history.append(OnboardingEntry(state=state, at=workflow.now()))
        if state is not self._shown:
            self._shown = state
            show_state(state.value)
        await workflow.execute_activity_method(
            TenancyActivities.project_onboarding,
            self._progress(),
            **named(DB_SHORT, state.value),
        )
        workflow.set_current_details(self._details())

    def _start_afresh(self) -> None:
        workflow.continue_as_new(
            CustomerOnboardingInput(
                tenant_id=self._tenant,
                facts=tuple(self._facts),
                history=tuple(self._history),
            )
        )

    def _state(self) -> OnboardingState:
        return state_of(frozenset(self._facts))

    def _progress(self) -> OnboardingProgress:
        return OnboardingProgress(
            tenant_id=self._tenant,
            state=self._state(),
            history=tuple(self._history),
            late=self._late,
        )

    def _details(self) -> str:
        rows = [
            f"| {entry.state.value} | {entry.at:%Y-%m-%d %H:%M:%S} |" for entry in self._history
        ]
        late = ["", "**Later than promised.**"] if self._late else []
        return "\n".join(["| state | reached (UTC) |", "|---|---|", *rows, *late])
