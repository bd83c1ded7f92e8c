"""The parsers over a whole emulated estate, through real clients, against its answer key."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from demo.aws.control import SimControl
from demo.world.build import build_world
from demo.world.spec import CurFormat, LogBucket, Variant, World, WorldSpec
from tensorcost.domain.spend.limits import TimeBounds
from tensorcost.domain.spend.parsed import ParsedSpend
from tensorcost.providers.aws.session import AccountSession, AwsSessions, RoleAccess
from tensorcost.providers.aws.settings import AwsSettings
from tensorcost.providers.bedrock.invocation_log import LogParse, parse_object
from tensorcost.providers.bedrock.metrics import MetricParse, parse_metrics
from tensorcost.providers.bedrock.profiles import ProfileDirectory
from tensorcost.providers.bedrock.source_control import (
    directory_of,
    list_callable_models,
    list_profiles,
)
from tensorcost.providers.bedrock.source_cur import (
    discover_exports,
    list_manifests,
    open_delivery,
    read_delivery,
)
from tensorcost.providers.bedrock.source_metrics import list_models, read_metrics
from tensorcost.providers.bedrock.source_objects import (
    LogBucket as Place,
)
from tensorcost.providers.bedrock.source_objects import list_log_objects, open_object
from tests.support.bills import lines_of

UNTIL = date(2026, 11, 20)
DAYS = 5
BOUNDS = TimeBounds.at(datetime(2026, 11, 21, tzinfo=UTC))
TOKENS = ("input", "cached", "cache_write_5m", "cache_write_1h", "output")


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> World:
    spec = WorldSpec.until(
        UNTIL, days=DAYS, requests=1500, variant=Variant.SINGLE, cur=CurFormat.BOTH
    )
    return build_world(tmp_path_factory.mktemp("estate"), spec)


@pytest.fixture(scope="module")
def truth(estate: World) -> dict[str, Any]:
    return dict(json.loads(estate.truth_file.read_text()))


@pytest.fixture
def session(simulator: SimControl, estate: World) -> AccountSession:
    simulator.seed_folder(Path(estate.folder))
    settings = AwsSettings(
        endpoint_url=simulator.endpoint_url,
        allow_plaintext=True,
        access_key_id=estate.backend_access_key,
        secret_access_key=estate.backend_secret_key,
    )
    access = RoleAccess(
        tenant="t",
        role_arn=estate.reader_role_arn,
        external_id=estate.external_id,
        allowed_accounts=frozenset({estate.reader_account}),
    )
    return AwsSessions(settings, lambda: datetime.now(UTC)).role(access)


def directory(session: AccountSession, estate: World) -> ProfileDirectory:
    regions = {place.region for place in estate.log_buckets}
    return directory_of(
        profile for region in regions for profile in list_profiles(session, region).profiles
    )


def logged(session: AccountSession, estate: World) -> Iterator[ParsedSpend]:
    known = directory(session, estate)
    for place in estate.log_buckets:
        for day in range(-1, DAYS + 2):
            yield from _logged_on(session, place, UNTIL - timedelta(days=DAYS - day), known)


def _logged_on(
    session: AccountSession, place: LogBucket, day: date, known: ProfileDirectory
) -> Iterator[ParsedSpend]:
    where = Place(place.bucket, place.key_prefix or "", place.region)
    for one in list_log_objects(session, where, place.region, day):
        parse = LogParse(one.key, b"k" * 32, BOUNDS, directory=known)
        with open_object(session, one.bucket, one.key, where.region, etag=one.etag) as chunks:
            yield from parse_object(chunks, parse)


def test_the_logs_add_up_to_the_answer_key(
    session: AccountSession, estate: World, truth: dict[str, Any]
) -> None:
    sums: Counter[str] = Counter()
    models: Counter[str] = Counter()
    teams: Counter[str] = Counter()
    seen: set[str] = set()
    for batch in logged(session, estate):
        assert batch.rejects == []
        for row, native_id in enumerate(batch.native_id):
            if native_id in seen:
                continue
            seen.add(native_id)
            dimension = batch.dimensions[batch.dim[row]]
            models[dimension.model_id] += 1
            teams[dimension.team] += 1
            sums["errors"] += batch.error_code[row] is not None
            for kind in TOKENS:
                sums[f"{kind}_tokens"] += getattr(batch, f"{kind}_tokens")[row]
    total = truth["logged"]["total"]
    assert len(seen) == total["requests"]
    assert dict(sums) == {name: total[name] for name in sums}
    by_model = truth["logged"]["by_foundation_model"]
    assert dict(models) == {name: found["requests"] for name, found in by_model.items()}
    by_team = truth["logged"]["by_team"]
    assert dict(teams) == {name: found["requests"] for name, found in by_team.items()}


def test_both_exports_of_the_bill_add_up_to_the_answer_key(
    session: AccountSession, truth: dict[str, Any]
) -> None:
    exports = discover_exports(session)
    assert len(exports) == 2
    for export in exports:
        totals: Counter[str] = Counter()
        for ref in list_manifests(session, export, date(2026, 11, 1), UNTIL):
            for bill in read_delivery(session, open_delivery(session, ref), BOUNDS):
                assert bill.rejects == []
                for line in lines_of([bill]):
                    totals["all"] += line.unblended_nano
                    totals[line.line_item_type] += line.unblended_nano
        bill_truth = truth["bill"]["2026-11"]
        wanted = {"all": bill_truth["unblended_usd"]} | bill_truth["by_type"]
        assert {kind: Decimal(nano) / 10**9 for kind, nano in totals.items()} == {
            kind: Decimal(usd) for kind, usd in wanted.items()
        }


def test_the_metrics_count_the_same_calls(
    session: AccountSession, estate: World, truth: dict[str, Any]
) -> None:
    counted: Counter[str] = Counter()
    for region in {place.region for place in estate.log_buckets}:
        models = list_models(session, region) | list_callable_models(session, region)
        series = read_metrics(session, region, models, estate.start, estate.end)
        batch = parse_metrics(series, MetricParse(estate.reader_account, region, BOUNDS))
        assert batch.rejects == []
        counted["output_tokens"] += sum(batch.output_tokens)
        counted["cached_tokens"] += sum(batch.cached_tokens)
    total = truth["all"]["total"]
    assert dict(counted) == {name: total[name] for name in counted}
