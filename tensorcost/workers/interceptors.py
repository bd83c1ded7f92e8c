"""Every log line of an activity says for whom, in which process and on which attempt."""

from typing import Any

import structlog
from temporalio import activity
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
)


class TenantLogs(Interceptor):
    """Binds tenant, workflow and activity to the log context while an activity runs."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Bound(next)


class _Bound(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        info = activity.info()
        with structlog.contextvars.bound_contextvars(
            tenant_id=_tenant_of(input.args),
            workflow_id=info.workflow_id,
            activity=info.activity_type,
            attempt=info.attempt,
        ):
            return await super().execute_activity(input)


def _tenant_of(args: Any) -> str | None:
    """Every payload names its tenant, itself or through its connection."""
    for argument in args:
        holder = getattr(argument, "connection", argument)
        tenant = getattr(holder, "tenant_id", None)
        if tenant is not None:
            return str(tenant)
    return None
