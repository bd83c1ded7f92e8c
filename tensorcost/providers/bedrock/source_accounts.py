"""Members of the customer's organisation."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from tensorcost.providers.aws.session import AccountSession

HOME_REGION: Final = "us-east-1"
"""Organizations answers in one region."""
_PAGE: Final = 20
_ACTIVE: Final = "ACTIVE"


@dataclass(frozen=True, slots=True)
class MemberAccount:
    """One account of the organisation. An invited one often lacks the jump role."""

    account_id: str
    name: str
    state: str
    joined_method: str

    @property
    def is_active(self) -> bool:
        return self.state == _ACTIVE

    @property
    def was_invited(self) -> bool:
        return self.joined_method == "INVITED"


def list_accounts(session: AccountSession) -> Iterator[MemberAccount]:
    """Every account, the management account included, page by page. Raises ProviderError.

    A page may be empty while more follow. ``State`` replaces the retired ``Status``.
    """
    given: dict[str, Any] = {"MaxResults": _PAGE}
    while True:
        page = session.call("organizations", "list_accounts", HOME_REGION, **given)
        for account in page.get("Accounts", []):
            yield MemberAccount(
                account_id=str(account["Id"]),
                name=str(account.get("Name", "")),
                state=str(account.get("State") or account.get("Status") or ""),
                joined_method=str(account.get("JoinedMethod", "")),
            )
        token = page.get("NextToken")
        if not token:
            return
        given["NextToken"] = token


def management_account(session: AccountSession) -> str:
    """The organisation's management account, also as a member sees it. Raises ProviderError."""
    answer = session.call("organizations", "describe_organization", HOME_REGION)
    return str(answer["Organization"].get("MasterAccountId", ""))
