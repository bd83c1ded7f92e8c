"""The bill's files against the event stream, and the answer key against both."""

import json
import re
from collections import Counter, defaultdict
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from demo.world.spec import World
from demo.world.story import ACQUIRED, DATA, EMEA, HAIKU, PAYER, RESEARCH, SANDBOX
from tests.demo.world.reading import FIELDS, bill_rows, logged_tokens

CENT = Decimal("0.01")
SHARES = {
    *("attributed", "metered", "unnamed", "unlogged", "out_of_scope"),
    *("commitment", "discount", "credit", "refund", "tax"),
}
LUMEN = "us.stellar.lumen-large-v1:0"


def truth(world: World) -> Any:
    return json.loads(world.truth_file.read_bytes())


def cells(world: World) -> list[dict[str, Any]]:
    return list(json.loads(world.cells_file.read_bytes()))


def cost(row: dict[str, Any]) -> Decimal:
    return Decimal(repr(row["line_item_unblended_cost"]))


def rows_by_period(world: World) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in bill_rows(world, parquet=True):
        found[f"{row['bill_billing_period_start_date']:%Y-%m}"].append(row)
    return found


def test_the_key_names_every_total_that_the_files_hold(organization: World) -> None:
    key = truth(organization)["bill"]
    periods = rows_by_period(organization)
    assert list(key) == sorted(periods) == ["2026-10", "2026-11"]
    for period, rows in periods.items():
        by_type: dict[str, Decimal] = defaultdict(Decimal)
        by_account: dict[str, Decimal] = defaultdict(Decimal)
        for row in rows:
            by_type[row["line_item_line_item_type"]] += cost(row)
            by_account[row["line_item_usage_account_id"]] += cost(row)
        told = key[period]
        assert Decimal(told["unblended_usd"]) == sum(map(cost, rows))
        assert {kind: Decimal(usd) for kind, usd in told["by_type"].items()} == by_type
        assert {one: Decimal(usd) for one, usd in told["by_account"].items()} == by_account
        assert told["lines"] == len(rows)


def test_every_month_is_split_into_shares_without_rest(organization: World) -> None:
    key = truth(organization)
    told = [*key["bill"].values(), *key["restated"].values()]
    assert set().union(*(month["shares"] for month in told)) == SHARES
    for month in told:
        total = Decimal(month["unblended_usd"])
        for by in (month["shares_by_day"], month["shares_by_account"]):
            parts = [Decimal(usd) for shares in by.values() for usd in shares.values()]
            assert abs(sum(parts) - total) < CENT / 1000
        for name, by in (("by_charge_day", "shares_by_day"), ("by_account", "shares_by_account")):
            for group, shares in month[by].items():
                billed = Decimal(month[name][group])
                assert abs(sum(map(Decimal, shares.values())) - billed) < CENT / 1000
        for share in ("tax", "credit", "refund"):
            billed = Decimal(month["by_type"].get(share.title(), "0"))
            assert Decimal(month["shares"].get(share, "0")) == billed
        assert sum(map(Decimal, month["unlogged_by_cause"].values())) == Decimal(
            month["shares"]["unlogged"]
        )


def test_what_is_attributed_follows_from_the_cells(organization: World) -> None:
    """Billed x min(1, logged / billed), from the tokens that the cells tell."""
    logging = {place_of(cell) for cell in cells(organization) if cell["logged_tokens"]}
    found: dict[tuple[str, str], Fraction] = defaultdict(Fraction)
    sums: dict[tuple[str, ...], list[int | Decimal]] = defaultdict(lambda: [0, 0, Decimal(0)])
    for cell in cells(organization):
        if cell["tier"] == "batch" or cell["model"] == LUMEN:
            continue
        is_global = str(cell["model"].startswith("global."))
        one = sums[(*place_of(cell), cell["kind"], is_global)]
        one[0] += cell["logged_tokens"]
        one[1] += cell["billed_tokens"]
        one[2] += Decimal(cell["billed_usd"])
    for (account, day, region, model, *_), (seen, billed, usd) in sums.items():
        if (account, day, region, model) in logging:
            part = min(Fraction(1), Fraction(int(seen), int(billed)))
            found[day[:7], "attributed"] += Fraction(usd) * part
        elif account not in (ACQUIRED, SANDBOX):
            found[day[:7], "metered"] += Fraction(usd)
    for period, month in truth(organization)["bill"].items():
        for share in ("attributed", "metered"):
            told = Fraction(Decimal(month["shares"][share]))
            assert abs(told - found[period, share]) < Fraction(CENT) / 1000, (period, share)


