"""The reconciled bill must add up to the last nano-dollar, and agree with the key to the cent."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from demo.story.board import StageFailed
from demo.story.compare_invoice import Key, Told, check, read_key
from demo.story.invoice import Coverage, Invoice, Month, Shares, shares_of
from demo.story.invoice_report import by_account, invoice_json, percent
from demo.story.questions import DIMENSIONS, Answer, Part, Sums
from demo.story.reconciling import Restatement, change_of_bill
from demo.world.spec import World
from demo.world.story import PROD

CALLED, COUNTED, NOT_LOGGED, TAX = (Decimal(usd) for usd in ("3.1", "0.4", "0.5", "0.000000001"))
TAGGED = Decimal("0.1")
BILLED = CALLED + COUNTED + NOT_LOGGED + TAX
SHARES = Shares(BILLED, CALLED + COUNTED, {"unlogged": NOT_LOGGED, "tax": TAX})
KEY: dict[str, Any] = {
    "2026-10": {
        "shares_by_day": {
            "2026-10-01": {"tax": "0.000000001", "attributed": "1.1"},
            "2026-10-31": {
                "attributed": "2",
                "metered": "0.4",
                "unlogged": "0.2",
                "unnamed": "0.3",
            },
        },
        "tagged_by_team": {"care": "0.1"},
        "shares_by_account": {
            "1": {
                "attributed": "3.1",
                "metered": "0.4",
                "tax": "0.000000001",
                "unlogged": "0.2",
                "unnamed": "0.3",
            }
        },
    }
}


def sums(**grains: Decimal) -> Sums:
    parts = {grain: Part(usd, 1) for grain, usd in grains.items()}
    return Sums(sum(grains.values(), Decimal(0)), 1, 0, 0, parts)


def costs(account: Sums | None = None) -> Answer:
    usage = sums(request=CALLED, metric=COUNTED, bill=NOT_LOGGED)
    untagged = sums(request=CALLED, metric=COUNTED, bill=NOT_LOGGED - TAGGED)
    tax = sums(bill=TAX)
    everything = sums(request=CALLED, metric=COUNTED, bill=NOT_LOGGED + TAX)
    return Answer(
        total=everything,
        beside=frozenset(),
        unpriced=frozenset(),
        groups={
            "model": {"m-1": usage, "(tax)": tax},
            "application": {"(unattributed)": usage, "(tax)": tax},
            "team": {"care": sums(bill=TAGGED), "(unattributed)": untagged, "(tax)": tax},
            "account": {"1": account or usage, "(tax)": tax},
        },
    )


def told(shares: Shares = SHARES, found: Answer | None = None, until: str = "2026-11-01") -> Told:
    month = Month("2026-10", until, shares)
    coverage = Coverage(BILLED - TAX, CALLED, COUNTED, NOT_LOGGED)
    return Told(Invoice((month,), coverage), {"2026-10": found or costs()})


def held(one: Told, key: Mapping[str, Any] = KEY, restated: Restatement | None = None) -> str:
    return check(one, one, restated, Key(KEY, key))


def test_a_bill_that_adds_up_holds() -> None:
    assert "difference 0.00" in held(told())


def test_a_nano_dollar_that_is_nowhere_fails() -> None:
    less = replace(SHARES, attributed=SHARES.attributed - TAX)
    with pytest.raises(StageFailed, match=r"0\.000000001 USD are nowhere"):
        held(told(less))


def test_a_dimension_that_misses_a_nano_dollar_fails() -> None:
    found = costs()
    found.groups["application"].pop("(tax)")
    with pytest.raises(StageFailed, match=r"by application: 4\.0 USD, 4\.000000001 USD are"):
        held(told(found=found))


@pytest.mark.parametrize(
    ("share", "said"),
    [("unlogged", "unlogged: 0.5 USD, the key says 0.52"), ("refund", "refund: 0 USD")],
)
def test_a_class_that_is_two_cents_off_the_key_fails(share: str, said: str) -> None:
    days = KEY["2026-10"]["shares_by_day"]
    day = days["2026-10-31"] | {share: "0.22"}
    key = {"2026-10": {**KEY["2026-10"], "shares_by_day": days | {"2026-10-31": day}}}
    with pytest.raises(StageFailed, match=said):
        held(told(), key)


def test_an_account_whose_usage_is_explained_otherwise_fails() -> None:
    account = sums(request=COUNTED, metric=CALLED, bill=NOT_LOGGED)
    with pytest.raises(StageFailed, match=r"account 1, request part: 0\.4 USD, not 3\.1"):
        held(told(found=costs(account)))


@pytest.mark.parametrize(
    ("team", "said"),
    [
        ({"ml": sums(bill=Decimal(9)), "": sums(bill=BILLED - 9)}, r"team ml: 9 USD of lines, 0"),
        ({"care": sums(bill=-CALLED), "": sums(bill=BILLED + CALLED)}, r"team care: -3\.1 USD"),
        ({"(unattributed)": sums(bill=-TAX), "": sums(bill=BILLED + TAX)}, "nobody in particular"),
    ],
    ids=["more than is tagged", "a negative team", "a negative rest"],
)
def test_money_that_no_tag_of_a_line_gives_to_a_team_fails(
    team: dict[str, Sums], said: str
) -> None:
    found = costs()
    found.groups["team"] = team
    with pytest.raises(StageFailed, match=said):
        held(told(found=found))


def test_of_a_month_that_runs_only_the_reconciled_days_are_compared() -> None:
    shares = Shares(Decimal("1.100000001"), Decimal("1.1"), {"tax": TAX})
    first_days = sums(request=Decimal("1.1"), bill=TAX)
    groups = {name: {"": first_days} for name in DIMENSIONS}
    found = Answer(first_days, frozenset(), frozenset(), groups)
    assert held(told(shares, found, until="2026-10-31"))
    with pytest.raises(StageFailed, match=r"attributed: 1\.1 USD, the key says 3\.5"):
        held(told(shares, found))


def test_faces_that_differ_and_months_without_a_bill_fail() -> None:
    other = replace(told().invoice, coverage=Coverage(BILLED, CALLED, COUNTED, NOT_LOGGED))
    with pytest.raises(StageFailed, match="differ about the bill"):
        check(told(), replace(told(), invoice=other), None, Key(KEY, KEY))
    with pytest.raises(StageFailed, match="no bill of 2026-09"):
        held(told(), KEY | {"2026-09": KEY["2026-10"]})


def test_what_was_told_before_the_restatement_is_compared_with_the_first_delivery() -> None:
    month = told().invoice.months[0]
    assert held(told(), restated=Restatement("2026-10", 1, 2, month, BILLED))
    less = replace(
        SHARES, billed=Decimal(4), unattributed={"unlogged": Decimal("0.48"), "tax": TAX}
    )
    other = Restatement("2026-10", 1, 2, replace(month, shares=less), BILLED)
    with pytest.raises(StageFailed, match=r"unlogged: 0\.48 USD, the key says 0\.5"):
        held(told(), restated=other)


def test_the_key_tells_what_is_billed_in_the_end(organization: World) -> None:
    key, period = read_key(organization), organization.restated_period
    refunds = key.final[period]["shares_by_account"][PROD]["refund"]
    assert Decimal(refunds) < 0
    assert "refund" not in key.first[period]["shares_by_account"][PROD]
    assert key.first.keys() == key.final.keys()


def test_both_faces_words_for_a_month_are_read_alike() -> None:
    def month(share: str, currency: str = "USD") -> dict[str, Any]:
        parts = [{"share": share, "amount": {"unblended": "0.25"}}]
        money = {"billed": "1.000000000", "attributed": "0.75", "difference": "0"}
        total = {name: {"unblended": usd} for name, usd in money.items()}
        return {
            "period": "2026-10",
            "totals": [{"currency": currency, **total, "unattributed": parts}],
        }

    assert shares_of(month("out_of_scope")) == shares_of(month("OUT_OF_SCOPE"))
    assert shares_of({"period": "2026-10", "totals": []}) == Shares()
    with pytest.raises(StageFailed, match="not billed in USD alone"):
        shares_of(month("tax", "EUR"))


def test_the_invoice_is_exact_text_and_the_sum_of_its_months() -> None:
    november = Month(
        "2026-11", "2026-11-05", Shares(Decimal(2), Decimal(1), {"credit": Decimal(1)})
    )
    october = told().invoice.months[0]
    before = Month("2026-10", "2026-11-01", Shares(Decimal("5.5"), Decimal("5.5")))
    restated = Restatement("2026-10", 1, 2, before, BILLED)
    value = invoice_json(Invoice((october, november), told().invoice.coverage), restated)
    assert (value["billed"], value["attributed"]) == ("6.000000001", "4.5")
    assert value["unattributed"] == {"credit": "1", "tax": "0.000000001", "unlogged": "0.5"}
    assert [month["billed"] for month in value["months"]] == ["4.000000001", "2"]
    assert Decimal(value["difference"]) == 0
    assert value["restated"]["delta"] == "-1.499999999"


def test_an_account_is_the_sum_of_its_regions_and_names_the_silent_ones() -> None:
    def place(region: str, billed: str, requests: str, cause: str = "") -> dict[str, Any]:
        return {
            "account_id": "1",
            "account_name": "",
            "region": region,
            "billed": billed,
            "by_requests": requests,
            "by_metrics": "0.5",
            "unlogged": "1",
            "silence": {"cause": cause} if cause else None,
        }

    (found,) = by_account([place("a", "3", "1.5"), place("b", "1.5", "0", "logging_off")])
    assert (found.name, found.billed, found.explained) == ("1", Decimal("4.5"), Decimal("2.5"))
    assert found.silent == {"logging_off": ["b"]}


def test_only_all_of_it_is_a_hundred_per_cent() -> None:
    assert percent(Decimal("99.99"), Decimal(100)) == "99.9 %"
    assert percent(Decimal(1), Decimal(1)) == "100.0 %"
    assert percent(Decimal(0), Decimal(0)) == "-"


def test_the_restatement_is_the_change_of_the_bill_and_not_the_newest_version() -> None:
    bills = {4: ["c", "b"], 3: ["b", "c"], 2: ["a", "b"], 1: ["a", "b"]}
    versions = [{"version": number, "deliveries": bill} for number, bill in bills.items()]
    change = change_of_bill(versions)
    assert change is not None
    assert [one["version"] for one in change] == [2, 3]
    assert change_of_bill(versions[-2:]) is None
