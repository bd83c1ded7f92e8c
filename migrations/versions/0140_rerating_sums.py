"""Previews of re-ratings that count one call once, and tell drift from what moves a total."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from rls import run

revision = "0140"
down_revision = "0130"

SUMS = """
ALTER TABLE ai.rerating_change
    ADD COLUMN beside_rows bigint NOT NULL DEFAULT 0,
    ADD COLUMN drift_nano bigint NOT NULL DEFAULT 0
;;
COMMENT ON COLUMN ai.rerating_change.rows IS
    'Rows that are written anew, of every grain. What a call costs is in the amounts once. Previews
     from before beside_rows was kept added all their rows up.'
;;
COMMENT ON COLUMN ai.rerating_change.beside_rows IS
    'Of the rows: a finer grain tells of the same calls, so that they are in no amount and not in
     the requests.'
;;
COMMENT ON COLUMN ai.rerating_change.drift_nano IS
    'The part of after less before on days that a bill answers for: no total changes by it.'
"""


def upgrade() -> None:
    run(SUMS)