def test_cells_tell_what_the_log_files_and_the_bill_files_hold(organization: World) -> None:
    named = ("account", "day", "region", "model", "kind")
    logged: Counter[tuple[str, ...]] = Counter()
    billed: Counter[tuple[str, ...]] = Counter()
    for cell in cells(organization):
        logged[tuple(cell[name] for name in named)] += cell["logged_tokens"]
        billed[cell["account"], cell["day"], cell["kind"]] += cell["billed_tokens"]
    assert +logged == logged_tokens(organization)
    held: Counter[tuple[str, ...]] = Counter()
    for row in bill_rows(organization, parquet=True):
        if "oken" in row["line_item_usage_type"]:
            day = f"{row['line_item_usage_start_date']:%Y-%m-%d}"
            amount = Decimal(repr(row["line_item_usage_amount"]))
            tokens = amount * (1000 if row["pricing_unit"] == "1K tokens" else 1_000_000)
            kind = kind_of(row["line_item_usage_type"])
            held[row["line_item_usage_account_id"], day, kind] += int(tokens)
    assert held == billed


def kind_of(usage_type: str) -> str:
    words = usage_type.lower().replace("-", "")
    if "cacheread" in words:
        return "cached"
    if "cachewrite" in words:
        return "cache_write_1h" if "1h" in words else "cache_write_5m"
    return "output" if "output" in words else "input"


def place_of(cell: dict[str, Any]) -> tuple[str, ...]:
    return (cell["account"], cell["day"], cell["region"], bare(cell["model"]))


def bare(model: str) -> str:
    return re.sub(r"^(us|eu|global)\.", "", model)


def test_usage_is_billed_at_list_price_but_for_one_model_from_the_middle_on(
    organization: World,
) -> None:
    listed = json.loads(Path(organization.price_file).read_text(), parse_float=Decimal)
    middle = organization.start + (organization.end - organization.start) / 2
    seen: Counter[bool] = Counter()
    for cell in cells(organization):
        if cell["tier"] == "batch" or cell["model"] == LUMEN:
            continue
        drifts = bare(cell["model"]) == HAIKU and cell["day"] >= f"{middle:%Y-%m-%d}"
        rate = listed[cell["model"]][FIELDS[cell["kind"]]] * (Decimal("0.95") if drifts else 1)
        assert abs(Decimal(cell["billed_usd"]) - cell["billed_tokens"] * rate) < Decimal("1e-9")
        seen[drifts] += 1
    assert min(seen[True], seen[False]) > 50
    drift = {p: Decimal(m["price_drift_usd"]) for p, m in truth(organization)["bill"].items()}
    assert drift["2026-11"] < -CENT
    assert drift["2026-10"] == 0  # the middle is the first of November


def test_bill_speaks_both_vocabularies(organization: World) -> None:
    usage = {row["line_item_usage_type"] for row in bill_rows(organization, parquet=True)}
    assert "USE1-Claude4.5Haiku-input-tokens" in usage
    assert "USE1-Claude4.5Haiku-output-tokens-cross-region-global" in usage
    assert "USE1-Claude4.5Haiku-output-tokens-batch" in usage
    assert "USE1-MP:USE1_CacheReadInputTokenCount-Units" in usage
    assert "USE1-MP:USE1_CacheWrite1hInputTokenCount_Global-Units" in usage
    assert "USE1-NovaPro-ProvisionedThroughput-NoCommit-ModelUnits" in usage


