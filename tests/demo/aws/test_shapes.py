"""Every JSON answer holds only members that botocore's model of the operation knows."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.model import ListShape, MapShape, Shape, StructureShape

from demo.aws.control import SimControl
from demo.aws.state import LegacyReport, ProvisionedModel
from demo.world.story import PAYER, PROD
from tests.demo.aws.test_control_plane import CREATED
from tests.demo.clients import Clients


def unknown_members(value: Any, shape: Shape | None, path: str = "") -> Iterator[str]:
    if isinstance(shape, StructureShape):
        names = {m.serialization.get("name", n): m for n, m in shape.members.items()}
        for name, inner in value.items():
            if name not in names:
                yield f"{path}.{name}"
            else:
                yield from unknown_members(inner, names[name], f"{path}.{name}")
    elif isinstance(shape, ListShape):
        for inner in value:
            yield from unknown_members(inner, shape.member, f"{path}[]")
    elif isinstance(shape, MapShape):
        for inner in value.values():
            yield from unknown_members(inner, shape.value, f"{path}{{}}")


CALLS: dict[str, Callable[[Any], Any]] = {
    "bedrock.ListInferenceProfiles": lambda c: c.list_inference_profiles(),
    "bedrock.GetInferenceProfile": lambda c: c.get_inference_profile(
        inferenceProfileIdentifier=c.list_inference_profiles(typeEquals="APPLICATION")[
            "inferenceProfileSummaries"
        ][0]["inferenceProfileArn"]
    ),
    "bedrock.ListTagsForResource": lambda c: c.list_tags_for_resource(
        resourceARN=c.list_inference_profiles(typeEquals="APPLICATION")[
            "inferenceProfileSummaries"
        ][0]["inferenceProfileArn"]
    ),
    "bedrock.GetModelInvocationLoggingConfiguration": lambda c: (
        c.get_model_invocation_logging_configuration()
    ),
    "bedrock.ListProvisionedModelThroughputs": lambda c: c.list_provisioned_model_throughputs(),
    "bedrock.GetProvisionedModelThroughput": lambda c: c.get_provisioned_model_throughput(
        provisionedModelId="steady"
    ),
    "bedrock.ListFoundationModels": lambda c: c.list_foundation_models(),
    "cloudwatch.ListMetrics": lambda c: c.list_metrics(),
    "cloudwatch.GetMetricData": lambda c: c.get_metric_data(
        MetricDataQueries=[
            {
                "Id": "q",
                "MetricStat": {
                    "Metric": {"Namespace": "AWS/Bedrock", "MetricName": "Invocations"},
                    "Period": 60,
                    "Stat": "Sum",
                },
            }
        ],
        StartTime=0,
        EndTime=60,
    ),
    "logs.DescribeLogGroups": lambda c: c.describe_log_groups(),
    "logs.FilterLogEvents": lambda c: c.filter_log_events(
        logGroupName="/aws/bedrock/modelinvocations", limit=1
    ),
    "organizations.DescribeOrganization": lambda c: c.describe_organization(),
    "organizations.ListAccounts": lambda c: c.list_accounts(),
    "bcm-data-exports.ListExports": lambda c: c.list_exports(),
    "bcm-data-exports.GetExport": lambda c: c.get_export(
        ExportArn=c.list_exports()["Exports"][0]["ExportArn"]
    ),
    "bcm-data-exports.ListExecutions": lambda c: c.list_executions(
        ExportArn=c.list_exports()["Exports"][0]["ExportArn"]
    ),
    "cur.DescribeReportDefinitions": lambda c: c.describe_report_definitions(),
}


@pytest.mark.parametrize("name", CALLS)
def test_answer_fits_the_service_model(clients: Clients, sim: SimControl, name: str) -> None:
    state = sim.state()
    model = "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-pro-v1:0"
    state.provisioned = [
        ProvisionedModel(
            account=PROD,
            region="us-east-1",
            id="abc123def456",
            name="steady",
            foundation_model_arn=model,
            created=CREATED,
        )
    ]
    state.reports = [
        LegacyReport(account=PAYER, name="r", bucket="b", prefix="p", bucket_region="us-east-1")
    ]
    sim.seed_state(state)
    service, _, operation = name.partition(".")
    keys = clients.member(PROD) if service == "bedrock" else clients.reader()
    client = clients.client(service, keys)
    bodies: list[bytes] = []

    def remember(response_dict: dict[str, Any], **_: Any) -> None:
        bodies.append(response_dict["body"])

    client.meta.events.register(f"response-received.{service}.{operation}", remember)
    CALLS[name](client)
    shape = client.meta.service_model.operation_model(operation).output_shape
    assert list(unknown_members(json.loads(bodies[-1]), shape)) == []


def test_cloudwatch_is_spoken_to_in_json(clients: Clients) -> None:
    """A newer botocore may choose CBOR: then the simulator must learn it."""
    cloudwatch = clients.client("cloudwatch", clients.reader())
    types: list[str] = []

    def remember(params: dict[str, Any], **_: Any) -> None:
        types.append(params["headers"]["Content-Type"])

    cloudwatch.meta.events.register("before-call.cloudwatch.ListMetrics", remember)
    cloudwatch.list_metrics()
    assert types == ["application/x-amz-json-1.0"]
