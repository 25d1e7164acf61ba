"""Reading API tokens: one's own."""

from django.contrib.auth.models import AbstractBaseUser
from django.db.models import QuerySet

from tuning.models import ApiToken


def tokens_of(user: AbstractBaseUser) -> QuerySet[ApiToken]:
    """A person's tokens, the newest first."""
    return ApiToken.objects.filter(user_id=user.pk).order_by("-created", "-pk")
