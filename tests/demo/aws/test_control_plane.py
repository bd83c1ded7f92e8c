"""Bedrock, Organizations, Data Exports and legacy reports."""

from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError

from demo.aws.control import SimControl
from demo.aws.state import Account, InferenceProfile, LegacyReport, Organization, ProvisionedModel
from demo.world.story import PAYER, PROD, RESEARCH, SANDBOX
from tests.demo.clients import Clients, failure

CREATED = datetime(2026, 1, 1, tzinfo=UTC)


def test_application_profiles_are_listed_only_when_asked_for(clients: Clients) -> None:
    bedrock = clients.client("bedrock", clients.member(PROD))
    system = bedrock.list_inference_profiles()["inferenceProfileSummaries"]
    own = bedrock.list_inference_profiles(typeEquals="APPLICATION")["inferenceProfileSummaries"]
    assert {p["type"] for p in system} == {"SYSTEM_DEFINED"}
    assert [p["inferenceProfileName"] for p in own] == ["support-bot-prod"]


def test_profiles_are_regional(clients: Clients) -> None:
    bedrock = clients.client("bedrock", clients.member(PROD), "eu-west-1")
    own = bedrock.list_inference_profiles(typeEquals="APPLICATION")["inferenceProfileSummaries"]
    assert [p["inferenceProfileName"] for p in own] == ["contract-review-prod"]


def test_profile_is_found_by_id_and_by_arn_and_tags_come_apart(clients: Clients) -> None:
    bedrock = clients.client("bedrock", clients.member(PROD))
    listed = bedrock.list_inference_profiles(typeEquals="APPLICATION")
    profile = listed["inferenceProfileSummaries"][0]
    arn = profile["inferenceProfileArn"]
    by_id = bedrock.get_inference_profile(inferenceProfileIdentifier=profile["inferenceProfileId"])
    by_arn = bedrock.get_inference_profile(inferenceProfileIdentifier=arn)
    assert by_id["models"] == by_arn["models"]
    assert len(by_id["models"]) == 3
    assert "tags" not in by_id
    tags = bedrock.list_tags_for_resource(resourceARN=arn)["tags"]
    assert {"key": "team", "value": "care"} in tags


def test_unknown_profile_is_not_found(clients: Clients) -> None:
    bedrock = clients.client("bedrock", clients.member(PROD))
    with pytest.raises(bedrock.exceptions.ResourceNotFoundException) as caught:
        bedrock.get_inference_profile(inferenceProfileIdentifier="nothing")
    assert failure(caught.value) == ("ResourceNotFoundException", 404)


def test_profiles_page(clients: Clients, sim: SimControl) -> None:
    state = sim.state()
    state.profiles = [
        InferenceProfile(
            account=PAYER,
            region="us-east-1",
            id=f"profile{n:04d}",
            name=f"p{n}",
            type="APPLICATION",
            model_arns=["arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0"],
            created=CREATED,
        )
        for n in range(45)
    ]
    sim.seed_state(state)
    bedrock = clients.client("bedrock", clients.reader())
    pages = list(
        bedrock.get_paginator("list_inference_profiles").paginate(
            typeEquals="APPLICATION", PaginationConfig={"PageSize": 20}
        )
    )
    assert [len(page["inferenceProfileSummaries"]) for page in pages] == [20, 20, 5]


def test_denied_tags_degrade_only_the_tags(clients: Clients, sim: SimControl) -> None:
    sim.preset("tags_denied", account=PAYER)
    bedrock = clients.client("bedrock", clients.reader())
    bedrock.list_inference_profiles()
    with pytest.raises(bedrock.exceptions.AccessDeniedException) as caught:
        bedrock.list_tags_for_resource(resourceARN="arn:aws:bedrock:us-east-1:1:x/y-longer-name")
    assert failure(caught.value) == ("AccessDeniedException", 403)


def test_logging_configuration_is_empty_when_off(clients: Clients) -> None:
    off = clients.client("bedrock", clients.member(RESEARCH), "us-east-1")
    on = clients.client("bedrock", clients.member(RESEARCH), "us-west-2")
    assert not off.get_model_invocation_logging_configuration().get("loggingConfig")
    config = on.get_model_invocation_logging_configuration()["loggingConfig"]
    assert config["s3Config"]["bucketName"] == "northwind-research-bedrock-logs-usw2"
    assert config["textDataDeliveryEnabled"] is True


def test_provisioned_throughput_is_listed_and_read(clients: Clients, sim: SimControl) -> None:
    state = sim.state()
    model = "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-pro-v1:0"
    state.provisioned = [
        ProvisionedModel(
            account=PAYER,
            region="us-east-1",
            id="abc123def456",
            name="steady",
            foundation_model_arn=model,
            model_units=2,
            commitment="OneMonth",
            created=CREATED,
        )
    ]
    sim.seed_state(state)
    bedrock = clients.client("bedrock", clients.reader())
    listed = bedrock.list_provisioned_model_throughputs()["provisionedModelSummaries"]
    read = bedrock.get_provisioned_model_throughput(
        provisionedModelId=listed[0]["provisionedModelArn"]
    )
    assert (read["foundationModelArn"], read["modelUnits"]) == (model, 2)
    with pytest.raises(bedrock.exceptions.ResourceNotFoundException):
        bedrock.get_provisioned_model_throughput(provisionedModelId="gone")


