"""The database's view of a study passes the contract of all views, and its decisions are indexed queries."""

import time

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.engine.view_contract import RungViewContract
from tests.factories import make_study
from tuning.engine import TrialState
from tuning.engine.schedulers.view import EntryState
from tuning.models import Cohort, Rung, RungEntry, Study, Trial
from tuning.selectors.schedulers import scheduler_of
from tuning.services.scheduler_view import StudyRungView
from tuning.services.scheduling import next_action


@pytest.mark.django_db
class TestStudyRungView(RungViewContract):
    @pytest.fixture(autouse=True)
    def _owner(self, alice):
        self.alice = alice

    def view(self, trials, direction="minimize", budget=None):
        return self.rung_view([], trials, [], direction, budget)

    def rung_view(self, cohorts, members, entries, direction="minimize", budget=None):
        study = make_study(self.alice, direction=direction, n_trials=budget or 100)
        rows = [
            Cohort.objects.create(study=study, number=number, bracket=bracket, planned=planned)
            for number, (bracket, planned) in enumerate(cohorts)
        ]
        counts = dict.fromkeys(("waiting", "running", "paused", "complete", "pruned", "failed"), 0)
        for trial in members:
            if trial.origin == "added":
                continue  # only a driver in memory takes trials from elsewhere
            cohort = None if trial.cohort is None else rows[trial.cohort]
            counts[str(trial.state).lower()] += 1
            Trial.objects.create(
                study=study, number=trial.number, params=dict(trial.params), state=trial.state, resource=trial.resource,
                bracket=trial.bracket, cohort=cohort, rung=trial.rung, resource_done=trial.resume_step,
                finish_seq=None if trial.state.open else trial.number + 1,
            )  # fmt: skip
            if cohort is not None:
                cohort.started += 1
                cohort.n_open += trial.state.open
                cohort.save()
                if trial.state in (TrialState.WAITING, TrialState.RUNNING):
                    self._count(cohort, trial.rung, "busy")
        for number, rung, state, value in entries:
            trial = Trial.objects.get(study=study, number=number)
            sign = 1.0 if direction == "minimize" else -1.0
            RungEntry.objects.create(
                cohort=trial.cohort, rung=rung, trial=trial, number=number, state=state,
                step=3, loss=None if value is None else sign * value,
            )  # fmt: skip
            self._count(trial.cohort, rung, str(state))
        Study.objects.filter(pk=study.pk).update(
            budget_total=budget, **{f"n_{state}": count for state, count in counts.items()}
        )
        return StudyRungView(Study.objects.get(pk=study.pk))

    def _count(self, cohort, rung, column):
        row, _ = Rung.objects.get_or_create(cohort=cohort, number=rung)
        setattr(row, column, getattr(row, column) + 1)
        waiting = RungEntry.objects.filter(cohort=cohort, rung=rung, state="reached").order_by("loss", "number").first()
        row.best_number, row.best_loss = (waiting.number, waiting.loss) if waiting else (None, None)
        row.save()


# How many of 10,000 have gone on, and which number goes next: the best of all is 0, the best third is full of others.
KINDS = {"none went on": (0, 0), "a third went on": (3333, None), "and one for whom a better one came": (3333, 9999)}


@pytest.mark.django_db
@pytest.mark.parametrize("kind", KINDS)
def test_a_decision_with_ten_thousand_at_a_rung_is_quick_and_reads_indexes(alice, kind):
    promoted, chosen = KINDS[kind]
    study = make_study(
        alice, scheduler="asha", n_trials=20_000, parallel=20, max_resource=81, total_resource=10**6
    )  # fmt: skip
    cohort = Cohort.objects.create(study=study, number=0, bracket=0, planned=2**31 - 1, started=10_000, n_open=10_000)
    trials = Trial.objects.bulk_create(
        Trial(study=study, number=number, state="PAUSED", resource=1, resource_done=1, cohort=cohort, rung=0)
        for number in range(10_000)
    )
    better = {} if chosen is None else {chosen: 0.5 * promoted}  # came after the last of the third had gone on
    RungEntry.objects.bulk_create(
        RungEntry(cohort=cohort, rung=0, trial=trial, number=trial.number, loss=better.get(trial.number, trial.number),
                  state=EntryState.PROMOTED if trial.number < promoted else EntryState.REACHED)
        for trial in trials
    )  # fmt: skip
    number = promoted if chosen is None else chosen
    loss = better.get(number, number)
    Rung.objects.create(
        cohort=cohort, number=0, reached=10_000 - promoted, promoted=promoted, best_number=number, best_loss=loss
    )
    Study.objects.filter(pk=study.pk).update(n_paused=10_000, next_number=10_000, steps_settled=10_000)
    study = Study.objects.get(pk=study.pk)
    if promoted:
        with CaptureQueriesContext(connection) as asked:
            StudyRungView(study).promotable(0, 0, 3333)
        if connection.vendor == "sqlite":
            with connection.cursor() as cursor:
                cursor.execute("EXPLAIN QUERY PLAN " + asked[-1]["sql"])
                plan = " ".join(row[3] for row in cursor.fetchall())
            assert "USING COVERING INDEX rungentry_waiting (cohort_id=? AND rung=? AND state=? AND loss>?" in plan

    def decide():
        start = time.process_time()
        action = next_action(study)
        assert getattr(action, "number", None) == chosen
        return time.process_time() - start

    best = min(decide() for _ in range(9))
    print(f"{kind}: {1000 * best:.2f} ms")
    assert best < 0.01


@pytest.mark.django_db
def test_a_report_of_the_stopping_type_asks_three_times(alice, django_assert_num_queries):
    """For the trial, for the counts of its rung, for its rank: each costs a quarter of what a decision may."""
    study = make_study(alice, scheduler="asha", scheduler_options={"type": "stopping"}, n_trials=10, max_resource=9)
    cohort = Cohort.objects.create(study=study, number=0, bracket=0, planned=2**31 - 1, started=9, n_open=9)
    for number in range(9):
        trial = Trial.objects.create(
            study=study, number=number, state="RUNNING", resource=1, cohort=cohort, rung=0, bracket=0
        )
        RungEntry.objects.create(cohort=cohort, rung=0, trial=trial, number=number, loss=float(number), state="reached")
    Rung.objects.create(cohort=cohort, number=0, busy=9, reached=9, best_number=0, best_loss=0.0)
    for number, word in ((2, "continue"), (3, "stop")):
        with django_assert_num_queries(3):
            assert scheduler_of(study).on_report(StudyRungView(study), number, 1, float(number)) == word
