"""Earlier studies as teachers of a new one: which there are, and how many of their trials fit its space."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import AbstractBaseUser

from tuning.engine import SearchSpace, Transferred, TrialState, transferred
from tuning.engine import Trial as EngineTrial
from tuning.models import Study, StudySource, Trial
from tuning.selectors.studies import visible_studies

MOST_TRIALS = 2_000  # of all sources together feed the model
OFFERED = 12  # studies on a form
FIELDS = ("number", "params", "state", "value", "resource_done", "reason_code", "infeasible", "origin", "finish_seq")


def engine_trial(
    row: Mapping[str, Any], params: Mapping[str, Any], rungs: Mapping[int, float] | None = None
) -> EngineTrial:
    """A row of FIELDS as the engine's trial, with these of its params and its values at rungs by their steps."""
    return EngineTrial(
        number=row["number"],
        params=params,
        state=TrialState(row["state"]),
        value=row["value"] if row["state"] in Trial.TERMINAL else None,
        resource=row["resource_done"],
        reason_code=row["reason_code"] or None,
        infeasible=row["infeasible"],
        origin=row["origin"],
        intermediate=rungs or {},
    )


@dataclass(frozen=True)
class Offer:
    """What an earlier study could teach: those of its trials that fit, and why the others do not."""

    study: Study
    n_finished: int
    fitting: Transferred
    raw: Mapping[int, EngineTrial]  # by number, as the source ran them
    completed: Mapping[int, datetime]

    @property
    def n_fitting(self) -> int:
        return len(self.fitting.trials)

    @property
    def reasons(self) -> list[str]:
        """Why trials are left out, for a person: "12 left out: the value of lr is not …", most frequent first."""
        return [f"{count:,} left out: {reason}" for reason, count in self.fitting.left_out.items()]

    @property
    def n_looked_at(self) -> int:
        return len(self.raw)

    def lacks(self, name: str) -> bool:
        """Whether a trial lacks this parameter."""
        return any(name not in trial.params for trial in self.raw.values())


def offer_of(study: Study, space: SearchSpace, assumed: Mapping[str, Any]) -> Offer:
    """What `study` can teach a study in `space`. Raises ParamsError for an assumed value that `space` does not take.

    Excluded trials are no finished ones here, nor are those above a limit on the model, which was that study's own. Of
    more than MOST_TRIALS the best and the latest MOST_TRIALS each are
    looked at.
    """
    ended = Trial.objects.filter(study=study, finish_seq__isnull=False, excluded_at__isnull=True)
    if study.constraints:
        ended = ended.filter(infeasible=False)
    wanted = (*FIELDS, "completed")
    rows = list(ended.order_by("-finish_seq").values(*wanted)[:MOST_TRIALS])
    n_ended = ended.count() if len(rows) == MOST_TRIALS else len(rows)
    if n_ended > len(rows):
        best = "value" if study.direction == "minimize" else "-value"
        valued = ended.filter(state=Trial.State.COMPLETE, value__isnull=False).order_by(best, "number")
        known = {row["number"] for row in rows}
        rows += [row for row in valued.values(*wanted)[:MOST_TRIALS] if row["number"] not in known]
    rows.sort(key=lambda row: row["finish_seq"])
    trials = [engine_trial(row, row["params"]) for row in rows]
    return Offer(
        study,
        n_ended,
        transferred(space, trials, assumed),
        {trial.number: trial for trial in trials},
        {row["number"]: row["completed"] for row in rows},
    )


def teaching_studies(user: AbstractBaseUser, workload: str, also: Iterable[int] = ()) -> list[Study]:
    """The visible studies of a workload ("": of scripts) that have finished trials, the last active first: the first
    OFFERED of them, and those of the ids `also`."""
    ended = Trial.objects.filter(finish_seq__isnull=False).values("study")
    visible = visible_studies(user).select_related("space").order_by("-last_activity", "-pk")
    visible = visible.exclude(kind=Study.PAIRED)
    offered = list(visible.filter(workload=workload, pk__in=ended)[:OFFERED])
    known = {study.pk for study in offered}
    missing = [number for number in also if number not in known]
    return offered + (list(visible.filter(pk__in=missing)) if missing else [])


def sources_of(study: Study) -> list[StudySource]:
    """The earlier studies that `study` learns from, in order, without their trials."""
    return list(StudySource.objects.filter(study=study).select_related("source").defer("trials"))


def visible_sources(user: AbstractBaseUser, study: Study) -> list[tuple[StudySource, bool]]:
    """The same, each with whether the person may look at the earlier study."""
    sources = sources_of(study)
    visible = set(visible_studies(user).filter(pk__in=[row.source_id for row in sources]).values_list("pk", flat=True))
    return [(row, row.source_id in visible) for row in sources]
