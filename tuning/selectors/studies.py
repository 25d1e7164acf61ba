"""Reading studies: who may see which, the list, and the facts at the top of a study's page."""

from dataclasses import dataclass

from django.contrib.auth.models import AbstractBaseUser
from django.db.models import Avg, F, Q, QuerySet, Sum

from tuning.models import Study, Trial
from tuning.selectors.budget import Limit, expected_trials, limits_of, trial_limit
from tuning.selectors.errors import NotFound
from tuning.selectors.hosts import live_slots
from tuning.selectors.pages import Page, page_of
from tuning.selectors.schedulers import scheduler_of


def visible_studies(user: AbstractBaseUser) -> QuerySet[Study]:
    """The studies that a person may look at: their own, the team's, and all for an administrator."""
    rows = Study.objects.select_related("owner", "best_trial")
    if getattr(user, "is_staff", False):
        return rows
    return rows.filter(Q(owner_id=user.pk) | Q(visibility=Study.Visibility.TEAM))


def study_for(user: AbstractBaseUser, study_id: int) -> Study:
    """The study, if the person may look at it. Raises NotFound."""
    study = visible_studies(user).select_related("space").filter(pk=study_id).first()
    if study is None:
        raise NotFound(f"There is no study {study_id}, or it is private.")
    return study


def study_now(study_id: int) -> Study:
    """The study as it is in the database, whoever asks. Raises NotFound."""
    study = Study.objects.select_related("owner", "best_trial", "space").filter(pk=study_id).first()
    if study is None:
        raise NotFound(f"There is no study {study_id}.")
    return study


def study_named(name: str) -> Study | None:
    """The first study of this name, whoever owns it."""
    return Study.objects.select_related("owner", "best_trial", "space").filter(name=name).order_by("pk").first()


def may_edit(user: AbstractBaseUser, study: Study) -> bool:
    """Whether the person may start, stop, change or delete the study: its owner and administrators."""
    return bool(user.pk == study.owner_id or getattr(user, "is_staff", False))


def study_list(
    user: AbstractBaseUser,
    *,
    search: str = "",
    state: str = "",
    archived: bool = False,
    page: int = 1,
    per_page: int = 50,
) -> Page[Study]:
    """One page of the visible studies, the last active first; `search` looks in name, workload and owner.

    Archived ones are on pages of their own, with `archived`. Paired runs of an advice are found from the trial that it
    was given to.
    """
    rows = visible_studies(user).exclude(kind=Study.PAIRED).filter(archived__isnull=not archived)
    rows = rows.order_by("-last_activity", "-pk")
    for word in search.split():
        rows = rows.filter(Q(name__icontains=word) | Q(workload__icontains=word) | Q(owner__username__icontains=word))
    if state in Study.State.values:
        rows = rows.filter(state=state)
    return page_of(rows, page, per_page)


@dataclass(frozen=True)
class StudyFacts:
    """What stands at the top of a study's page. Times in seconds; epochs in the workload's resource unit."""

    best_value: float | None
    best_trial_number: int | None
    best_trial_id: int | None
    done: int
    total: int | None
    about_total: bool  # that many trials are an expectation: what the study's steps pay
    running: int
    waiting: int
    failed: int
    pruned: int  # without those that were infeasible before a step
    complete: int
    epochs_done: int
    epochs_total: int | None  # that the study will use by its plan
    about: bool  # the plan is an expectation
    limits: list[Limit]  # what ends the study beside its number of trials
    seconds_per_trial: float | None
    seconds_left: float | None


def study_facts(study: Study) -> StudyFacts:
    """The facts of `study`, in three queries.

    The time left is the mean of completed trials, or with a scheduler that of an epoch, over the slots at work.
    """
    sums = Trial.objects.filter(study=study).aggregate(epochs=Sum("resource_done"), seconds=Sum("run_seconds"))
    timed = Trial.objects.filter(study=study, state=Trial.State.COMPLETE, started__isnull=False)
    mean = timed.aggregate(mean=Avg(F("completed") - F("started")))["mean"]
    seconds = mean.total_seconds() if mean is not None else None
    total, limits = expected_trials(study), limits_of(study)
    left = None
    plan = scheduler_of(study).plan(total)
    epochs_total, epochs_done = plan.resource if total is not None else None, sums["epochs"] or 0
    about = not plan.exact
    if study.total_resource is not None and (about or total != trial_limit(study)):
        epochs_total, about = study.total_resource, False
    if study.state == Study.State.RUNNING and seconds is not None and total is not None:
        remaining = max(0, total - study.n_done)
        at_work = max(study.n_running, live_slots().count() if study.workload else 0)
        work = remaining * seconds
        if study.scheduler != "none" and epochs_total is not None and epochs_done:
            work = max(0, epochs_total - epochs_done) * (sums["seconds"] or 0.0) / epochs_done
        left = work / max(1, min(study.parallel, at_work, remaining))
    if study.state == Study.State.RUNNING:
        for limit in limits:
            if limit.name == "study_seconds":
                left = min(left, limit.left) if left is not None else limit.left
            elif limit.name == "device_seconds" and study.n_running:
                rest = limit.left / study.n_running
                left = min(left, rest) if left is not None else rest
    best = study.best_trial
    return StudyFacts(
        best_value=best.value if best else None,
        best_trial_number=best.number if best else None,
        best_trial_id=best.pk if best else None,
        done=study.n_done,
        total=total,
        about_total=total is not None and total != trial_limit(study),
        running=study.n_running,
        waiting=study.n_waiting,
        failed=study.n_failed,
        pruned=study.n_pruned - study.n_infeasible,
        complete=study.n_complete,
        epochs_done=epochs_done,
        epochs_total=epochs_total,
        about=about,
        limits=limits,
        seconds_per_trial=seconds,
        seconds_left=left,
    )
