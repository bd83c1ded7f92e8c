"""What a bill line is, apart from its number, times and amounts: worked out once a kind."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final, NamedTuple

from tensorcost.domain.spend.bill import BillLine
from tensorcost.domain.spend.facts import RoutingScope, ServiceTier
from tensorcost.domain.spend.limits import AWS_ACCOUNT
from tensorcost.providers.bedrock.cur_amounts import PLAIN, SPREADS, Spread, category_of
from tensorcost.providers.bedrock.cur_columns import clean_tags
from tensorcost.providers.bedrock.cur_usage import BEDROCK, UsageClass, classify_usage
from tensorcost.providers.bedrock.model_id import ResolvedModel, resolve_model
from tensorcost.providers.bedrock.profiles import ProfileDirectory

KEY_COLUMNS: Final = (
    "line_item_line_item_type",
    "line_item_usage_account_id",
    "line_item_product_code",
    "line_item_usage_type",
    "line_item_currency_code",
    "bill_payer_account_id",
    "bill_billing_entity",
    "bill_invoice_id",
    "pricing_unit",
)
"""What a line is and whose: the texts of a ``Kind``, in this order."""
DETAIL_COLUMNS: Final = (
    "line_item_operation",
    "line_item_resource_id",
    "line_item_iam_principal",
    "product_region_code",
    "product_region",
    "savings_plan_savings_plan_a_r_n",
)
"""What lines in scope keep besides, in the order of ``Details``."""
TAG_COLUMNS: Final = ("resource_tags", "tags")
"""Maps of tags; a column of one tag is named ``tag:<key>``."""
NO_TIME: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_CACHED: Final = 50_000
_TEXT_LIMIT: Final = 2048
_AWS_CODES: Final = ("Amazon", "AWS", "aws")


@dataclass(frozen=True, slots=True)
class Kind:
    """Rows with the same key columns, product name and billing period."""

    texts: tuple[str, ...]
    usage: UsageClass
    spread: Spread
    has_account: bool
    billing_period: date | None
    """First day of the month that bills them, where they name one."""


class Details(NamedTuple):
    operation: str
    resource_id: str
    iam_principal: str
    region_code: str
    region: str
    savings_plan_arn: str


class Patterns:
    """Kinds and patterns of one file. What was worked out once is remembered."""

    def __init__(self, directory: ProfileDirectory) -> None:
        self._directory = directory
        self._kinds: dict[tuple[Any, ...], Kind] = {}
        self._models: dict[str, ResolvedModel] = {}
        self._patterns: dict[tuple[Any, ...], BillLine] = {}

    def kind(self, texts: tuple[str, ...], product_name: str, period: date | None) -> Kind:
        """What the key columns say; the product's name counts only where it may name a model."""
        key = (*texts, product_name, period)
        known = self._kinds.get(key)
        if known is None:
            item, account, product, usage_type, *_, unit = texts
            name = product_name if may_name_model(product) else ""
            usage = classify_usage(product, usage_type, name, unit)
            is_account = AWS_ACCOUNT.fullmatch(account) is not None
            known = Kind(texts, usage, SPREADS.get(item, PLAIN), is_account, period)
            _remember(self._kinds, key, known)
        return known

    def pattern(
        self, kind: Kind, details: Details, tags: tuple[tuple[tuple[str, str], ...], ...]
    ) -> BillLine:
        """The line in scope that these rows are, without what tells them apart. ``tags`` has the
        pairs of each tag column."""
        key = (kind.texts, kind.usage, kind.billing_period, details, tags)
        known = self._patterns.get(key)
        if known is None:
            pairs = [pair for one in tags for pair in one]
            known = self._made(kind, details, clean_tags(pairs))
            _remember(self._patterns, key, known)
        return known

    def _made(self, kind: Kind, details: Details, tags: tuple[tuple[str, str], ...]) -> BillLine:
        item, account, product, usage_type, currency, payer, entity, invoice, _ = kind.texts
        usage, resource = kind.usage, details.resource_id[:_TEXT_LIMIT]
        model = self._model(resource) if usage.provider == BEDROCK else None
        return BillLine(
            line_no=0,
            usage_start=NO_TIME,
            usage_end=NO_TIME,
            payer_account_id=payer,
            usage_account_id=account,
            region=details.region_code or details.region or usage.region,
            line_item_type=item,
            charge_category=category_of(item),
            in_scope=True,
            provider=usage.provider,
            product_code=product,
            usage_type=usage_type,
            operation=details.operation,
            resource_id=resource,
            model_id=model.model_id if model else usage.model_id,
            token_kind=usage.token_kind,
            routing_scope=_routing(usage, model),
            service_tier=_tier(usage, model),
            quantity_micro=0,
            unit=usage.unit,
            unblended_nano=0,
            amortized_nano=0,
            net_nano=None,
            currency=currency,
            iam_principal=details.iam_principal[:_TEXT_LIMIT],
            invoice_id=invoice,
            billing_entity=entity,
            billing_period=kind.billing_period,
            savings_plan_arn=details.savings_plan_arn[:_TEXT_LIMIT],
            tags=tags,
        )

    def _model(self, resource: str) -> ResolvedModel | None:
        """The model that a Bedrock resource stands for, where it can be told."""
        if not resource.startswith("arn:") or ":bedrock:" not in resource:
            return None
        known = self._models.get(resource)
        if known is None:
            known = resolve_model(resource, self._directory)
            _remember(self._models, resource, known)
        return known if known.is_resolved else None


def may_name_model(product_code: str) -> bool:
    """Whether the product's name matters: AWS's own products name models by usage type."""
    return product_code.startswith("AmazonBedrock") or not product_code.startswith(_AWS_CODES)


def _routing(usage: UsageClass, model: ResolvedModel | None) -> RoutingScope:
    """The usage type says global; only the profile says geographic."""
    if usage.routing_scope is not RoutingScope.IN_REGION or model is None:
        return usage.routing_scope
    return RoutingScope.GEO if model.routing_scope is RoutingScope.GEO else usage.routing_scope


def _tier(usage: UsageClass, model: ResolvedModel | None) -> ServiceTier:
    if model is not None and model.service_tier is not ServiceTier.STANDARD:
        return model.service_tier
    return usage.service_tier


def _remember(known: dict[Any, Any], key: object, value: object) -> None:
    if len(known) < _MAX_CACHED:
        known[key] = value
