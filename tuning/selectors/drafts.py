"""Reading what a person has typed of studies that are not created yet. Nobody else sees it."""

from django.contrib.auth.models import AbstractBaseUser
from django.db.models import QuerySet

from tuning.models import Draft


def draft_of(person: AbstractBaseUser, key: str) -> Draft | None:
    """The person's draft under this key; None where nothing was typed yet."""
    return _open(person).select_related("source").filter(key=key).first() if key else None


def drafts_of(person: AbstractBaseUser) -> list[Draft]:
    """The last changed first."""
    return list(_open(person).order_by("-changed", "-pk"))


def _open(person: AbstractBaseUser) -> QuerySet[Draft]:
    """Those whose study is not created: of the others no field is left."""
    return Draft.objects.filter(owner_id=person.pk).exclude(fields={})
