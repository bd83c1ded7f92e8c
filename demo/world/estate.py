"""What the simulator must know of a world: accounts, roles, buckets, profiles, exports."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from demo.aws import state as sim
from demo.world import curfiles, prices
from demo.world.spec import CurExport, LogBucket, LogGroupPlace, World, WorldSpec
from demo.world.story import (
    ACCOUNT_NAMES,
    ACQUIRED,
    BACKEND,
    EXTERNAL_ID,
    GEO_REGIONS,
    JUMP_ROLE,
    ORGANIZATION,
    READER_ROLE,
    Stream,
    profiles,
)

EXPORTS = {True: "bedrock-cur2", False: "bedrock-cur2-csv"}
BACKEND_USER = "tensorcost-backend"
ACCESS_KEY, SECRET_KEY = "AKIADEMOFAKEBACKEND1", "demo-only-not-a-secret"
_CREATED = datetime(2025, 3, 1, tzinfo=UTC)
READER_PERMISSIONS = [
    "sts:AssumeRole",
    "s3:GetObject",
    "s3:ListBucket",
    "s3:GetBucketLocation",
    "kms:Decrypt",
    "cur:DescribeReportDefinitions",
    "bcm-data-exports:ListExports",
    "bcm-data-exports:GetExport",
    "bcm-data-exports:ListExecutions",
    "cloudwatch:GetMetricData",
    "cloudwatch:ListMetrics",
    "logs:FilterLogEvents",
    "logs:DescribeLogGroups",
    "bedrock:ListInferenceProfiles",
    "bedrock:GetInferenceProfile",
    "bedrock:ListTagsForResource",
    "bedrock:GetModelInvocationLoggingConfiguration",
    "bedrock:ListProvisionedModelThroughputs",
    "bedrock:GetProvisionedModelThroughput",
    "bedrock:ListFoundationModels",
    "organizations:ListAccounts",
    "organizations:DescribeOrganization",
    "iam:GetRole",
]


def estate(spec: WorldSpec, exports: list[CurExport]) -> sim.SimState:
    story = spec.story
    places = story.logs
    buckets = [
        sim.Bucket(name=place.bucket, account=place.account, region=place.region)
        for place in places
        if place.bucket
    ]
    buckets.append(sim.Bucket(name=story.cur_bucket, account=story.payer, region="us-east-1"))
    return sim.SimState(
        now=spec.end,
        accounts=[_backend(), *(_account(spec, account) for account in story.accounts)],
        buckets=buckets,
        log_groups=[
            sim.LogGroup(
                account=place.account,
                region=place.region,
                name=place.log_group,
                retention_days=place.retention_days,
            )
            for place in places
            if place.log_group
        ],
        logging=[
            sim.LoggingConfig(
                account=place.account,
                region=place.region,
                bucket=place.bucket,
                key_prefix=place.key_prefix,
                log_group=place.log_group,
            )
            for place in places
        ],
        profiles=[*_application_profiles(spec), *_system_profiles(spec)],
        models=_models(spec),
        exports=[_export(spec, export) for export in exports],
        organization=_organization(spec),
    )


def _backend() -> sim.Account:
    user = sim.User(
        name=BACKEND_USER,
        access_key=ACCESS_KEY,
        secret_key=SECRET_KEY,
        permissions=["sts:AssumeRole", "sts:GetCallerIdentity"],
    )
    return sim.Account(id=BACKEND, name="tensorcost-backend", users=[user])


def _account(spec: WorldSpec, account: str) -> sim.Account:
    story = spec.story
    roles: list[sim.Role] = []
    if account == story.reader_account:
        trust = _trust(f"arn:aws:iam::{BACKEND}:root", EXTERNAL_ID)
        roles.append(sim.Role(name=READER_ROLE, trust=trust, permissions=READER_PERMISSIONS))
    if account in (*story.members_with_jump_role, *story.suspended):
        trust = _trust(f"arn:aws:iam::{story.payer}:root", None)
        roles.append(sim.Role(name=JUMP_ROLE, trust=trust, permissions=["*"]))
    name = ACCOUNT_NAMES[account]
    return sim.Account(
        id=account,
        name=name,
        email=f"{name}@northwind.example",
        state="SUSPENDED" if account in story.suspended else "ACTIVE",
        joined_method="INVITED" if account in (story.payer, ACQUIRED) else "CREATED",
        joined=_CREATED,
        roles=roles,
    )


def _trust(principal: str, external_id: str | None) -> dict[str, Any]:
    statement: dict[str, Any] = {
        "Effect": "Allow",
        "Principal": {"AWS": principal},
        "Action": "sts:AssumeRole",
    }
    if external_id is not None:
        statement["Condition"] = {"StringEquals": {"sts:ExternalId": external_id}}
    return {"Version": "2012-10-17", "Statement": [statement]}


def _model_arns(stream: Stream) -> list[str]:
    regions = GEO_REGIONS[stream.scope][:3] if stream.scope else (stream.region,)
    return [f"arn:aws:bedrock:{region}::foundation-model/{stream.model}" for region in regions]


def _application_profiles(spec: WorldSpec) -> list[sim.InferenceProfile]:
    return [
        sim.InferenceProfile(
            account=stream.account,
            region=stream.region,
            id=stream.profile_id,
            name=stream.profile_name,
            type="APPLICATION",
            model_arns=_model_arns(stream),
            created=_CREATED,
            tags={
                "application": stream.application,
                "team": stream.team,
                "environment": stream.environment,
            },
        )
        for stream in profiles(spec.story.streams)
    ]


def _system_profiles(spec: WorldSpec) -> list[sim.InferenceProfile]:
    found: dict[tuple[str, str, str], sim.InferenceProfile] = {}
    for stream in spec.story.streams:
        if stream.scope:
            key = (stream.account, stream.region, stream.priced_model)
            found[key] = sim.InferenceProfile(
                account=stream.account,
                region=stream.region,
                id=stream.priced_model,
                name=f"{stream.scope.upper()} {stream.model}",
                type="SYSTEM_DEFINED",
                model_arns=_model_arns(stream),
                created=_CREATED,
            )
    return list(found.values())


def _models(spec: WorldSpec) -> list[sim.FoundationModel]:
    regions = sorted({stream.region for stream in spec.story.streams})
    return [
        sim.FoundationModel(
            id=model,
            name=model.partition(".")[2],
            provider=model.partition(".")[0].title(),
            regions=regions,
            output="EMBEDDING" if "embed" in model else "TEXT",
        )
        for model in sorted({stream.model for stream in spec.story.streams})
    ]


def _export(spec: WorldSpec, export: CurExport) -> sim.Export:
    return sim.Export(
        account=spec.story.payer,
        name=export.name,
        bucket=export.bucket,
        prefix=export.prefix,
        bucket_region="us-east-1",
        parquet=export.parquet,
        columns=list(curfiles.COLUMNS),
        created=_CREATED,
        refreshed=spec.end,
        execution_id=f"demo-execution-{spec.end:%Y%m%d%H}",
    )


def _organization(spec: WorldSpec) -> sim.Organization | None:
    story = spec.story
    if len(story.accounts) == 1:
        return None
    members = list(story.accounts)
    return sim.Organization(id=ORGANIZATION, management=story.payer, members=members)


def facts(spec: WorldSpec, out: Path, exports: list[CurExport], restated_period: str) -> World:
    story = spec.story
    return World(
        folder=str(out.resolve()),
        variant=spec.variant,
        start=spec.start,
        end=spec.end,
        requests=spec.requests,
        region="us-east-1",
        backend_account=BACKEND,
        backend_arn=f"arn:aws:iam::{BACKEND}:user/{BACKEND_USER}",
        backend_access_key=ACCESS_KEY,
        backend_secret_key=SECRET_KEY,
        reader_account=story.reader_account,
        reader_role_arn=f"arn:aws:iam::{story.reader_account}:role/{READER_ROLE}",
        external_id=EXTERNAL_ID,
        jump_role_name=JUMP_ROLE,
        accounts={account: ACCOUNT_NAMES[account] for account in story.accounts},
        members_with_jump_role=list(story.members_with_jump_role),
        suspended=list(story.suspended),
        log_buckets=[
            LogBucket(
                account=place.account,
                region=place.region,
                bucket=place.bucket,
                key_prefix=place.key_prefix,
            )
            for place in story.logs
            if place.bucket
        ],
        log_groups=[
            LogGroupPlace(
                account=place.account,
                region=place.region,
                name=place.log_group,
                arn=f"arn:aws:logs:{place.region}:{place.account}:log-group:{place.log_group}",
            )
            for place in story.logs
            if place.log_group
        ],
        cur_exports=exports,
        restated_period=restated_period,
        price_file=str((out / "prices.json").resolve()),
        prices_effective=prices.EFFECTIVE,
    )
