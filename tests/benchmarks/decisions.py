"""What `bench fidelity` times inside its temporary installation: `python -m tests.benchmarks.decisions RUNS MANY`.

A study with 10,000 trials at one rung, made for each scheduler, and the scheduler's decisions on it as the services
make them: on a StudyRungView of their own, by queries. Of ASHA's rungs each holds a third of those of the rung below,
who have all been promoted, so that a promotion has to be looked for at every rung and is found at none: the dearest
case. Prints {decision: [mean milliseconds of each run]}; one that is made once in a rung's life has a run for each.
"""

import json
import random
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import django

django.setup()

from django.contrib.auth import get_user_model  # noqa: E402
from django.db import transaction  # noqa: E402

from tests.factories import make_study  # noqa: E402
from tuning.engine.schedulers.base import Start  # noqa: E402
from tuning.models import Cohort, Rung, RungEntry, Study, Trial  # noqa: E402
from tuning.selectors.schedulers import scheduler_of  # noqa: E402
from tuning.services.scheduler_view import StudyRungView  # noqa: E402
from tuning.services.scheduling import next_action  # noqa: E402

AT_THE_RUNG = 10_000
REPORTING = 200  # running trials that have just come to the rung
EPOCHS, ETA = 81, 3
Entry = RungEntry.State


def losses(count: int) -> list[float]:
    """All different, in no order."""
    found = [float(number) for number in range(count)]
    random.Random(0).shuffle(found)
    return found


def study_of(name: str, at_the_rung: int, scheduler: str, state: str, **options: Any) -> tuple[Study, Cohort]:
    """A study with so many trials in this state and REPORTING ones that run."""
    owner, _ = get_user_model().objects.get_or_create(username="alice", defaults={"is_superuser": True})
    count = at_the_rung + REPORTING
    study = make_study(
        owner, name=name, scheduler=scheduler, scheduler_options=options, n_trials=2 * count, max_resource=EPOCHS,
        parallel=REPORTING, sampler="random",
    )  # fmt: skip
    cohort = Cohort.objects.create(study=study, number=0, bracket=0, planned=2 * count, started=count, n_open=count)
    Trial.objects.bulk_create(
        Trial(
            study=study, number=number, cohort=cohort, bracket=0, rung=0, resource=1,
            state=state if number < at_the_rung else Trial.State.RUNNING,
            finish_seq=number + 1 if state in Trial.TERMINAL and number < at_the_rung else None,
        )
        for number in range(count)
    )  # fmt: skip
    Study.objects.filter(pk=study.pk).update(
        state=Study.State.RUNNING, next_number=count, n_running=REPORTING, **{f"n_{state.lower()}": at_the_rung}
    )
    return Study.objects.get(pk=study.pk), cohort


def enter(cohort: Cohort, rung: int, ranked: list[tuple[Trial, float]], states: Callable[[int], str]) -> None:
    """Entries at a rung, the best first; `states`: of an entry by its place from 0."""
    counts: dict[str, int] = {}
    entries = []
    for place, (trial, loss) in enumerate(ranked):
        state = str(states(place))
        counts[state] = counts.get(state, 0) + 1
        entries.append(
            RungEntry(cohort=cohort, rung=rung, trial=trial, number=trial.number, state=state, step=1, loss=loss)
        )
    RungEntry.objects.bulk_create(entries)
    Rung.objects.create(cohort=cohort, number=rung, **counts)


def ranked_trials(cohort: Cohort, count: int) -> list[tuple[Trial, float]]:
    trials = Trial.objects.filter(cohort=cohort).order_by("number")[:count]
    return sorted(zip(trials, losses(count), strict=True), key=lambda pair: pair[1])


