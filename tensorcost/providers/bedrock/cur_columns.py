"""Column names of Cost and Usage Reports, old and new, and the tags they carry.

A CUR 2.0 export has whatever columns the customer's query names; a legacy report spells them
``lineItem/UsageType`` in CSV and in snake case in Parquet. Code above sees CUR 2.0's names.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Final

REQUIRED: Final = frozenset(
    {"line_item_unblended_cost", "line_item_usage_account_id", "line_item_currency_code"}
)
CORE: Final = REQUIRED | {
    "line_item_line_item_type",
    "line_item_product_code",
    "line_item_usage_type",
    "line_item_usage_amount",
    "line_item_usage_start_date",
}
"""Without these a line has no class, no quantity or no day. An export may have been
set up without some of them, but one part of a delivery never lacks what the others have."""
TEXT_COLUMNS: Final = (
    "line_item_line_item_type",
    "line_item_usage_account_id",
    "line_item_product_code",
    "line_item_usage_type",
    "line_item_operation",
    "line_item_resource_id",
    "line_item_currency_code",
    "line_item_line_item_description",
    "line_item_iam_principal",
    "bill_payer_account_id",
    "bill_billing_entity",
    "bill_invoice_id",
    "product_product_name",
    "product_region_code",
    "product_region",
    "pricing_unit",
    "identity_time_interval",
    "reservation_reservation_a_r_n",
    "savings_plan_savings_plan_a_r_n",
)
TIME_COLUMNS: Final = (
    "line_item_usage_start_date",
    "line_item_usage_end_date",
    "bill_billing_period_start_date",
)
AMOUNT_COLUMNS: Final = (
    "line_item_usage_amount",
    "line_item_unblended_cost",
    "line_item_net_unblended_cost",
    "reservation_effective_cost",
    "reservation_net_effective_cost",
    "reservation_unused_amortized_upfront_fee_for_billing_period",
    "reservation_unused_recurring_fee",
    "reservation_net_unused_amortized_upfront_fee_for_billing_period",
    "reservation_net_unused_recurring_fee",
    "savings_plan_savings_plan_effective_cost",
    "savings_plan_net_savings_plan_effective_cost",
    "savings_plan_total_commitment_to_date",
    "savings_plan_used_commitment",
)
MAP_COLUMNS: Final = ("product", "resource_tags", "tags")
WANTED: Final = frozenset((*TEXT_COLUMNS, *TIME_COLUMNS, *AMOUNT_COLUMNS, *MAP_COLUMNS))

MAX_TAGS: Final = 50
_UPPER: Final = re.compile(r"(?<!^)(?=[A-Z])")
_TAG_COLUMN: Final = re.compile(r"resource_?tags[/_](?P<key>.+)", re.IGNORECASE)
_TAG_PREFIX: Final = re.compile(
    r"(?:resourcetags/|(?P<principal>iamprincipal/))?(?:user[:_]|(?P<aws>aws[:_]))?", re.IGNORECASE
)


def canonical_name(name: str) -> str:
    """CUR 2.0's name of a column: ``lineItem/UsageType`` is ``line_item_usage_type``."""
    if "/" not in name or _TAG_COLUMN.match(name):
        return name
    category, _, member = name.partition("/")
    return f"{_snake(category)}_{_snake(member)}"


def _snake(name: str) -> str:
    return _UPPER.sub("_", name).lower()


def choose_columns(names: Iterable[str]) -> dict[str, str]:
    """Present columns worth reading: the file's name to ours; ``tag:<key>`` for tag columns.

    Where two columns of a file have one meaning, the first is read.
    """
    chosen: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        ours = canonical_name(name)
        if ours not in WANTED:
            tag = _TAG_COLUMN.fullmatch(name)
            if tag is None:
                continue
            ours = f"tag:{tag['key']}"
        if ours not in taken:
            taken.add(ours)
            chosen[name] = ours
    return chosen


def read_map(value: object) -> list[tuple[str, str]]:
    """Pairs of a map column: Arrow gives pairs or structs, CSV gives JSON text."""
    if value is None or value == "":
        return []
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return []
    if isinstance(value, Mapping):
        return [(str(k), str(v)) for k, v in value.items() if v is not None]
    if isinstance(value, list):
        return [pair for item in value if (pair := _pair(item)) is not None]
    return []


def _pair(item: object) -> tuple[str, str] | None:
    if isinstance(item, Mapping):
        key, value = item.get("key"), item.get("value")
    elif isinstance(item, tuple | list) and len(item) == 2:
        key, value = item
    else:
        return None
    return None if key is None or value is None else (str(key), str(value))


def clean_tags(pairs: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Tags with AWS's prefixes stripped and keys in lower case, sorted, at most fifty.

    A resource's own tag wins over one of the calling principal; AWS's own tags keep ``aws:``.
    """
    found: dict[str, tuple[int, str]] = {}
    for raw, value in pairs:
        if not value:
            continue
        prefix = _TAG_PREFIX.match(raw)
        bare = (raw[prefix.end() :] if prefix else raw).lower()
        rank = 1 if prefix and prefix["principal"] else 0
        key = f"aws:{bare}" if prefix and prefix["aws"] else bare
        if bare and (key not in found or rank < found[key][0]):
            found[key] = (rank, value[:256])
    return tuple((key, found[key][1]) for key in sorted(found)[:MAX_TAGS])
