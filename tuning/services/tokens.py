"""API tokens: made, looked up, revoked. The secret is shown once; the table keeps its SHA-256."""

import hashlib
import secrets
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from tuning.models import ApiToken
from tuning.services.audit import record
from tuning.services.errors import Invalid, NotFound

PREFIX_LENGTH = 12


def digest_of(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


@transaction.atomic
def create_token(*, user: User, name: str, expires: datetime | None = None) -> tuple[ApiToken, str]:
    """A new token and its secret, which cannot be read again. Raises Invalid for an empty name or a past date."""
    name = name.strip()
    if not name or len(name) > 100:
        raise Invalid({"name": ["Give the token a name of 1 to 100 characters, such as the script that uses it."]})
    if expires is not None and expires <= timezone.now():
        raise Invalid({"expires": [f"{expires:%Y-%m-%d %H:%M} is in the past; choose a later time or none."]})
    secret = f"hp_{secrets.token_urlsafe(32)}"
    token = ApiToken.objects.create(
        user=user, name=name, prefix=secret[:PREFIX_LENGTH], digest=digest_of(secret), expires=expires
    )
    record(actor=user, verb="created token", kind="token", object_id=token.pk, name=name)
    return token, secret


@transaction.atomic
def revoke_token(*, user: User, token_id: int) -> None:
    """Delete one of the person's tokens; scripts that use it are refused from now on."""
    token = ApiToken.objects.filter(pk=token_id, user=user).first()
    if token is None:
        raise NotFound(f"You have no token {token_id}.")
    record(actor=user, verb="revoked token", kind="token", object_id=token.pk, name=token.name)
    token.delete()


def user_for_token(secret: str) -> User | None:
    """The active owner of a valid token, or None; notes the use at most once a minute."""
    now = timezone.now()
    if not secret.isascii() or not secret.isprintable():
        return None  # never one of ours, and a NUL would be refused by PostgreSQL
    token = ApiToken.objects.select_related("user").filter(prefix=secret[:PREFIX_LENGTH]).first()
    if token is None or not secrets.compare_digest(token.digest, digest_of(secret)):
        return None
    if (token.expires and token.expires <= now) or not token.user.is_active:
        return None
    if token.last_used is None or token.last_used < now - timedelta(minutes=1):
        ApiToken.objects.filter(pk=token.pk).update(last_used=now)
    return token.user
