"""Keeping a study's form as it is typed, so that a closed window or a lost session costs nothing."""

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.utils import timezone

from tuning.models import Draft, Study
from tuning.services.errors import Conflict, Invalid

MOST = 100  # drafts of one person
CLOSED: dict[str, Any] = {}  # the fields of a draft whose study is created
LATE = timedelta(days=1)  # after which no page sends what was typed before


@transaction.atomic
def save_draft(
    *,
    owner: AbstractBaseUser,
    key: str,
    workload: str,
    fields: Mapping[str, Sequence[str]],
    source: Study | None = None,
) -> Draft:
    """Keep the form's fields under a key that the page has chosen; the same key again is the same draft.

    Raises Invalid for a key that is none, Conflict where the person has MOST drafts or the study is created already.
    """
    if not re.fullmatch(r"[A-Za-z0-9_-]{8,40}", key):
        raise Invalid({"draft": ["A draft's key is 8 to 40 letters, digits, - or _."]})
    columns = {"workload": workload, "fields": {name: list(values) for name, values in fields.items()}}
    draft = Draft.objects.select_for_update(of=("self",)).filter(owner_id=owner.pk, key=key).first()
    if draft is not None and not draft.fields:
        raise Conflict("The study of this draft is created; New study begins another one.")
    if draft is None:
        mine = Draft.objects.filter(owner_id=owner.pk)
        mine.filter(fields=CLOSED, changed__lt=timezone.now() - LATE).delete()
        if mine.exclude(fields=CLOSED).count() >= MOST:
            raise Conflict(f"You have {MOST} drafts of studies: discard some on the list of studies.")
        draft, _new = Draft.objects.get_or_create(owner_id=owner.pk, key=key, defaults={**columns, "source": source})
    if draft.fields != columns["fields"] or draft.workload != workload:
        draft.workload, draft.fields = workload, columns["fields"]
        draft.save(update_fields=["workload", "fields", "changed"])
    return draft


def close_draft(*, owner: AbstractBaseUser, key: str) -> None:
    """The study is created: what its page had still on the way is not kept as a draft of another one."""
    Draft.objects.filter(owner_id=owner.pk, key=key).update(fields=CLOSED, changed=timezone.now())


def discard_draft(*, owner: AbstractBaseUser, key: str) -> bool:
    """Whether there was one."""
    return bool(Draft.objects.filter(owner_id=owner.pk, key=key).delete()[0])
