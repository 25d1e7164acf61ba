"""Creating, changing and deleting studies."""

import math
import secrets
import shutil
from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import IntegrityError, transaction

from tuning.engine import SearchSpace as EngineSpace
from tuning.models import Reveal, Study, Workload
from tuning.sealed import is_sealed
from tuning.selectors.budget import LIMITS, limits_of, time_words
from tuning.selectors.studies import may_edit
from tuning.selectors.workloads import kind_of
from tuning.services import hints
from tuning.services.audit import record
from tuning.services.closing import close_if_done
from tuning.services.deadlines import renew_deadlines
from tuning.services.errors import Conflict, Forbidden, Invalid
from tuning.services.limiting import checked_constraints
from tuning.services.methods import NO_MAX_RESOURCE, check_methods
from tuning.services.paired import forget_tests, refuse_paired, runs_of
from tuning.services.problems import Problems
from tuning.services.proposing import grid_size
from tuning.services.sources import check_sources, store_sources
from tuning.services.spaces import add_space_version, parse_space
from tuning.services.transitions import count_change, lock_study

MAX_TRIALS = 1_000_000
MAX_PARALLEL = 1_000
MAX_TRIAL_SECONDS = 366 * 24 * 3600
LEAST_TRIAL_SECONDS = 1
MAX_STEPS = 10**12
MAX_DEVICE_SECONDS = 10**10
MAX_PRIORITY = 1_000
TAKEN = "You already have a study named {!r}; choose another name."
DIRECTIONS = ("minimize", "maximize")


