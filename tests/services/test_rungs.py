"""Schedulers with rungs over the database: the same decisions as in memory, and books that always agree."""

import math
from collections import Counter

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.factories import make_study
from tuning.engine import NothingToRun, Optimizer
from tuning.models import Cohort, Rung, RungEntry, Study, Trial
from tuning.selectors.budget import pauses, steps_committed
from tuning.selectors.work import attempt_of
from tuning.services.endings import fail_trial, finish_run, prune_trial, requeue_trial
from tuning.services.history import study_history
from tuning.services.lifecycle import cancel_trial, pause_study, resume_study, stop_study
from tuning.services.metrics import Point
from tuning.services.proposing import engine_space
from tuning.services.reporting import record_points
from tuning.services.scheduling import resource_of_run
from tuning.services.starting import Holder, start_next
from tuning.services.trials import enqueue_trial

pytestmark = pytest.mark.django_db
SPACE = {"x": {"type": "float", "low": 0.0, "high": 1.0}}
METRIC = "validation/loss"


def make(alice, scheduler="hyperband", n_trials=17, max_resource=9, **more):
    """A running study over one parameter, sampled at random."""
    more = {"sampler": "random", "parallel": 100, "space": SPACE, "seed": 3, **more}
    return make_study(alice, started=True, scheduler=scheduler, n_trials=n_trials, max_resource=max_resource, **more)


def ask(study):
    return start_next(study_id=study.pk, holder=Holder(host="script"))


def advance(trial, value, steps=None):
    """Report step by step as a worker's process does, up to where the run ends; the decision that ended it."""
    study = Study.objects.get(pk=trial.study_id)
    resource, step = resource_of_run(study, trial), trial.resource_done
    for step in range(trial.resource_done + 1, resource + 1):
        point = Point(step, {METRIC: value(trial, step)}, 1.0)
        decision = record_points(trial_id=trial.pk, fence=trial.fence, points=[point])
        if decision == "stop":
            return prune_trial(trial_id=trial.pk, fence=trial.fence, reason="stopped by the scheduler")
        if decision == "pause":
            break
        if steps is not None and step >= steps:
            return "running"
    Trial.objects.filter(pk=trial.pk).update(checkpoint="kept.pt", checkpoint_step=step)
    return finish_run(trial_id=trial.pk, fence=trial.fence)


def leap(trial, value):
    """The same in one report of all steps up to where a trial pauses, as of a run shorter than a worker's flush."""
    steps = range(trial.resource_done + 1, trial.resource + 1)
    points = [Point(step, {METRIC: value(trial, step)}, 1.0) for step in steps]
    record_points(trial_id=trial.pk, fence=trial.fence, points=points)
    Trial.objects.filter(pk=trial.pk).update(checkpoint="kept.pt", checkpoint_step=trial.resource)
    return finish_run(trial_id=trial.pk, fence=trial.fence)


def run_out(study, value, workers=1, run=advance):
    """Run the study to its end, so many trials at a time."""
    while True:
        trials = [trial for trial in (ask(study) for _ in range(workers)) if trial is not None]
        if not trials:
            return
        for trial in trials:
            run(trial, value)


