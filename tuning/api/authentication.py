"""`Authorization: Token hp_…`: who is asking, by one of the tokens that a person made on the account page."""

from django.contrib.auth.models import AbstractUser
from rest_framework import authentication, exceptions

from tuning.services.tokens import user_for_token


class TokenAuthentication(authentication.TokenAuthentication):
    """DRF's reading of the header over hpweb's own tokens, of which only a digest is stored."""

    def authenticate_credentials(self, key: str) -> tuple[AbstractUser, None]:
        """The token's owner. Raises AuthenticationFailed for a token that is unknown, expired or revoked."""
        user = user_for_token(key)
        if user is None:
            raise exceptions.AuthenticationFailed(
                "The token is unknown, expired or revoked, or its account is closed; make a new one on the "
                "account page."
            )
        return user, None
