"""Reading what a person has typed of studies that are not created yet. Nobody else sees it."""

from django.contrib.auth.models import AbstractBaseUser

from tuning.models import Draft


def draft_of(person: AbstractBaseUser, key: str) -> Draft | None:
    """The person's draft under this key; None where nothing was typed yet."""
    return Draft.objects.select_related("source").filter(owner_id=person.pk, key=key).first() if key else None


def drafts_of(person: AbstractBaseUser) -> list[Draft]:
    """The last changed first."""
    return list(Draft.objects.filter(owner_id=person.pk).order_by("-changed", "-pk"))
