"""Trying an advice: runs with and without it on the same seeds, in a study of their own.

A study of their own keeps them out of the sampler's history, the leaderboard and the budget of the one that the advice
is about, and lets workers run them like any other trial. Pair i has the seed of the study plus i on both sides: the
same weights where the shapes are the same, the same order of batches. Advice to stop early takes one run a seed, whose
curve holds both values.
"""

from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.utils import timezone

from tuning.analysis.diagnosis import Advice, Verdict
from tuning.analysis.diagnosis.reach import configured, taking
from tuning.engine import SpaceError
from tuning.models import AdviceTest, Study, Trial
from tuning.selectors.advice_tests import PAIRS, STOP, steps_of
from tuning.selectors.clones import PLAIN
from tuning.selectors.diagnostics import reach_of, trial_verdict
from tuning.services import hints
from tuning.services.audit import record
from tuning.services.errors import Conflict, Invalid
from tuning.services.lifecycle import start_study
from tuning.services.paired import PAIRED
from tuning.services.permissions import trial_for_change
from tuning.services.problems import Problems
from tuning.services.starting import create_trial
from tuning.services.studies import create_study
from tuning.services.transitions import count_change

MOST_PAIRS = 20
LEAST_PAIRS = 2
# of a study's settings, those that its paired runs do not have from it
OWN = {
    "sampler", "scheduler", "seed", "description", "max_resource", "trial_seconds", "total_resource", "device_seconds",
    "study_seconds", "stop_when_not_worth",
}  # fmt: skip


@transaction.atomic
def try_advice(*, trial_id: int, actor: AbstractBaseUser, action: str, pairs: int = PAIRS) -> AdviceTest:
    """Start the runs that show what an advice after the trial's verdict is worth.

    The same advice while its runs have not ended returns the test that there is. Raises Invalid for an advice that the
    verdict does not give or that is no change of the configuration, Forbidden, NotFound, Conflict.
    """
    study, trial = trial_for_change(trial_id, actor)
    there = AdviceTest.objects.filter(trial=trial, action=action, ended__isnull=True).first()
    if there is not None:
        return there
    verdict = _checked(study, trial, pairs)
    advice = _chosen(verdict, action)
    runs = _create_runs(study, trial, advice, pairs)
    test = AdviceTest.objects.create(
        trial=trial,
        study=runs,
        author_id=actor.pk,
        rule=verdict.rule,
        action=advice.action,
        says=advice.says,
        change=dict(advice.change),
        resource=advice.resource,
        horizon=study.max_resource,
        stops=advice.action == STOP,
        pairs=pairs,
    )
    count_change(study, {}, historical=False)  # its pages show that the advice is tried
    record(
        actor=actor,
        verb="tried advice on",
        kind="trial",
        object_id=trial.pk,
        name=f"{study.name} #{trial.number}",
        after={"advice": advice.action, "pairs": pairs},
    )
    start_study(study_id=runs.pk, actor=actor, despite=study.waiver)
    hints.announce()
    test.refresh_from_db()
    return test


def _checked(study: Study, trial: Trial, pairs: int) -> Verdict:
    problems = Problems()
    problems.whole("pairs", pairs, LEAST_PAIRS, MOST_PAIRS)
    problems.raise_if_any()
    if study.kind == PAIRED:
        raise Conflict("This trial is itself one of the runs of an advice: try it on the trial that it was given to.")
    if not study.workload:
        raise Conflict(
            "The trials of this study run in a script's own process, which hpweb cannot start: queue the configuration "
            "with the change there, and compare a few seeds."
        )
    if trial.is_open:
        raise Conflict(f"Trial {trial.number} is {trial.state.lower()} still: wait for its end, or cancel it.")
    verdict = trial_verdict(trial)
    if verdict is None:
        raise Conflict("The trial has no pair of curves, so that there is no verdict and no advice to try.")
    return verdict


def _chosen(verdict: Verdict, action: str) -> Advice:
    advice = next((one for one in verdict.advice if one.action == action), None)
    known = [one.action for one in verdict.advice if one.is_testable]
    offer = f"can be tried: {', '.join(known)}" if known else "none of its advice can be tried by runs"
    if advice is None:
        raise Invalid({"action": [f"{action!r} is no advice after the verdict {verdict.title!r}; {offer}."]})
    if not advice.is_testable:
        raise Invalid({"action": [f"{action} cannot be tried by runs. {advice.untested} Of this verdict {offer}."]})
    return advice


def _create_runs(study: Study, trial: Trial, advice: Advice, pairs: int) -> Study:
    """The study of the runs, READY, with all of its trials WAITING."""
    steps, longest = steps_of(trial), advice.resource or 0
    sides = [(dict(trial.params), steps)]
    if advice.action != STOP:
        sides.append((_changed(trial, advice), advice.resource or steps))
    resource = max(longest if advice.action != STOP else 0, study.max_resource or 0, steps or 0) or None
    now = timezone.localtime()
    tries = AdviceTest.objects.filter(trial=trial, action=advice.action).count() + 1
    name = f"{advice.action} on trial {trial.number} of {study.name}"[:80]
    runs = create_study(
        owner=study.owner,
        name=f"{name}, try {tries}, {now.day} {now:%b, %H:%M:%S}",
        description=f"With and without, on the same seeds: {advice.says}",
        space=_space_of(trial, [params for params, _ in sides]),
        sampler="random",
        n_trials=pairs * len(sides),
        max_resource=resource,
        trial_seconds=_time_limit(study, resource),
        constraints=dict(study.constraints),
        kind=PAIRED,
        **{field: getattr(study, field) for field in PLAIN if field not in OWN},
    )
    for pair in range(pairs):
        for side, (params, end) in enumerate(sides):
            why = f"pair {pair + 1}, {'with the advice' if side else 'without it'}"
            create_trial(runs, params, origin="paired", why=why, resource=end, seed=runs.seed + pair)
    return runs


def _changed(trial: Trial, advice: Advice) -> dict[str, Any]:
    if trial.space is None:
        return {**trial.params, **advice.change}
    try:
        return configured(reach_of(trial.study, trial.space.document), trial.params, advice.change)
    except (SpaceError, ValueError) as error:
        raise Conflict(f"The configuration with the change cannot be made: {error}") from error


def _space_of(trial: Trial, sides: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The parameters that every side has, with ranges that take their values: what pages and exports show."""
    if trial.space is None:
        return None
    found = {}
    for name, entry in reach_of(trial.study, trial.space.document).items():
        values = [params[name] for params in sides if name in params]
        for value in values:
            entry = taking(entry, value)
        if len(values) == len(sides) or (values and entry.get("when")):
            found[name] = entry
    return found


def _time_limit(study: Study, resource: int | None) -> int | None:
    """The study's limit on a trial, longer as its longest run is longer."""
    if study.trial_seconds is None or not study.max_resource or not resource:
        return study.trial_seconds
    return -(-study.trial_seconds * max(resource, study.max_resource) // study.max_resource)