def test_batch_jobs_are_billed_and_never_logged(organization: World) -> None:
    batch = [cell for cell in cells(organization) if cell["tier"] == "batch"]
    assert {cell["account"] for cell in batch} == {DATA}
    assert all(cell["tokens"] == cell["billed_tokens"] > 0 for cell in batch)
    assert not any(cell["logged_tokens"] for cell in batch)
    told = truth(organization)["bill"]
    usd = sum(Decimal(month["unlogged_by_cause"]["batch"]) for month in told.values())
    assert usd == sum(Decimal(cell["billed_usd"]) for cell in batch)


def test_refund_stands_in_the_month_after_the_usage(organization: World) -> None:
    refunds = [
        row
        for row in bill_rows(organization, parquet=True)
        if row["line_item_line_item_type"] == "Refund"
    ]
    (refund,) = refunds
    assert cost(refund) < 0
    assert refund["bill_bill_type"] == "Refund"
    assert f"{refund['bill_billing_period_start_date']:%Y-%m}" == "2026-11"
    assert f"{refund['line_item_usage_start_date']:%Y-%m}" == "2026-10"
    key = truth(organization)["bill"]["2026-11"]
    assert Decimal(key["shares_by_day"]["2026-11-01"]["refund"]) == cost(refund)


def test_accounts_in_the_dark_are_explained_as_far_as_they_can_be(organization: World) -> None:
    month = truth(organization)["bill"]["2026-11"]["shares_by_account"]
    assert month[PAYER].keys() >= {"attributed", "metered"}  # the log group keeps two weeks
    for dark in (RESEARCH, EMEA):
        assert Decimal(month[dark]["metered"]) > CENT
    assert month[ACQUIRED].keys() == {"unlogged", "tax", "discount"}


def test_a_negation_takes_back_what_the_tagged_machine_costs(organization: World) -> None:
    rows = bill_rows(organization, parquet=True)
    told = truth(organization)["bill"].values()
    tagged = {dict(row["resource_tags"] or ()).get("user_team") for row in rows} - {None, ""}
    assert tagged == {team for month in told for team in month["tagged_by_team"]}
    for month in told:
        assert Decimal(month["by_type"]["SavingsPlanCoveredUsage"]) > 0
        assert Decimal(month["tagged_by_team"]["ml"]) == 0


def test_parquet_and_csv_tell_the_same_bill(single: World) -> None:
    parquet, text = bill_rows(single, parquet=True), bill_rows(single, parquet=False)
    assert [row["identity_line_item_id"] for row in parquet] == [
        row["identity_line_item_id"] for row in text
    ]
    assert [repr(row["line_item_unblended_cost"]) for row in parquet] == [
        repr(float(row["line_item_unblended_cost"])) for row in text
    ]
    assert json.loads(text[0]["product"]) == dict(parquet[0]["product"])


def test_reconciliation_cells_carry_the_whole_bill(organization: World) -> None:
    found, key = cells(organization), truth(organization)
    billed = sum(Decimal(cell["billed_usd"]) for cell in found)
    assert billed == sum(Decimal(month["bedrock_usd"]) for month in key["bill"].values())
    final = key["bill"] | key["restated"]
    restated = sum(Decimal(cell["restated_usd"]) for cell in found)
    assert restated == sum(Decimal(month["bedrock_usd"]) for month in final.values())
    assert any(0 < cell["logged_tokens"] < cell["tokens"] for cell in found)
    assert all(cell["logged_tokens"] <= cell["tokens"] for cell in found)
    assert all(cell["restated_tokens"] == cell["tokens"] for cell in found)


def test_a_month_counts_as_ended_only_when_the_world_saw_its_end(single: World) -> None:
    assert single.start == datetime(2026, 11, 14, tzinfo=UTC)
    assert single.restated_period == ""
    assert truth(single)["restated"] == {}
