"""The CustomerOnboarding workflow as others see it: name, id, signal, projection."""

from datetime import datetime
from typing import Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from tensorcost.domain.ids import TenantId
from tensorcost.domain.tenancy.onboarding import OnboardingFact, OnboardingState

CONTEXT: Final = "tenancy"
CUSTOMER_ONBOARDING: Final = "CustomerOnboarding"
FACT_SIGNAL: Final = "fact"
STATE_QUERY: Final = "state"


class OnboardingEntry(BaseModel):
    """One step of a tenant's way, with the time at which it was reached."""

    model_config = ConfigDict(frozen=True)

    state: OnboardingState
    at: datetime


class CustomerOnboardingInput(BaseModel):
    model_config = ConfigDict(frozen=True)

    tenant_id: TenantId
    facts: tuple[OnboardingFact, ...] = ()
    history: tuple[OnboardingEntry, ...] = ()


class FactReport(BaseModel):
    """A fact and the tenant that it is about."""

    model_config = ConfigDict(frozen=True)

    tenant_id: TenantId
    fact: OnboardingFact
    subject: str = ""


class OnboardingProgress(BaseModel):
    """What is written to the projection."""

    model_config = ConfigDict(frozen=True)

    tenant_id: TenantId
    state: OnboardingState
    history: tuple[OnboardingEntry, ...]
    late: bool = False
    """The first recommendation is later than promised."""


def customer_onboarding_id(tenant_id: UUID) -> str:
    return f"tenant/{tenant_id}/onboarding"
