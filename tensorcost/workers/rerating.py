"""The job that holds stored rows against prices that were imported meanwhile."""

from datetime import timedelta
from typing import Final

from tensorcost.services.rerating import Reratings
from tensorcost.services.rerating_processes import ReratingProcesses
from tensorcost.storage.session import Database
from tensorcost.workers.housekeeping import Job

RERATE_EVERY: Final = timedelta(minutes=1)


def rerating_job(db: Database, processes: ReratingProcesses) -> Job:
    """Begins a re-rating for each tenant that a newer price version may concern."""
    return Job("rerate", RERATE_EVERY, Reratings(db, processes).begin_due)
