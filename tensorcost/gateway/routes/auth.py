"""Signing in and out (A2). Field names are the documented ones, in camel case."""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from tensorcost.gateway.envelope import Bytes, Envelope, ok
from tensorcost.gateway.scoped import Caller, api
from tensorcost.services.authorise import Public, serves
from tensorcost.services.identity.sessions import SignedIn
from tensorcost.services.identity.sign_in import SignInService

Text = Annotated[str, StringConstraints(min_length=1, max_length=320)]
Password = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Opaque = Annotated[str, StringConstraints(min_length=1, max_length=512)]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class Login(_In):
    email: Text = Field(examples=["user@example.com"])
    password: Password
    tenant_id: Text = Field(description="The tenant's id, or its slug.")


class Refresh(_In):
    refreshToken: Opaque  # noqa: N815


class AcceptInvitation(_In):
    invitation: Opaque
    password: Password = Field(description="A new one, or that of the account you have.")
    display_name: Annotated[str, StringConstraints(max_length=200)] | None = None


class ChangePassword(_In):
    currentPassword: Password  # noqa: N815
    newPassword: Password  # noqa: N815


class UserOut(BaseModel):
    id: str
    email: str
    role: str
    displayName: str  # noqa: N815
    mustChangePassword: bool  # noqa: N815


class TokensOut(BaseModel):
    accessToken: str  # noqa: N815
    refreshToken: str  # noqa: N815
    expiresIn: int = Field(description="Seconds.")  # noqa: N815
    tenantId: str  # noqa: N815
    user: UserOut


class Done(BaseModel):
    done: bool


def router(sign_in: SignInService) -> APIRouter:
    """``/v1/auth``."""
    routes = api("/v1/auth", "auth")

    @routes.post("/login", response_model=Envelope[TokensOut])
    @serves(Public("signing in is how a caller becomes known"))
    async def login(body: Login) -> Bytes:
        """Sign in with an e-mail address and a password."""
        return ok(_tokens(await sign_in.login(body.email, body.password, body.tenant_id)))

    @routes.post("/refresh-tokens", response_model=Envelope[TokensOut])
    @serves(Public("the refresh token in the body is the credential"))
    async def refresh_tokens(body: Refresh) -> Bytes:
        """Exchange a refresh token for a new pair. Each token works once."""
        return ok(_tokens(await sign_in.refresh(body.refreshToken)))

    @routes.post("/logout", response_model=Envelope[Done])
    @serves(Public("the refresh token in the body is the credential"))
    async def logout(body: Refresh) -> Bytes:
        """End the sign-in that a refresh token belongs to."""
        await sign_in.logout(body.refreshToken)
        return ok({"done": True})

    @routes.post("/accept-invitation", response_model=Envelope[TokensOut])
    @serves(Public("the invitation in the body is the credential"))
    async def accept_invitation(body: AcceptInvitation) -> Bytes:
        """Accept an invitation and sign in."""
        signed_in = await sign_in.accept_invitation(
            body.invitation, body.password, body.display_name
        )
        return ok(_tokens(signed_in))

    @routes.post("/change-password", response_model=Envelope[Done])
    @serves(SignInService.change_password)
    async def change_password(caller: Caller, body: ChangePassword) -> Bytes:
        """Change your password; every other sign-in in this tenant ends."""
        await sign_in.change_password(caller, body.currentPassword, body.newPassword)
        return ok({"done": True})

    return routes


def _tokens(signed_in: SignedIn) -> dict[str, Any]:
    member = signed_in.member
    return {
        "accessToken": signed_in.access_token,
        "refreshToken": signed_in.refresh_token,
        "expiresIn": signed_in.expires_in,
        "tenantId": signed_in.tenant_id,
        "user": {
            "id": member.user_id,
            "email": member.email,
            "role": member.role,
            "displayName": member.display_name,
            "mustChangePassword": member.password_temporary,
        },
    }
