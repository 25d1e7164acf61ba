"""One's own API tokens."""

from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from tuning.api.endpoint import Endpoint, shown
from tuning.api.serializers.tokens import NewToken, TokenCreation, TokenList, TokenRow
from tuning.selectors.tokens import tokens_of
from tuning.services.tokens import create_token, revoke_token

TAGS = ["tokens"]


class Tokens(Endpoint):
    """One's own tokens."""

    @extend_schema(
        operation_id="tokens_list",
        summary="List your tokens",
        description="Your tokens without their secrets, the newest first.",
        tags=TAGS,
        responses=TokenList,
    )
    def get(self, request: Request) -> Response:
        self.query()
        return Response(shown(TokenList, {"results": tokens_of(self.person)}))

    @extend_schema(
        operation_id="tokens_create",
        summary="Make a token",
        description="The answer holds the secret, which cannot be read again.",
        tags=TAGS,
        request=TokenCreation,
        responses={201: NewToken},
    )
    def post(self, request: Request) -> Response:
        token, secret = create_token(user=self.person, **self.body(TokenCreation))
        answer = {**shown(TokenRow, token), "secret": secret}
        return Response(answer, status=status.HTTP_201_CREATED, headers={"Cache-Control": "no-store"})


class OneToken(Endpoint):
    """One of one's own tokens."""

    @extend_schema(
        operation_id="tokens_revoke",
        summary="Revoke a token",
        description="Scripts that use it are refused from now on.",
        tags=TAGS,
        request=None,
        responses={204: None},
    )
    def delete(self, request: Request, token_id: int) -> Response:
        self.body()
        revoke_token(user=self.person, token_id=token_id)
        return Response(status=status.HTTP_204_NO_CONTENT)