def check_books(study):
    """Every count equals a recount of the trials and entries."""
    for cohort in Cohort.objects.filter(study=study):
        members = list(Trial.objects.filter(cohort=cohort))
        assert cohort.started == len(members) <= cohort.planned
        assert cohort.n_open == sum(member.is_open for member in members)
        busy = Counter(member.rung for member in members if member.state in ("WAITING", "RUNNING"))
        for rung in Rung.objects.filter(cohort=cohort):
            states = Counter(RungEntry.objects.filter(cohort=cohort, rung=rung.number).values_list("state", flat=True))
            found = {"busy": rung.busy, **{state: getattr(rung, state) for state in RungEntry.State.values}}
            assert found == {"busy": busy[rung.number], **{state: states[state] for state in RungEntry.State.values}}
            waiting = RungEntry.objects.filter(cohort=cohort, rung=rung.number, state="reached", loss__isnull=False)
            best = min(waiting.values_list("loss", "number"), default=(None, None))
            assert (rung.best_loss, rung.best_number) == best
            if rung.mark_among:
                among = {} if rung.mark_among == "all" else {"state": "complete"}
                ranked = RungEntry.objects.filter(cohort=cohort, rung=rung.number, loss__isnull=False, **among)
                place = sorted(ranked.values_list("loss", "number"))[rung.mark_rank]
                assert place == (rung.mark_loss, rung.mark_number)
    study.refresh_from_db()
    counts = Counter(Trial.objects.filter(study=study).values_list("state", flat=True))
    assert [study.n_paused, study.n_waiting, study.n_running] == [
        counts["PAUSED"], counts["WAITING"], counts["RUNNING"],
    ]  # fmt: skip
    assert steps_committed(study) == sum(may_train(study, trial) for trial in Trial.objects.filter(study=study))


def may_train(study, trial):
    """The steps that a trial has come to, or may come to while it is at work; at least one where it is not."""
    if trial.state in ("WAITING", "RUNNING"):
        return max(trial.resource_done, (trial.resource if pauses(study) else study.max_resource) or 0)
    return max(trial.resource_done, 1)


def ends(study):
    return {
        trial.number: (trial.state, trial.resource_done, trial.bracket, trial.cohort and trial.cohort.number)
        for trial in Trial.objects.filter(study=study).select_related("cohort")
    }


def by_number(trial, step):
    return -float(trial.number)


@pytest.mark.parametrize("workers", [1, 5])
def test_a_round_of_hyperband_is_the_published_table(alice, workers):
    study = make(alice)
    run_out(study, by_number, workers)
    assert Counter(end[1:3] for end in ends(study).values()) == {
        (1, 2): 6, (3, 2): 2, (9, 2): 1, (3, 1): 4, (9, 1): 1, (9, 0): 3,
    }  # fmt: skip
    study.refresh_from_db()
    assert (study.state, study.n_complete, study.n_pruned) == ("FINISHED", 5, 12)
    check_books(study)
    cut = Trial.objects.get(study=study, number=0)
    assert (cut.state, cut.reason, cut.value) == ("PRUNED", "cut at 1: place 9 of 9, and 3 go on", 0.0)


SCHEDULERS = st.sampled_from(
    [
        ("hyperband", {}),
        ("successive_halving", {}),
        ("successive_halving", {"cohort_size": 5}),
        ("asha", {"type": "promotion"}),
        ("asha", {"type": "stopping"}),
        ("median", {"n_startup_trials": 2}),
    ]
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    SCHEDULERS, st.integers(1, 20), st.integers(1, 14), st.sampled_from(["minimize", "maximize"]),
    st.integers(1, 5), st.integers(0, 10**6),
)  # fmt: skip
def test_the_database_decides_as_the_optimizer_does(alice, scheduler, budget, R, direction, workers, seed):
    name, options = scheduler
    study = make(
        alice, name, n_trials=budget, max_resource=R, direction=direction, scheduler_options=options, reduction_factor=2
    )
    optimizer = Optimizer(
        SPACE, "random", name, direction, seed=3, max_resource=R, reduction_factor=2, budget=budget,
        scheduler_options=options,
    )  # fmt: skip

    def value(trial, step):
        return float((trial.number * 7 + step * 13 + seed) % 10) / 10

    for _ in range(10_000):
        try:
            running = [optimizer.ask()]
        except NothingToRun as nothing:
            if nothing.reason != "exhausted":
                raise AssertionError("nothing runs, and yet it waits") from nothing
            break
        running += optimizer.ask_many(workers - 1)
        trials = [ask(study) for _ in running]
        assert [trial.number for trial in trials] == [trial.number for trial in running], "also of several that wait"
        assert {one.number: one.params for one in study.trials.all()} == {
            one.number: one.params for one in optimizer.trials
        }
        for trial in running:
            while optimizer.trials[trial.number].state == "RUNNING":
                step = optimizer.trials[trial.number].resume_step + 1
                optimizer.report(trial.number, step, value(trial, step))
        for trial in trials:
            advance(trial, value)
        check_books(study)
    optimizer.close()
    assert ask(study) is None
    expected = {
        trial.number: (str(trial.state), trial.resume_step, trial.bracket, trial.cohort) for trial in optimizer.trials
    }
    assert ends(study) == expected
    study.refresh_from_db()
    assert study.state == "FINISHED"
    assert study.best_trial.number == optimizer.best.number
    check_books(study)