def create_study(
    *,
    owner: AbstractBaseUser,
    name: str,
    workload: str = "",
    space: dict[str, Any] | None = None,
    metric: str = "",
    direction: str = "",
    objective: str = "best",
    sampler: str = "auto",
    sampler_options: dict[str, Any] | None = None,
    scheduler: str = "none",
    scheduler_options: dict[str, Any] | None = None,
    n_trials: int | None = None,
    parallel: int = 1,
    max_resource: int | None = None,
    min_resource: int = 1,
    reduction_factor: int = 3,
    seed: int | None = None,
    visibility: str = "team",
    description: str = "",
    deterministic: bool = False,
    total_resource: int | None = None,
    device_seconds: int | None = None,
    study_seconds: int | None = None,
    trial_seconds: int | None = None,
    priority: int = 0,
    constraints: Mapping[str, Any] | None = None,
    stop_when_not_worth: bool = False,
    warm_start: Sequence[Mapping[str, Any]] = (),
    clone_of: Study | None = None,
    kind: str = "",
) -> Study:
    """A READY study with version 1 of its space. What is left out comes from the workload's description.

    Without a workload the trials are run by scripts over REST. The study ends when the first of its limits is used up:
    n_trials, total_resource (the steps of all trials together), device_seconds (the time that its trials hold slots),
    study_seconds (the time since its start); it needs one of them, unless it is a grid. trial_seconds: how long a trial
    may run over all its attempts. priority: studies with a higher one go first on the workers, whoever owns them.
    stop_when_not_worth: whether it ends before that, once another hour of device time is not worth it (services.worth).

    constraints: limits on the model, {"parameters": 100000, "memory": "2 GB", "flops": 1e9}, as far as wanted. A
    configuration above one ends before it trains, infeasible, and costs no budget.

    warm_start: the earlier studies whose trials the sampler learns from, [{"study": id, "assumed": {name: value}}],
    copied as they are now. clone_of: the study whose settings these are, with changes (services.cloning). kind: PAIRED
    for runs that are all known when it is made (services.trying). Raises Invalid with all that is wrong at once.
    """
    problems = Problems()
    name = name.strip()
    if not 1 <= len(name) <= 120:
        problems.add("name", "Give the study a name of 1 to 120 characters.")
    elif Study.objects.filter(owner_id=owner.pk, name=name).exists():
        problems.add("name", TAKEN.format(name))
    document = _workload_document(workload, problems)
    metric = metric.strip() or document.get("metric") or "value"
    direction = direction or document.get("direction") or "minimize"
    if len(metric) > 120:
        problems.add("metric", "A metric's name has at most 120 characters.")
    if is_sealed(metric):
        problems.add(
            "metric",
            f"{metric!r} is a metric of the test set: tuning on it would spend the test set, and what trials report of "
            "it is stored sealed. Choose a validation metric.",
        )
    problems.one_of("direction", direction, DIRECTIONS)
    problems.one_of("objective", objective, list(Study.Objective.values))
    problems.one_of("visibility", visibility, list(Study.Visibility.values))
    max_resource = max_resource if max_resource is not None else document.get("max_resource")
    problems.whole("n_trials", n_trials, 1, MAX_TRIALS, optional=True)
    problems.whole("parallel", parallel, 1, MAX_PARALLEL)
    problems.whole("max_resource", max_resource, 1, 10_000_000, optional=True)
    problems.whole("min_resource", min_resource, 1, 10_000_000)
    problems.whole("reduction_factor", reduction_factor, 2, 10)
    problems.whole("trial_seconds", trial_seconds, LEAST_TRIAL_SECONDS, MAX_TRIAL_SECONDS, optional=True)
    limits = {"total_resource": total_resource, "device_seconds": device_seconds, "study_seconds": study_seconds}
    check_limits(problems, limits, workload)
    problems.whole("priority", priority, -MAX_PRIORITY, MAX_PRIORITY)
    model_limits = checked_constraints(problems, constraints, document.get("kind"))
    if seed is None:
        seed = secrets.randbelow(2**31)
    problems.whole("seed", seed, 0, 2**62)
    engine_space = _space(space if space is not None else document.get("space"), document, problems)
    check_methods(
        problems,
        sampler,
        sampler_options or {},
        scheduler,
        scheduler_options or {},
        engine_space,
        n_trials,
        min_resource,
        max_resource,
        reduction_factor,
        direction,
        limits,
    )
    sources = check_sources(
        problems, owner, warm_start, sampler=sampler, metric=metric, direction=direction, space=engine_space
    )
    problems.raise_if_any()
    # Nothing above writes: SQLite's one lock is not held while thousands of earlier trials are looked at.
    with transaction.atomic():
        study = _insert(
            owner_id=owner.pk,
            name=name,
            description=description,
            visibility=visibility,
            kind=kind or ("tune" if workload else "external"),
            state=Study.State.READY,
            workload=workload,
            workload_digest=document.get("digest", ""),
            metric=metric,
            directions=[direction],
            objective=objective,
            sampler=sampler,
            sampler_options=sampler_options or {},
            scheduler=scheduler,
            scheduler_options=scheduler_options or {},
            min_resource=min_resource,
            max_resource=max_resource,
            reduction_factor=reduction_factor,
            seed=seed,
            deterministic=deterministic,
            budget_total=n_trials,
            **limits,
            parallel=parallel,
            trial_seconds=trial_seconds,
            priority=priority,
            constraints=model_limits,
            stop_when_not_worth=stop_when_not_worth,
            clone_of=clone_of,
        )
        if engine_space is not None:
            add_space_version(study, engine_space, owner, "as created")
        store_sources(study, sources)
        record(actor=owner, verb="created", kind="study", object_id=study.pk, name=name)
    study.refresh_from_db()
    return study


def _insert(**columns: Any) -> Study:
    try:
        with transaction.atomic():
            return Study.objects.create(**columns)
    except IntegrityError as error:  # another request took the name since it was looked up
        raise Invalid({"name": [TAKEN.format(columns["name"])]}) from error


def _workload_document(workload: str, problems: Problems) -> dict[str, Any]:
    if not workload:
        return {}
    row = Workload.objects.filter(name=workload).first()
    if row is None:
        known = ", ".join(Workload.objects.filter(error="").order_by("name").values_list("name", flat=True))
        problems.add(
            "workload",
            f"There is no workload named {workload!r}. Known: {known or 'none yet'}. "
            "New files are found when a worker starts, or by Refresh on the workloads page.",
        )
        return {}
    if row.error:
        problems.add(
            "workload",
            f"The workload {workload!r} cannot be loaded: {row.error.strip().splitlines()[-1]} "
            "The workloads page has the whole error.",
        )
        return {}
    return dict(row.document)


