"""Columns of a bill to lines: classified and exact when AI spend, folded when not."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

import numpy as np
import pyarrow as pa

from tensorcost.domain.spend.bill import BillLine, ParsedBill
from tensorcost.domain.spend.bill_columns import BillColumns
from tensorcost.domain.spend.limits import RejectReason, TimeBounds
from tensorcost.domain.spend.parsed import Reject
from tensorcost.providers.bedrock.cur_amounts import (
    Amounts,
    Views,
)
from tensorcost.providers.bedrock.cur_codes import (
    Codes,
    Int64,
    Times,
    group_rows,
    text_codes,
)
from tensorcost.providers.bedrock.cur_folds import Folds
from tensorcost.providers.bedrock.cur_patterns import (
    DETAIL_COLUMNS,
    KEY_COLUMNS,
    TAG_COLUMNS,
    Details,
    Patterns,
)
from tensorcost.providers.bedrock.cur_problems import Problems
from tensorcost.providers.bedrock.cur_run import (
    TAG,
    Run,
    integers_of,
    product_names,
    quantities_of,
    spreads_of,
    tag_columns,
)
from tensorcost.providers.bedrock.cur_table import Rows
from tensorcost.providers.bedrock.profiles import ProfileDirectory

_DAY_US: Final = 86_400_000_000
_START: Final = "line_item_usage_start_date"
_PERIOD: Final = "bill_billing_period_start_date"
_CURRENCY: Final = "line_item_currency_code"


class LineBuilder:
    """Builds the lines of one file. Call ``add`` for each run of rows, then ``folded``."""

    def __init__(
        self, file: str, bounds: TimeBounds, directory: ProfileDirectory, line_offset: int
    ) -> None:
        self._file = file
        self._offset = line_offset
        self._bounds = bounds
        self._patterns = Patterns(directory)
        self._times = Times()
        self._folds = Folds()

    def add(self, rows: Rows, before: int, bill: ParsedBill) -> None:
        """Give ``bill`` the lines of AI spend and the rejects of these rows, and fold the rest.

        ``before`` is the number of rows of the file before these.
        """
        if not rows.count:
            return
        run = self._run(rows, before)
        spreads = spreads_of(run)
        scoped = np.flatnonzero(run.in_scope)
        for spread, of_spread in spreads.items():
            run.amounts.check(spread, of_spread, run.problems)
        run.amounts.check_usage(scoped, run.problems)
        quantity = quantities_of(run, scoped)
        sound, in_scope = run.problems.sound, run.in_scope
        views = []
        for spread, of_spread in spreads.items():
            of_spread = of_spread[sound[of_spread]]
            inside = of_spread[in_scope[of_spread]]
            if len(inside):
                views.append(run.amounts.views(spread, inside))
            outside = of_spread[~in_scope[of_spread]]
            if len(outside):
                found = run.amounts.views(spread, outside)
                first = self._offset + before + 1
                self._folds.add(found, run.kinds, run.kind, run.start_us, first)
        if views:
            bill.columns = self._columns(run, views, quantity)
        bill.rejects += [self._reject(run, *problem) for problem in run.problems]

    def folded(self) -> list[BillLine]:
        """The lines outside AI spend, one a day, account, product and type."""
        return self._folds.lines()

    def _run(self, rows: Rows, before: int) -> Run:
        keys = [text_codes(rows.columns.get(name), rows.count) for name in KEY_COLUMNS]
        names = product_names(rows, keys[KEY_COLUMNS.index("line_item_product_code")])
        periods = self._periods(rows)
        found, kind = group_rows([*keys, names, periods])
        kinds = [
            self._patterns.kind(
                tuple(key.value(row) for key in keys), names.value(row), periods.value(row)
            )
            for row in found.tolist()
        ]
        problems = Problems(rows.count)
        has_account = np.array([one.has_account for one in kinds], dtype=np.bool_)[kind]
        problems.note(
            np.flatnonzero(~has_account), RejectReason.BAD_ACCOUNT, "line_item_usage_account_id"
        )
        has_currency = keys[KEY_COLUMNS.index(_CURRENCY)].where(bool)
        problems.note(np.flatnonzero(~has_currency), RejectReason.MISSING_FIELD, _CURRENCY)
        start_us = self._starts(rows, problems)
        return Run(rows, before, keys, kinds, kind, start_us, Amounts(rows), problems)

    def _periods(self, rows: Rows) -> Codes:
        """The month that bills each row, None where it names none."""
        start, known = self._times.read(rows.columns.get(_PERIOD), rows.count)
        known &= (self._bounds.lower_us <= start) & (start <= self._bounds.upper_us)
        months = np.where(known, start, 0).astype("datetime64[us]").astype("datetime64[M]")
        months[~known] = np.datetime64("NaT")
        found, codes = np.unique(months, return_inverse=True)
        return Codes(found.tolist(), codes.astype(np.int64))

    def _starts(self, rows: Rows, problems: Problems) -> Int64:
        columns, count = rows.columns, rows.count
        start, known = self._times.read(columns.get(_START), count)
        if not known.all():
            interval, has_interval = self._times.read(
                columns.get("identity_time_interval"), count, lambda text: text.partition("/")[0]
            )
            period, has_period = self._times.read(columns.get(_PERIOD), count)
            start = np.where(known, start, np.where(has_interval, interval, period))
            known = known | has_interval | has_period
        problems.note(np.flatnonzero(~known), RejectReason.BAD_TIMESTAMP, _START)
        for at_us, outside in (
            (self._bounds.lower_us - 1, start < self._bounds.lower_us),
            (self._bounds.upper_us + 1, start > self._bounds.upper_us),
        ):
            problems.note(np.flatnonzero(outside), self._bounds.problem(at_us) or "", _START)
        return start

    def _columns(self, run: Run, views: Sequence[Views], quantity: Int64) -> BillColumns | None:
        money = [integers_of(view, run.problems) for view in views]
        rows = np.concatenate([view.rows for view in views])
        unblended, amortized, net = (np.concatenate(parts) for parts in zip(*money, strict=True))
        has_net = np.concatenate(
            [view.net.is_valid().to_numpy(zero_copy_only=False) for view in views]
        )
        order = np.argsort(rows, kind="stable")
        order = order[run.problems.sound[rows[order]]]
        rows = rows[order]
        end, has_end = self._times.read(
            run.rows.columns.get("line_item_usage_end_date"), run.rows.count
        )
        end = np.where(has_end & (end > run.start_us), end, run.start_us + _DAY_US)
        patterns, pattern = self._lines(run, rows)
        return BillColumns(
            patterns=patterns,
            pattern=pattern,
            line_no=self._offset + run.before + 1 + rows,
            start_us=run.start_us[rows],
            end_us=end[rows],
            quantity_micro=quantity[rows],
            unblended_nano=unblended[order],
            amortized_nano=amortized[order],
            net_nano=net[order],
            has_net=has_net[order],
        )

    def _lines(self, run: Run, rows: Int64) -> tuple[list[BillLine], Int64]:
        """(patterns, pattern of each row) of rows in scope."""
        columns = {
            name: column if len(rows) == run.rows.count else column.take(pa.array(rows))
            for name, column in run.rows.columns.items()
            if name in DETAIL_COLUMNS or name in TAG_COLUMNS or name.startswith(TAG)
        }
        details = [text_codes(columns.get(name), len(rows)) for name in DETAIL_COLUMNS]
        tags = tag_columns(columns, len(rows))
        of_kind = Codes(run.kinds, run.kind[rows])
        found, pattern = group_rows([of_kind, *details, *tags])
        patterns = [
            self._patterns.pattern(
                of_kind.value(row),
                Details(*[one.value(row) for one in details]),
                tuple(one.value(row) for one in tags),
            )
            for row in found.tolist()
        ]
        return patterns, pattern

    def _reject(self, run: Run, row: int, reason: str, detail: str) -> Reject:
        text = "|".join(key.value(row) for key in run.keys)
        line_hash = blake2b(text.encode(), digest_size=16).digest()
        return Reject(self._file, run.before + row + 1, reason, detail, line_hash)