LOSSES = [5.0, 1.0, 8.0, 0.5, 7.0, 1.0, 6.0, 9.0, 4.0]  # the best three: 3, then 1, then 5


def order_in_memory():
    """Which trials go on, in the order in which they are handed out, with one that a person queues afterwards."""
    optimizer = Optimizer(SPACE, "random", "successive_halving", max_resource=9, budget=20)
    for trial in optimizer.ask_many(9):
        optimizer.report(trial.number, 1, LOSSES[trial.number])
    optimizer.enqueue({"x": 0.5})
    return [trial.number for trial in optimizer.ask_many(4)]


def test_those_that_wait_go_by_their_rank_and_one_that_was_lost_keeps_its_turn(alice):
    study = make(alice, "successive_halving", n_trials=20)
    for trial in [ask(study) for _ in range(9)]:
        advance(trial, lambda trial, step: LOSSES[trial.number])
    enqueue_trial(study_id=study.pk, actor=alice, params={"x": 0.5})
    first, second = ask(study), ask(study)
    requeue_trial(trial_id=second.pk, fence=second.fence, why="lost", lost=True)
    requeue_trial(trial_id=first.pk, fence=first.fence, why="lost", lost=True)
    assert [ask(study).number for _ in range(4)] == [3, 1, 5, 9] == order_in_memory()
    pause_study(study_id=study.pk, actor=alice)
    resume_study(study_id=study.pk, actor=alice)
    assert [ask(study).number for _ in range(4)] == [3, 1, 5, 9]