def test_foundation_models_are_listed(clients: Clients) -> None:
    bedrock = clients.client("bedrock", clients.reader())
    listed = bedrock.list_foundation_models(byProvider="amazon")["modelSummaries"]
    assert {model["providerName"] for model in listed} == {"Amazon"}


def test_accounts_page_with_an_empty_page_between(clients: Clients) -> None:
    paginator = clients.client("organizations", clients.reader()).get_paginator("list_accounts")
    pages = [page["Accounts"] for page in paginator.paginate()]
    assert [] in pages[1:-1]
    accounts = [account for page in pages for account in page]
    assert [account["Id"] for account in accounts] == list(clients.world.accounts)
    states = {account["Id"]: account["State"] for account in accounts}
    assert {a for a, state in states.items() if state == "SUSPENDED"} == {SANDBOX}
    assert {state for a, state in states.items() if a != SANDBOX} == {"ACTIVE"}
    assert "INVITED" in {account["JoinedMethod"] for account in accounts}


def test_large_organization_pages_at_twenty(clients: Clients, sim: SimControl) -> None:
    state = sim.state()
    extra = [Account(id=f"{n:012d}", name=f"a{n}", state="SUSPENDED") for n in range(1, 46)]
    state.accounts += extra
    members = [PAYER, *(account.id for account in extra)]
    state.organization = Organization(id="o-large", management=PAYER, members=members)
    sim.seed_state(state)
    organizations = clients.client("organizations", clients.reader())
    sizes = [
        len(page["Accounts"]) for page in organizations.get_paginator("list_accounts").paginate()
    ]
    assert max(sizes) == 20
    assert sum(sizes) == 46
    with pytest.raises(organizations.exceptions.InvalidInputException):
        organizations.list_accounts(MaxResults=21)


def test_member_may_describe_but_not_list(clients: Clients, sim: SimControl) -> None:
    sim.preset("not_management", value=PROD)
    organizations = clients.client("organizations", clients.reader())
    told = organizations.describe_organization()["Organization"]
    assert told["MasterAccountId"] == PROD
    with pytest.raises(organizations.exceptions.AccessDeniedException) as caught:
        organizations.list_accounts()
    assert failure(caught.value) == ("AccessDeniedException", 400)
    message = caught.value.response["Error"]["Message"]
    assert message == "You don't have permissions to access this resource."


def test_account_outside_any_organization_is_told_so(clients: Clients, sim: SimControl) -> None:
    sim.preset("no_organization")
    organizations = clients.client("organizations", clients.reader())
    with pytest.raises(organizations.exceptions.AWSOrganizationsNotInUseException) as caught:
        organizations.list_accounts()
    assert failure(caught.value) == ("AWSOrganizationsNotInUseException", 400)


def test_export_is_discovered_with_its_destination(clients: Clients) -> None:
    exports = clients.client("bcm-data-exports", clients.reader())
    listed = exports.get_paginator("list_exports").paginate().build_full_result()["Exports"]
    arn = listed[0]["ExportArn"]
    told = exports.get_export(ExportArn=arn)["Export"]
    destination = told["DestinationConfigurations"]["S3Destination"]
    assert destination["S3Bucket"] == clients.world.cur_exports[0].bucket
    assert destination["S3OutputConfigurations"]["Format"] == "PARQUET"
    assert "line_item_unblended_cost" in told["DataQuery"]["QueryStatement"]
    executions = exports.list_executions(ExportArn=arn)["Executions"]
    assert executions[0]["ExecutionStatus"]["StatusCode"] == "DELIVERY_SUCCESS"
    with pytest.raises(exports.exceptions.ResourceNotFoundException):
        exports.get_export(ExportArn=arn.replace("cur2", "cur9"))


def test_exports_live_in_one_region(clients: Clients) -> None:
    exports = clients.client("bcm-data-exports", clients.reader(), "eu-west-1")
    with pytest.raises(ClientError) as caught:
        exports.list_exports()
    assert failure(caught.value)[0] == "InvalidSignatureException"


def test_legacy_reports_page_at_five(clients: Clients, sim: SimControl) -> None:
    state = sim.state()
    state.reports = [
        LegacyReport(account=PAYER, name=f"r{n}", bucket="b", prefix="p", bucket_region="us-east-1")
        for n in range(7)
    ]
    sim.seed_state(state)
    cur = clients.client("cur", clients.reader())
    pages = list(cur.get_paginator("describe_report_definitions").paginate())
    assert [len(page["ReportDefinitions"]) for page in pages] == [5, 2]
