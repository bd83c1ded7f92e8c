"""Bedrock's control plane: profiles, tags, logging configuration, throughput, models."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from demo.aws.access import Caller
from demo.aws.context import Context, Operations, T, page_of, rest_answer
from demo.aws.errors import AwsError
from demo.aws.http import HttpResponse
from demo.aws.state import InferenceProfile, ProvisionedModel
from demo.aws.wire import Call


def _iso(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def _profile(profile: InferenceProfile) -> dict[str, Any]:
    return {
        "inferenceProfileName": profile.name,
        "inferenceProfileArn": profile.arn,
        "inferenceProfileId": profile.id,
        "type": profile.type,
        "status": "ACTIVE",
        "models": [{"modelArn": arn} for arn in profile.model_arns],
        "description": profile.description,
        "createdAt": _iso(profile.created),
        "updatedAt": _iso(profile.created),
    }


def _profiles(ctx: Context, call: Call, caller: Caller) -> list[InferenceProfile]:
    here = (caller.account, call.region)
    return [p for p in ctx.state.profiles if (p.account, p.region) == here]


def _list_profiles(ctx: Context, call: Call, caller: Caller) -> HttpResponse:
    ctx.require(call, caller, "bedrock:ListInferenceProfiles")
    kind = call.text("type") or "SYSTEM_DEFINED"
    if kind not in ("SYSTEM_DEFINED", "APPLICATION"):
        raise AwsError("ValidationException", f"{kind} is not a type of inference profile")
    listed = [p for p in _profiles(ctx, call, caller) if p.type == kind]
    page, token = _page(ctx, call, listed)
    body: dict[str, Any] = {"inferenceProfileSummaries": [_profile(p) for p in page]}
    return rest_answer(body | ({"nextToken": token} if token else {}))


def _get_profile(ctx: Context, call: Call, caller: Caller) -> HttpResponse:
    ctx.note.resource = call.target
    ctx.require(call, caller, "bedrock:GetInferenceProfile", call.target)
    for profile in _profiles(ctx, call, caller):
        if call.target in (profile.id, profile.arn):
            return rest_answer(_profile(profile))
    raise AwsError("ResourceNotFoundException", "The inference profile does not exist.", 404)


def _list_tags(ctx: Context, call: Call, caller: Caller) -> HttpResponse:
    arn = call.text("resourceARN") or ""
    ctx.note.resource = arn
    ctx.require(call, caller, "bedrock:ListTagsForResource", arn)
    for profile in _profiles(ctx, call, caller):
        if profile.arn == arn:
            tags = [{"key": k, "value": v} for k, v in profile.tags.items()]
            return rest_answer({"tags": tags})
    if any(model.arn == arn for model in ctx.state.provisioned):
        return rest_answer({"tags": []})
    raise AwsError("ResourceNotFoundException", f"The resource {arn} does not exist.", 404)


def _get_logging(ctx: Context, call: Call, caller: Caller) -> HttpResponse:
    ctx.require(call, caller, "bedrock:GetModelInvocationLoggingConfiguration")
    here = (caller.account, call.region)
    config = next((c for c in ctx.state.logging if (c.account, c.region) == here), None)
    if config is None:
        return rest_answer({})
    body: dict[str, Any] = {
        "textDataDeliveryEnabled": True,
        "imageDataDeliveryEnabled": True,
        "embeddingDataDeliveryEnabled": False,
        "videoDataDeliveryEnabled": False,
        "audioDataDeliveryEnabled": False,
    }
    if config.bucket:
        prefix = {"keyPrefix": config.key_prefix} if config.key_prefix else {}
        body["s3Config"] = {"bucketName": config.bucket} | prefix
    if config.log_group:
        role = f"arn:aws:iam::{config.account}:role/BedrockLogDelivery"
        body["cloudWatchConfig"] = {"logGroupName": config.log_group, "roleArn": role}
    return rest_answer({"loggingConfig": body})


def _throughput(model: ProvisionedModel) -> dict[str, Any]:
    body: dict[str, Any] = {
        "provisionedModelName": model.name,
        "provisionedModelArn": model.arn,
        "modelArn": model.foundation_model_arn,
        "desiredModelArn": model.foundation_model_arn,
        "foundationModelArn": model.foundation_model_arn,
        "modelUnits": model.model_units,
        "desiredModelUnits": model.model_units,
        "status": model.status,
        "creationTime": _iso(model.created),
        "lastModifiedTime": _iso(model.created),
    }
    return body | ({"commitmentDuration": model.commitment} if model.commitment else {})


def _list_throughputs(ctx: Context, call: Call, caller: Caller) -> HttpResponse:
    ctx.require(call, caller, "bedrock:ListProvisionedModelThroughputs")
    here = (caller.account, call.region)
    wanted = call.text("statusEquals")
    listed = [
        m
        for m in ctx.state.provisioned
        if (m.account, m.region) == here and wanted in (None, m.status)
    ]
    page, token = _page(ctx, call, listed)
    body: dict[str, Any] = {"provisionedModelSummaries": [_throughput(m) for m in page]}
    return rest_answer(body | ({"nextToken": token} if token else {}))


def _get_throughput(ctx: Context, call: Call, caller: Caller) -> HttpResponse:
    ctx.note.resource = call.target
    ctx.require(call, caller, "bedrock:GetProvisionedModelThroughput", call.target)
    here = (caller.account, call.region)
    for model in ctx.state.provisioned:
        if (model.account, model.region) == here and call.target in (
            model.id,
            model.arn,
            model.name,
        ):
            return rest_answer(_throughput(model))
    raise AwsError("ResourceNotFoundException", "The provisioned model does not exist.", 404)


def _list_models(ctx: Context, call: Call, caller: Caller) -> HttpResponse:
    ctx.require(call, caller, "bedrock:ListFoundationModels")
    provider = (call.text("byProvider") or "").lower()
    summaries = [
        {
            "modelArn": f"arn:aws:bedrock:{call.region}::foundation-model/{model.id}",
            "modelId": model.id,
            "modelName": model.name,
            "providerName": model.provider,
            "inputModalities": ["TEXT"],
            "outputModalities": [model.output],
            "responseStreamingSupported": model.output == "TEXT",
            "customizationsSupported": [],
            "inferenceTypesSupported": ["ON_DEMAND"],
            "modelLifecycle": {"status": "ACTIVE"},
        }
        for model in ctx.state.models
        if call.region in model.regions and provider in ("", model.provider.lower())
    ]
    return rest_answer({"modelSummaries": summaries})


def _page(ctx: Context, call: Call, items: list[T]) -> tuple[list[T], str | None]:
    size = call.number("maxResults", 1000)
    if not 1 <= size <= 1000:
        raise AwsError("ValidationException", "maxResults must be between 1 and 1000")
    return page_of(items, call.text("nextToken"), ctx.tweaks.page_size or size)


OPERATIONS: Operations = {
    "ListInferenceProfiles": _list_profiles,
    "GetInferenceProfile": _get_profile,
    "ListTagsForResource": _list_tags,
    "GetModelInvocationLoggingConfiguration": _get_logging,
    "ListProvisionedModelThroughputs": _list_throughputs,
    "GetProvisionedModelThroughput": _get_throughput,
    "ListFoundationModels": _list_models,
}