def closing_queries(alice, size):
    """How many queries the run takes that closes a rung of so many trials, and then a stop of the study."""
    options = {"cohort_size": size}
    study = make(alice, "successive_halving", n_trials=2 * size, max_resource=3, scheduler_options=options)
    trials = [ask(study) for _ in range(size)]
    for trial in trials[:-1]:
        advance(trial, by_number)
    record_points(trial_id=trials[-1].pk, fence=1, points=[Point(1, {METRIC: 0.5}, 1.0)])
    with CaptureQueriesContext(connection) as closing:
        assert finish_run(trial_id=trials[-1].pk, fence=1) == "PAUSED"
    check_books(study)
    cut = study.trials.filter(state="PRUNED").order_by("finish_seq")
    assert (study.n_waiting, study.n_pruned, study.finish_seq) == (size // 3, size - size // 3, size - size // 3)
    assert [trial.finish_seq for trial in cut] == list(range(1, study.finish_seq + 1))
    words = f"of {size}, and {size // 3} go on"
    assert [t.reason for t in cut] == [f"cut at 1: place {n} {words}" for n in range(size // 3 + 1, size + 1)]
    assert set(study.trials.filter(state="WAITING").values_list("resource", "rung", "reason")) == {(3, 1, "promoted")}
    stop_study(study_id=study.pk, actor=alice)
    return len(closing)


def test_a_rung_that_closes_takes_as_many_queries_for_sixty_trials_as_for_six(alice):
    assert closing_queries(alice, 60) == closing_queries(alice, 6)


def test_a_study_that_stops_prunes_what_is_paused_in_as_many_queries_whatever_their_number(alice):
    counts = []
    for paused in (3, 30):  # nobody is promoted before somebody asks
        study = make(alice, "asha", n_trials=100, max_resource=3)
        for trial in [ask(study) for _ in range(paused)]:
            advance(trial, by_number)
        with CaptureQueriesContext(connection) as stopping:
            stop_study(study_id=study.pk, actor=alice)
        check_books(study)
        assert (study.n_pruned, study.finish_seq) == (paused, paused)
        counts.append(len(stopping))
    assert counts[0] == counts[1]


def test_a_trial_that_is_lost_on_its_way_up_goes_on_from_its_checkpoint_and_the_rung_waits(alice):
    study = make(alice, "successive_halving", n_trials=3, max_resource=3)
    first, second, third = (ask(study) for _ in range(3))
    for trial in (first, second):
        assert advance(trial, by_number) == "PAUSED"
    requeue_trial(trial_id=third.pk, fence=third.fence, why="lost", lost=True)
    check_books(study)
    assert study.trials.filter(state="PAUSED").count() == 2
    again = ask(study)
    assert (again.number, again.fence) == (2, 2)
    advance(again, by_number)
    check_books(study)
    assert [trial.state for trial in study.trials.order_by("number")] == ["PRUNED", "PRUNED", "WAITING"]
    promoted = ask(study)
    assert (promoted.resource, promoted.resource_done, promoted.rung) == (3, 1, 1)
    assert attempt_of(promoted).start_step == 1
    assert advance(promoted, by_number) == "COMPLETE"


def test_a_run_that_died_between_its_report_and_its_pause_pauses_after_the_resume(alice):
    study = make(alice, "successive_halving", n_trials=3, max_resource=3)
    trial = ask(study)
    record_points(trial_id=trial.pk, fence=trial.fence, points=[Point(1, {METRIC: 0.5}, 1.0)])
    Trial.objects.filter(pk=trial.pk).update(checkpoint="kept.pt", checkpoint_step=1)
    requeue_trial(trial_id=trial.pk, fence=trial.fence, why="lost", lost=True)
    again = ask(study)
    assert again.resource_done == 1
    assert finish_run(trial_id=again.pk, fence=again.fence) == "PAUSED"  # its process had nothing left to do
    check_books(study)


def test_a_function_that_runs_through_all_rungs_is_complete(alice):
    study = make(alice, "successive_halving", n_trials=3, max_resource=3)
    trial = ask(study)
    points = [Point(step, {METRIC: 1.0 / step}, 1.0) for step in (1, 2, 3)]
    assert record_points(trial_id=trial.pk, fence=trial.fence, points=points) == "pause"
    assert finish_run(trial_id=trial.pk, fence=trial.fence, value=0.3) == "COMPLETE"
    check_books(study)
    run_out(study, by_number)
    study.refresh_from_db()
    assert study.state == "FINISHED"


def test_failures_cancellations_and_values_that_are_not_finite_never_block_a_cohort(alice):
    study = make(alice, "successive_halving", n_trials=9)
    trials = [ask(study) for _ in range(9)]
    fail_trial(trial_id=trials[0].pk, fence=1, reason_code="code_error", reason="no")
    cancel_trial(trial_id=trials[1].pk, actor=alice)
    assert advance(trials[2], lambda trial, step: math.nan) == "FAILED"
    assert Trial.objects.get(pk=trials[2].pk).reason_code == "diverged"
    assert advance(trials[3], by_number) == "PAUSED"
    cancel_trial(trial_id=trials[3].pk, actor=alice)
    for trial in trials[4:]:
        advance(trial, by_number)
    check_books(study)
    assert sorted(study.trials.filter(state="WAITING").values_list("number", flat=True)) == [6, 7, 8]
    run_out(study, by_number)
    study.refresh_from_db()
    assert (study.state, study.best_trial.number) == ("FINISHED", 8)
    check_books(study)


def test_a_person_pauses_and_resumes_in_the_middle_of_a_rung(alice):
    study = make(alice, "successive_halving", n_trials=9)
    trials = [ask(study) for _ in range(5)]
    for trial in trials[:3]:
        advance(trial, by_number)
    pause_study(study_id=study.pk, actor=alice)
    check_books(study)
    resume_study(study_id=study.pk, actor=alice)
    run_out(study, by_number, workers=2)
    study.refresh_from_db()
    assert (study.state, study.best_trial.number) == ("FINISHED", 8)
    check_books(study)


def test_stopping_prunes_what_is_paused_and_cancels_the_rest(alice):
    study = make(alice, "asha", n_trials=9)
    trials = [ask(study) for _ in range(3)]
    advance(trials[0], by_number)
    stop_study(study_id=study.pk, actor=alice)
    assert [trial.state for trial in study.trials.order_by("number")] == ["PRUNED", "FAILED", "FAILED"]
    check_books(study)


@pytest.mark.parametrize("scheduler", ["successive_halving", "hyperband", "asha", "median"])
def test_a_grid_that_runs_out_cuts_its_cohort_short_and_the_study_ends(alice, scheduler):
    space = {"k": {"type": "int", "low": 1, "high": 4}}
    study = make(alice, scheduler, n_trials=None, sampler="grid", space=space, max_resource=9)
    run_out(study, by_number, workers=2)
    study.refresh_from_db()
    assert (study.state, study.n_created, study.n_open, study.best_trial.number) == ("FINISHED", 4, 0, 3)
    check_books(study)


def test_a_person_may_queue_more_than_the_grid_has(alice):
    space = {"k": {"type": "int", "low": 1, "high": 4}}
    study = make(alice, "successive_halving", n_trials=None, sampler="grid", space=space)
    trials = [ask(study) for _ in range(4)]
    assert ask(study) is None
    enqueue_trial(study_id=study.pk, actor=alice, params={"k": 2})
    for trial in [*trials, ask(study)]:
        advance(trial, by_number)
    run_out(study, by_number)
    study.refresh_from_db()
    assert (study.state, study.n_created, study.n_complete) == ("FINISHED", 5, 1)
    check_books(study)


def test_what_a_person_queues_joins_the_cohort(alice):
    study = make(alice, "successive_halving", n_trials=9)
    queued = enqueue_trial(study_id=study.pk, actor=alice, params={"x": 0.5})
    assert (queued.resource, queued.cohort.number, queued.rung) == (1, 0, 0)
    first = ask(study)
    assert first.pk == queued.pk
    run_out(study, by_number)
    check_books(study)


def test_with_asha_no_slot_waits_while_anything_could_start(alice):
    study = make(alice, "asha", n_trials=50)
    assert all(ask(study) is not None for _ in range(50))
    assert ask(study) is None


def test_the_sampler_sees_what_trials_came_to_at_their_rungs(alice):
    study = make(alice, "successive_halving", n_trials=4, max_resource=9, direction="maximize", sampler="tpe")
    trials = [ask(study) for _ in range(3)]
    for trial in trials:
        advance(trial, lambda trial, step: 0.1 * trial.number + step)
    study.refresh_from_db()
    history = study_history(study, engine_space(study))
    rows = {history.trial(row).number: history.trial(row) for row in range(history.n)}
    assert [dict(rows[number].intermediate) for number in range(3)] == [{1: 1.0}, {1: 1.1}, {1: 1.2}]
    advance(ask(study), lambda trial, step: 9.0)  # the fourth: the rung is cut
    advance(ask(study), lambda trial, step: float(step))
    study.refresh_from_db()
    history = study_history(study, engine_space(study))
    rows = {history.trial(row).number: history.trial(row) for row in range(history.n)}
    assert (rows[3].state, dict(rows[3].intermediate)) == ("WAITING", {1: 9.0, 3: 3.0})
    assert rows[0].state == "PRUNED"
