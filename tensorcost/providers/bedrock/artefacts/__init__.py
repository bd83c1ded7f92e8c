"""What a customer deploys to let us read Bedrock, ready for one connection.

``BedrockArtefacts`` is what ``services.integration.Artefacts`` asks for.
"""

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from tensorcost.domain.integration import cloudformation, onboarding
from tensorcost.domain.integration.cloudformation import Publication
from tensorcost.domain.integration.contracts_connection import Connection
from tensorcost.domain.integration.external_id import RANDOM_BYTES, new_external_id
from tensorcost.domain.integration.onboarding import VARIANTS, Variant
from tensorcost.providers.aws.read_only import READ_ONLY_POLICY

TEMPLATE_NAME: Final = "bedrock-stack.yml"
PUBLIC_TEMPLATE_URL: Final = "https://downloads.tensorcost.com/cfn/bedrock-stack.yml"


@dataclass(frozen=True, slots=True)
class ArtefactSettings:
    """``backend_account_id`` is the account that customers' roles trust.

    ``template_url`` must be the HTTPS address of an S3 object in a real deployment:
    CloudFormation fetches templates from nowhere else.
    """

    backend_account_id: str
    template_url: str = PUBLIC_TEMPLATE_URL


class BedrockArtefacts:
    """Texts only, no calls. ``random_bytes`` gives that many unguessable bytes."""

    def __init__(
        self,
        settings: ArtefactSettings,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._published = Publication(settings.template_url, settings.backend_account_id)
        self._random_bytes = random_bytes

    @property
    def backend_account_id(self) -> str:
        return self._published.backend_account_id

    @property
    def variants(self) -> tuple[Variant, ...]:
        return VARIANTS

    def new_external_id(self) -> str:
        return new_external_id(self._random_bytes(RANDOM_BYTES))

    def role_arn(self, connection: Connection) -> str:
        """The ARN that the stack will give its role. ValidationFailed for a bad ExternalId."""
        settings = connection.settings
        return onboarding.role_arn(
            connection.account_id,
            connection.external_id,
            path=settings.role_path_prefix,
            region=settings.home_region,
        )

    def launch_url(self, connection: Connection) -> str:
        return cloudformation.launch_url(connection, self._published)

    def cli_command(self, connection: Connection) -> str:
        return cloudformation.create_stack_command(connection, self._published)

    def update_command(self, connection: Connection) -> str:
        """The command that makes the stack trust the connection's ExternalIds of today."""
        return cloudformation.update_stack_command(connection, self._published)

    def trust_policy(self, connection: Connection) -> str:
        return cloudformation.trust_policy(connection, self.backend_account_id)

    def list_accounts_script(self, connection: Connection) -> str:
        settings = connection.settings
        return onboarding.list_accounts_script(
            settings.organization_role_name, READ_ONLY_POLICY, region=settings.home_region
        )

    def template(self) -> str:
        return _template()

    def bucket_policy(self, connection: Connection) -> str:
        """Statement for the owner of the report's bucket (variant D), as JSON.

        It lets this connection's role in, not our account: the role asks for the ExternalId,
        so that naming somebody's bucket in another connection opens nothing.
        """
        settings = connection.settings
        partition = onboarding.partition_of(settings.home_region)
        bucket = f"arn:{partition}:s3:::{settings.cur_bucket}"
        statement = {
            "Sid": "TensorCostCURRead",
            "Effect": "Allow",
            "Principal": {"AWS": connection.role_arn or self.role_arn(connection)},
            "Action": ["s3:GetObject", "s3:ListBucket"],
            "Resource": [bucket, f"{bucket}/{settings.cur_prefix}*"],
        }
        return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, indent=2) + "\n"


@cache
def _template() -> str:
    return files(__package__).joinpath(TEMPLATE_NAME).read_text(encoding="utf-8")