def _space(space: Any, document: dict[str, Any], problems: Problems) -> EngineSpace | None:
    if space is None:
        if document.get("kind") != "objective" and "workload" not in problems.fields:
            problems.add(
                "space",
                'Describe at least one parameter, such as {"lr": {"type": "float", "low": 1.0e-5, '
                '"high": 0.1, "log": true}}.',
            )
        return None
    try:
        return parse_space(space)
    except Invalid as error:
        for field, messages in error.fields.items():
            problems.fields.setdefault(field, []).extend(messages)
        problems.space_issues = error.space_issues
        return None


@transaction.atomic
def update_study(*, study: Study, actor: AbstractBaseUser, **changes: Any) -> Study:
    """Change name, description, visibility, parallel, n_trials, the other limits, priority, trial_seconds,
    stop_when_not_worth or constraints.

    A changed time limit holds for the trials that run, too; None takes a limit away. Limits on the model are replaced
    as a whole: they hold for trials that begin after that, and the sampler learns anew which ones are infeasible.
    Raises Invalid, Forbidden, Conflict.
    """
    study = lock_study(study.pk)
    if not may_edit(actor, study):
        raise Forbidden(f"Only {study.owner.get_username()} and administrators may change {study.name!r}.")
    if changes.keys() & {"n_trials", "constraints", *LIMITS}:
        refuse_paired(study)
    plain = {"name", "description", "visibility", "parallel", "priority", "trial_seconds", "stop_when_not_worth"}
    allowed = plain | {"n_trials", "constraints", *LIMITS}
    problems = Problems()
    for field in changes.keys() - allowed:
        problems.add(field, f"This cannot be changed after creation; changeable are {', '.join(sorted(allowed))}.")
    changes = dict(changes)
    if "name" in changes:
        changes["name"] = str(changes["name"]).strip()
        if not 1 <= len(changes["name"]) <= 120:
            problems.add("name", "Give the study a name of 1 to 120 characters.")
        elif Study.objects.filter(owner=study.owner, name=changes["name"]).exclude(pk=study.pk).exists():
            problems.add("name", f"There is already a study named {changes['name']!r}; choose another name.")
    if "visibility" in changes:
        problems.one_of("visibility", changes["visibility"], list(Study.Visibility.values))
    if "parallel" in changes:
        problems.whole("parallel", changes["parallel"], 1, MAX_PARALLEL)
    if "priority" in changes:
        problems.whole("priority", changes["priority"], -MAX_PRIORITY, MAX_PRIORITY)
    if "trial_seconds" in changes:
        problems.whole("trial_seconds", changes["trial_seconds"], LEAST_TRIAL_SECONDS, MAX_TRIAL_SECONDS, optional=True)
    if changes.keys() & {"n_trials", *LIMITS}:
        check_new_limits(problems, study, changes)
        if study.state == Study.State.FINISHED:
            raise Conflict("The study is finished; extend it to give it more trials.")
        if study.state == Study.State.STOPPED:
            raise Conflict("The study is stopped; its limits stand. Clone it, or make a new study.")
    if "constraints" in changes:
        changes["constraints"] = checked_constraints(problems, changes["constraints"], kind_of(study.workload))
    problems.raise_if_any()
    columns = {("budget_total" if name == "n_trials" else name): value for name, value in changes.items()}
    before = {name: getattr(study, name) for name in columns}
    past: dict[str, int] = {}
    if columns.get("constraints", study.constraints) != study.constraints:
        past = {"history_epoch": study.history_epoch + 1, "infeasible_in_a_row": 0}
    count_change(study, {}, historical=bool(past), **columns, **past)
    if "trial_seconds" in columns:
        renew_deadlines(study)
    record(actor=actor, verb="changed", kind="study", object_id=study.pk, name=study.name, before=before, after=columns)
    close_if_done(study)  # fewer trials may be wanted than have been started
    hints.announce()
    study.refresh_from_db()
    return study