def asha_promotion(at_the_rung: int) -> Study:
    """Each rung full of a third of the one below it, all of whom have been promoted."""
    study, cohort = study_of("promotion", at_the_rung, "asha", Trial.State.PAUSED)
    ranked = ranked_trials(cohort, at_the_rung)
    top = len(scheduler_of(study).ladder(None)) - 1
    for rung in range(top + 1):
        here = ranked[: at_the_rung // ETA**rung]
        up = len(here) // ETA if rung < top else 0
        enter(cohort, rung, here, lambda place, up=up: Entry.PROMOTED if place < up else Entry.REACHED)
    Rung.objects.filter(cohort=cohort, number=0).update(busy=REPORTING)
    return study


def reporting(name: str, at_the_rung: int, scheduler: str, state: str, entry: str, **options: Any) -> Study:
    """The rung full of trials in one state, and those that have just come there by their reports."""
    study, cohort = study_of(name, at_the_rung, scheduler, state, **options)
    ranked = ranked_trials(cohort, at_the_rung + REPORTING)
    enter(cohort, 0, ranked, lambda place: entry if ranked[place][0].number < at_the_rung else Entry.REACHED)
    return study


def halving(at_the_rung: int) -> Study:
    """A cohort that waits for one member."""
    study, cohort = study_of("halving", at_the_rung, "successive_halving", Trial.State.PAUSED, cohort_size=at_the_rung)
    Trial.objects.filter(cohort=cohort, state=Trial.State.RUNNING).exclude(number=at_the_rung).delete()
    enter(cohort, 0, ranked_trials(cohort, at_the_rung), lambda place: Entry.REACHED)
    Rung.objects.filter(cohort=cohort, number=0).update(busy=1)
    Cohort.objects.filter(pk=cohort.pk).update(
        bracket=4, planned=at_the_rung + 1, started=at_the_rung + 1, n_open=at_the_rung + 1
    )
    return study


def reports(study: Study) -> Iterator[Callable[[], str]]:
    """The word on each report, over and over."""
    scheduler = scheduler_of(study)
    entries = RungEntry.objects.filter(trial__study=study, trial__state=Trial.State.RUNNING).order_by("number")
    rows = list(entries.values_list("number", "loss"))
    while True:
        for number, loss in rows:
            yield lambda number=number, loss=loss: scheduler.on_report(StudyRungView(study), number, 1, loss)


def same(decide: Callable[[], Any]) -> Iterator[Callable[[], Any]]:
    while True:
        yield decide


def timed(runs: int, count: int, decisions: Iterator[Callable[[], Any]], kind: type) -> list[float]:
    """Mean milliseconds of each run's decisions. Raises RuntimeError where one is not of this kind."""
    means = []
    for _ in range(runs):
        seconds = 0.0
        with transaction.atomic():
            for _ in range(count):
                decide = next(decisions)
                began = time.perf_counter()
                found = decide()
                seconds += time.perf_counter() - began
                if not isinstance(found, kind):
                    raise RuntimeError(f"decided {found!r}, which is not what this study is made for")
        means.append(1000 * seconds / count)
    return means


def measured(runs: int, many: int, at_the_rung: int = AT_THE_RUNG) -> dict[str, list[float]]:
    """Mean milliseconds of each run's decisions, by the decision's words."""
    promotion = asha_promotion(at_the_rung)
    stopping = reporting("stopping", at_the_rung, "asha", Trial.State.PRUNED, Entry.CUT, type="stopping")
    median = reporting("median", at_the_rung, "median", Trial.State.COMPLETE, Entry.COMPLETE)
    cohort = halving(at_the_rung)
    found = {
        "ASHA, promotion: what runs next": timed(
            runs, many, same(lambda: scheduler_of(promotion).next(StudyRungView(promotion))), Start
        ),
        "ASHA, promotion: a whole claim's decision": timed(runs, many, same(lambda: next_action(promotion)), Start),
        "ASHA, stopping: a report": timed(runs, many, reports(stopping), str),
        "median stopping: a report": timed(runs, many, reports(median), str),
        "halving: what runs next": timed(
            runs, many, same(lambda: scheduler_of(cohort).next(StudyRungView(cohort))), Start
        ),
        "halving: whether the rung is whole": timed(
            runs, many, same(lambda: scheduler_of(cohort).settle(StudyRungView(cohort), False)), list
        ),
    }
    Trial.objects.filter(study=cohort, state=Trial.State.RUNNING).delete()
    Rung.objects.filter(cohort__study=cohort).update(busy=0)
    Cohort.objects.filter(study=cohort).update(planned=at_the_rung, started=at_the_rung)
    cut = same(lambda: scheduler_of(cohort).settle(StudyRungView(cohort), False))
    if len(next(cut)()) != at_the_rung:
        raise RuntimeError("the whole rung should have been cut at once")
    return found | {f"halving: the cut of {at_the_rung:,}, once": timed(runs, 1, cut, list)}


if __name__ == "__main__":
    print(json.dumps(measured(*map(int, sys.argv[1:]))))
