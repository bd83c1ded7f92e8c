"""What to do where invocation logs do not tell of all calls: one text a cause, whoever says it.

A validation, the end of a run and coverage judge the same place by what each of them knows.
"""

from typing import Final

SWITCH_ON: Final = (
    "Switch model invocation logging on under Bedrock, Settings, in the region of the calls: it "
    "adds attribution by application, user and agent, cache advice and routing advice; spend by "
    "model is read without it."
)
NAME_DESTINATION: Final = "Give the connection the destination that Bedrock's settings show."
GRANT_METRICS: Final = (
    "Grant cloudwatch:GetMetricData and cloudwatch:ListMetrics: without CloudWatch's count of the "
    "calls nobody can say whether some are not logged."
)
BATCH_JOBS: Final = (
    "Nothing is wrong: batch jobs are never logged. Tell them apart by the tags of their "
    "application inference profiles."
)
LOGS_DELETED: Final = (
    "Nothing can be had of these days: their logs were deleted before the connection read them. A "
    "longer retention of the log group helps who connects later; days since the connection are "
    "read and kept."
)


def switch_on_in(region: str = "the region of the calls") -> str:
    """Where logging is on, but in another region."""
    return (
        f"Switch model invocation logging on in {region}: it only sees the calls of its own "
        "region, and its destination must be in the same account and region."
    )
