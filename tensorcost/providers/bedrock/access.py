"""From a stored connection to sessions: whom to ask for which account."""

from tensorcost.domain.integration.contracts_connection import Connection
from tensorcost.domain.integration.probe_facts import CallFailure, ErrorKind
from tensorcost.providers.aws.errors import ProviderError
from tensorcost.providers.aws.session import AccountSession, AwsSessions, RoleAccess

NO_ROLE = "NoRoleArn"


def access_of(connection: Connection, members: frozenset[str] = frozenset()) -> RoleAccess:
    """The connection's role and the accounts that may be entered from it.

    An explicit list of the connection's settings narrows ``members``; its own account is
    always on it. Raises ProviderError while no role ARN is known.
    """
    if not connection.role_arn:
        raise ProviderError(
            CallFailure(
                kind=ErrorKind.INVALID,
                service="sts",
                operation="AssumeRole",
                code=NO_ROLE,
                account=connection.account_id,
                region="",
                message="the connection has no role ARN yet",
            )
        )
    listed = frozenset(connection.settings.allowed_accounts)
    return RoleAccess(
        tenant=str(connection.tenant_id),
        role_arn=connection.role_arn,
        external_id=connection.external_id,
        other_external_id=connection.other_external_id,
        allowed_accounts=(members & listed if listed else members) | {connection.account_id},
    )


def session_for(sessions: AwsSessions, connection: Connection, account_id: str) -> AccountSession:
    """The connection's own session, or that of a member's jump role. Raises ProviderError."""
    access = access_of(connection, frozenset({account_id}))
    own = sessions.role(access)
    if account_id in ("", connection.account_id):
        return own
    return own.member(account_id, connection.settings.organization_role_name)