def check_limits(problems: Problems, limits: Mapping[str, Any], workload: str) -> None:
    """Note where the limits of a study, beside its number of trials, are none."""
    problems.whole("total_resource", limits.get("total_resource"), 1, MAX_STEPS, optional=True)
    problems.whole("device_seconds", limits.get("device_seconds"), 1, MAX_DEVICE_SECONDS, optional=True)
    problems.whole("study_seconds", limits.get("study_seconds"), 1, MAX_TRIAL_SECONDS, optional=True)
    if limits.get("device_seconds") is not None and not workload:
        problems.add("device_seconds", "Scripts hold no devices of hpweb: limit the time from the start instead.")


def check_new_limits(problems: Problems, study: Study, changes: Mapping[str, Any]) -> None:
    """Note where a study that exists cannot have these limits: n_trials and LIMITS, None to take one away."""
    now = {"n_trials": study.budget_total, **{name: getattr(study, name) for name in LIMITS}}
    limits = {name: changes.get(name, value) for name, value in now.items()}
    check_limits(problems, limits, study.workload)
    if limits["n_trials"] is not None:
        problems.whole("n_trials", limits["n_trials"], 1, MAX_TRIALS)
        if not problems.about("n_trials") and limits["n_trials"] < study.n_counted:
            problems.add(
                "n_trials",
                f"It has {study.n_counted:,} trials already, so it cannot have {limits['n_trials']:,} in all: give at "
                f"least {study.n_counted:,}, or stop the study to end it now.",
            )
    if problems.fields:
        return
    if all(limit is None for limit in limits.values()) and not grid_size(study):
        problems.add("n_trials", "The study would never end: say how many trials it is to have, or keep another limit.")
    if limits["total_resource"] is not None and study.max_resource is None:
        problems.add("total_resource", NO_MAX_RESOURCE)
    for limit in limits_of(study):
        wanted = changes.get(limit.name)
        if wanted is not None and wanted < limit.spent:
            spent = f"{math.ceil(limit.spent):,}" if limit.name == "total_resource" else time_words(limit.spent)
            problems.add(limit.name, f"{spent} are spent already: give more, or stop the study to end it now.")


@transaction.atomic
def delete_study(*, study: Study, actor: AbstractBaseUser) -> None:
    """Remove a study that is not running, with its trials, curves, checkpoints and logs, and the paired runs of its
    advice.

    Raises Forbidden, and Conflict also for one whose test set was looked at: that is kept for ever.
    """
    study = lock_study(study.pk)
    if not may_edit(actor, study):
        raise Forbidden(f"Only {study.owner.get_username()} and administrators may delete {study.name!r}.")
    if Reveal.objects.filter(study=study).exists():
        raise Conflict(
            "The study has looked at its test set, and the record of that is kept for ever, so it cannot be deleted: "
            "archive it, and it leaves the list of studies."
        )
    if study.state in (Study.State.RUNNING, Study.State.PAUSED):
        raise Conflict(f"The study is {study.state.lower()}; stop it before you delete it.")
    for runs in runs_of(study):
        delete_study(study=runs, actor=actor)
    forget_tests(study)
    record(
        actor=actor,
        verb="deleted",
        kind="study",
        object_id=study.pk,
        name=study.name,
        before={"trials": study.n_created},
    )
    folder = settings.ARTIFACT_DIR / f"study-{study.pk}"
    Study.objects.filter(pk=study.pk).update(best_trial=None, space=None)
    study.trials.all().delete()
    study.delete()

    def remove_files() -> None:
        if folder.exists():
            shutil.rmtree(folder)

    # robust: a process that is being ended may still write there; what it leaves is logged, and the study is gone
    transaction.on_commit(remove_files, robust=True)
