"""Pinning a study to the data that its workload reads, and letting it take over code or data that changed since."""

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from tuning.models import Host, Split, Study, Trial, Workload
from tuning.selectors.offerings import hosts_to_count
from tuning.services import hints
from tuning.services.audit import record
from tuning.services.errors import Conflict, StaleLease
from tuning.services.jobs import request_split
from tuning.services.offerings import OPEN, note_found, pin_data
from tuning.services.permissions import study_for_change
from tuning.services.transitions import count_change, lock_study


def want_data(study: Study, actor: AbstractBaseUser | None, prefer: str = "") -> None:
    """Pin a study that starts to counted data, and have every host count those of a PyTorch workload once.

    A worker counts the splits and fingerprints their examples, once for each version of the code.
    """
    pin_data(study, prefer)
    workload = Workload.objects.filter(name=study.workload).first()
    if workload is None or workload.document.get("kind") != "pytorch":
        return
    if not Split.objects.filter(workload=workload.name).exists():
        request_split(actor=actor, workload=workload.name)
    elif study.data_digest:
        for host in hosts_to_count(workload.name):
            request_split(actor=actor, workload=workload.name, host=host)


@transaction.atomic
def hold_to_data(*, trial_id: int, fence: int, host: Host, digest: str) -> bool:
    """Whether a running trial that has read these data may train on them: the first of its study pins it to them.

    Raises StaleLease.
    """
    study_id = Trial.objects.filter(pk=trial_id).values_list("study_id", flat=True).first()
    study = lock_study(study_id) if study_id is not None else None
    if study is None or not Trial.objects.filter(pk=trial_id, fence=fence, state=Trial.State.RUNNING).exists():
        raise StaleLease("This trial is no longer held by this claim: it was stopped, paused, or given to another.")
    if not study.data_digest:
        count_change(study, {}, historical=False, data_digest=digest[:64])
        note_found(host=host, workload=study.workload, code=study.workload_digest, digest=digest)
    return study.data_digest == digest


def has_newer_code(study: Study) -> bool:
    """Whether the workload has other code, which works, than the study is pinned to."""
    rows = Workload.objects.filter(name=study.workload, error="") if study.workload else Workload.objects.none()
    return rows.exclude(digest=study.workload_digest).exists()


@transaction.atomic
def adopt_code(*, study_id: int, actor: AbstractBaseUser | None) -> Study:
    """Pin a study anew to the code and data that the workers have now; trials from here on run them.

    The same again changes nothing. Raises NotFound, Forbidden, Conflict.
    """
    study = study_for_change(study_id, actor)
    row = Workload.objects.filter(name=study.workload).first() if study.workload else None
    if row is None or row.error:
        raise Conflict(f"No host has a working workload {study.workload!r} whose code the study could take over.")
    if study.state not in OPEN:
        raise Conflict(f"The study is {study.state.lower()}; its trials ran the code that it names.")
    before = {"workload_digest": study.workload_digest, "data_digest": study.data_digest}
    study.workload_digest, study.data_digest = row.digest, ""
    want_data(study, actor, prefer=before["data_digest"])
    after = {"workload_digest": study.workload_digest, "data_digest": study.data_digest}
    if after == before:
        return study
    count_change(study, {}, historical=False, **after)
    record(
        actor=actor,
        verb=f"took over the present {'code' if after['workload_digest'] != before['workload_digest'] else 'data'} of",
        kind="study",
        object_id=study.pk,
        name=study.name,
        before=before,
        after=after,
    )
    hints.announce()
    study.refresh_from_db()
    return study
