"""Advice put to the test: pairs of runs on the same seeds, in a study of their own, and what they have shown."""

import math

import pytest

from tests.factories import make_running, make_study, make_workload, report
from tuning.models import AdviceTest, AuditEvent, Split, Study, Trial
from tuning.selectors.advice_tests import Record, comparison_of, cost_of, horizon_of, newest_tests, records
from tuning.selectors.diagnostics import trial_verdict
from tuning.selectors.sources import teaching_studies
from tuning.selectors.studies import study_list
from tuning.selectors.tried_advice import result_words
from tuning.services.advising import early_order
from tuning.services.endings import complete_trial, fail_trial
from tuning.services.errors import Conflict, Forbidden, Invalid
from tuning.services.extending import extend_study
from tuning.services.lifecycle import stop_study
from tuning.services.retrying import retry_trial
from tuning.services.studies import delete_study, update_study
from tuning.services.trials import enqueue_trial
from tuning.services.trying import try_advice

pytestmark = pytest.mark.django_db
SPACE = {
    "lr": {"type": "float", "low": 1e-4, "high": 0.1, "log": True},
    "dropout": {"type": "float", "low": 0.0, "high": 0.7},
    "layers": {"type": "int", "low": 1, "high": 3},
    "units_2": {"type": "int", "low": 16, "high": 256, "log": True, "when": {"layers": {"low": 2}}},
}
OWN = {**SPACE, "weight_decay": {"type": "float", "low": 1e-6, "high": 0.1, "log": True}}
PARAMS = {"lr": 0.01, "dropout": 0.1, "layers": 1}
GAP = [0.9, 0.85, 0.8, 0.75, 0.72, 0.7]  # validation; training goes to 0.1: overfit, not turning yet
TURN = [0.6, 0.5, 0.45, 0.5, 0.6, 0.7]


@pytest.fixture(autouse=True)
def _workload(db):
    make_workload("tiny", max_resource=6, space=OWN)
    Split.objects.update(sizes={"train": 100, "validation": 100, "test": 100})


def overfitted(alice, losses=GAP, **settings) -> Trial:
    """A complete trial whose training loss goes to nothing."""
    study = make_study(alice, workload="tiny", space=SPACE, started=True, **settings)
    enqueue_trial(study_id=study.pk, actor=alice, params=PARAMS)
    trial = make_running(study)
    report(trial, losses, train__loss=[0.9, 0.6, 0.3, 0.2, 0.15, 0.1])
    complete_trial(trial_id=trial.pk, fence=trial.fence)
    Trial.objects.filter(pk=trial.pk).update(run_seconds=12.0)
    return Trial.objects.select_related("study", "space").get(pk=trial.pk)


def play(test, losses):
    """Every run to its end, its last loss as losses(pair, side) says; None diverges."""
    study = Study.objects.get(pk=test.study_id)
    sides = 1 if test.stops else 2
    while Trial.objects.filter(study=study, state="WAITING").exists():
        trial = make_running(study)
        pair, side = divmod(trial.number, sides)
        value = losses(pair, side)
        if value is None:
            fail_trial(trial_id=trial.pk, fence=trial.fence, reason_code="diverged", reason="nan")
        else:
            curve = value if isinstance(value, list) else [2.0, 1.0, 1.0, 1.0, 1.0, value]
            report(trial, curve)
            complete_trial(trial_id=trial.pk, fence=trial.fence)
    test.refresh_from_db()
    return test


def test_pairs_of_runs_on_the_same_seeds(alice):
    trial = overfitted(alice, parallel=3, visibility="private", deterministic=True, trial_seconds=100)
    assert trial_verdict(trial).rule == "overfit"
    test = try_advice(trial_id=trial.pk, actor=alice, action="more_dropout")
    runs = test.study
    assert (runs.kind, runs.state, runs.budget_total, runs.scheduler) == ("paired", "RUNNING", 10, "none")
    same = ("owner", "visibility", "parallel", "deterministic", "objective", "metric", "max_resource", "trial_seconds")
    assert [getattr(runs, name) for name in same] == [getattr(trial.study, name) for name in same]
    trials = list(runs.trials.order_by("number"))
    assert [one.seed for one in trials] == [runs.seed + pair for pair in range(5) for _ in range(2)]
    assert [one.params["dropout"] for one in trials[:2]] == [0.1, 0.25]
    assert all(one.resource == 6 and one.origin == "paired" for one in trials)
    assert trial.seed not in {one.seed for one in trials}
    assert try_advice(trial_id=trial.pk, actor=alice, action="more_dropout") == test, "while it runs it is the same"
    assert AuditEvent.objects.filter(verb="tried advice on", object_id=trial.pk).count() == 1


def test_what_the_pairs_say_while_they_run_and_at_the_end(alice):
    trial = overfitted(alice)
    test = try_advice(trial_id=trial.pk, actor=alice, action="more_dropout", pairs=3)
    assert comparison_of(test).differences == (None, None, None)
    play(test, lambda pair, side: 0.7 + 0.01 * pair - side * (0.1 + 0.01 * pair))
    assert (test.outcome, test.counted) == ("helped", 3)
    assert test.differences == pytest.approx([0.1, 0.11, 0.12])
    assert test.mean == pytest.approx(0.11)
    assert test.low == pytest.approx(0.11 - 4.30265 * 0.01 / math.sqrt(3), abs=1e-6)  # t(0.975, 2)
    assert test.study.state == "FINISHED"
    again = try_advice(trial_id=trial.pk, actor=alice, action="more_dropout", pairs=2)
    assert again != test
    play(again, lambda pair, side: 0.5 + side * (0.2 if pair else 0.201))
    assert again.outcome == "worse"
    assert newest_tests(trial) == [again], "the newest of each advice"
    found = records()
    assert found.by_rule["overfit"] == found.by_action["more_dropout"] == found.by_both["overfit", "more_dropout"]
    assert found.by_rule["overfit"] == Record(tried=2, helped=1, worse=1)


def test_maximising_turns_the_difference_round(alice):
    trial = overfitted(alice, metric="validation/accuracy", direction="maximize")
    test = try_advice(trial_id=trial.pk, actor=alice, action="more_dropout", pairs=2)
    study = test.study
    for number in range(4):
        run = make_running(study)
        report(run, [0.5] * 6, validation__accuracy=[0.8 + 0.05 * (number % 2) + 0.001 * number] * 6)
        complete_trial(trial_id=run.pk, fence=run.fence)
    test.refresh_from_db()
    assert test.differences == pytest.approx([0.051, 0.051])
    assert test.outcome == "helped"


def test_a_run_that_diverges_or_is_missing(alice):
    trial = overfitted(alice)
    saved = try_advice(trial_id=trial.pk, actor=alice, action="more_dropout", pairs=2)
    play(saved, lambda pair, side: 0.5 if side else None)
    assert (saved.outcome, saved.mean, saved.differences) == ("helped", None, [math.inf, math.inf])
    stopped = try_advice(trial_id=trial.pk, actor=alice, action="more_dropout", pairs=3)
    stop_study(study_id=stopped.study_id, actor=alice)
    stopped.refresh_from_db()
    assert (stopped.outcome, stopped.counted) == ("undecided", 0)
    assert records().by_rule["overfit"].tried == 1, "what never ran was never tried"


def test_what_the_study_left_out_and_its_workload_has_is_added(alice):
    trial = overfitted(alice)
    test = try_advice(trial_id=trial.pk, actor=alice, action="more_weight_decay", pairs=2)
    without, with_it = test.study.trials.order_by("number")[:2]
    assert "weight_decay" not in without.params
    assert 1e-6 <= with_it.params["weight_decay"] <= 0.1
    assert set(test.study.space.document) == {"lr", "dropout", "layers"}, "what every run has"


def test_a_larger_model_gets_what_its_layers_need(alice):
    study = make_study(alice, workload="tiny", space=SPACE, started=True)
    enqueue_trial(study_id=study.pk, actor=alice, params=PARAMS)
    trial = make_running(study)
    flat = [1.0, 0.99, 0.985, 0.98, 0.98, 0.98]
    report(trial, flat, train__loss=flat)
    complete_trial(trial_id=trial.pk, fence=trial.fence)
    test = try_advice(trial_id=trial.pk, actor=alice, action="more_capacity", pairs=2)
    with_it = test.study.trials.get(number=1)
    assert (with_it.params["layers"], with_it.params["units_2"]) == (2, 63), "the middle of what has become active"


def test_stopping_early_takes_one_run_a_seed(alice):
    trial = overfitted(alice, TURN)
    verdict = trial_verdict(trial)
    assert (verdict.rule, verdict.advice[0].action, verdict.advice[0].resource) == ("overfit_turning", "early_stop", 3)
    assert cost_of(trial, verdict.advice[0], 4).runs == 4
    test = try_advice(trial_id=trial.pk, actor=alice, action="early_stop", pairs=2)
    assert test.study.trials.count() == 2
    play(test, lambda pair, side: [0.9, 0.6, 0.5, 0.6, 0.7, 0.8 + 0.01 * pair])
    assert test.differences == pytest.approx([0.3, 0.31])
    assert test.outcome == "helped"


def test_training_longer_goes_beyond_the_studys_longest(alice):
    losses = [0.95, 0.9, 0.85, 0.8, 0.75, 0.7]
    study = make_study(alice, workload="tiny", space=SPACE, started=True)
    enqueue_trial(study_id=study.pk, actor=alice, params=PARAMS)
    trial = make_running(study)
    report(trial, losses, train__loss=losses)
    complete_trial(trial_id=trial.pk, fence=trial.fence)
    test = try_advice(trial_id=trial.pk, actor=alice, action="train_longer", pairs=2)
    without, with_it = test.study.trials.select_related("study").order_by("number")[:2]
    assert (without.resource, with_it.resource, test.study.max_resource) == (6, 12, 12)
    assert (horizon_of(without), horizon_of(with_it)) == (6, 12), "a schedule ends where each training does"


def test_what_it_costs_is_the_trials_own_time(alice):
    trial = overfitted(alice)
    advice = next(one for one in trial_verdict(trial).advice if one.action == "more_dropout")
    assert (cost_of(trial, advice).runs, cost_of(trial, advice).seconds) == (10, pytest.approx(120.0))
    trial.run_seconds = 0.0
    assert cost_of(trial, advice).seconds is None


def test_who_may_and_what_cannot_be_tried(alice, bob):
    trial = overfitted(alice)
    with pytest.raises(Forbidden):
        try_advice(trial_id=trial.pk, actor=bob, action="more_dropout")
    with pytest.raises(Invalid, match="can be tried: train_longer, more_dropout, more_weight_decay"):
        try_advice(trial_id=trial.pk, actor=alice, action="lower_learning_rate")
    with pytest.raises(Invalid, match="other data"):
        try_advice(trial_id=trial.pk, actor=alice, action="more_data")
    for pairs in (1, 21, True):
        with pytest.raises(Invalid):
            try_advice(trial_id=trial.pk, actor=alice, action="more_dropout", pairs=pairs)
    run = make_running(trial.study)
    with pytest.raises(Conflict, match="running still"):
        try_advice(trial_id=run.pk, actor=alice, action="more_dropout")
    script = make_running(make_study(alice, started=True))
    with pytest.raises(Conflict, match="own process"):
        try_advice(trial_id=script.pk, actor=alice, action="more_dropout")
    assert AdviceTest.objects.count() == 0


def test_paired_runs_stand_as_they_were_made(alice):
    trial = overfitted(alice)
    test = try_advice(trial_id=trial.pk, actor=alice, action="more_dropout", pairs=2)
    play(test, lambda pair, side: None if pair else 0.5)
    runs, failed = test.study, test.study.trials.filter(state="FAILED").first()
    for again in (
        lambda: extend_study(study_id=runs.pk, actor=alice, n_trials=9),
        lambda: retry_trial(trial_id=failed.pk, actor=alice),
        lambda: enqueue_trial(study_id=runs.pk, actor=alice, params=PARAMS),
        lambda: update_study(study=runs, actor=alice, n_trials=9),
        lambda: try_advice(trial_id=failed.pk, actor=alice, action="more_dropout"),
    ):
        with pytest.raises(Conflict, match="runs of an advice"):
            again()


def test_they_are_no_studies_like_others(alice):
    trial = overfitted(alice)
    test = try_advice(trial_id=trial.pk, actor=alice, action="more_dropout", pairs=3)
    play(test, lambda pair, side: 0.5)
    assert (test.outcome, test.mean, test.low, test.high) == ("undecided", 0.0, 0.0, 0.0), "no difference is none"
    words = "Undecided: no difference on average (95 %: 0 to 0), over 3 seeds. The interval contains 0."
    assert result_words(test, comparison_of(test)) == words
    assert study_list(alice).rows == [trial.study]
    assert teaching_studies(alice, "tiny") == [trial.study]
    assert early_order(alice, "tiny", 6) is None
    assert trial.study.trials.count() == 1


def test_what_was_shown_outlives_its_runs_and_its_trial(alice):
    trial = overfitted(alice)
    first = try_advice(trial_id=trial.pk, actor=alice, action="more_dropout", pairs=2)
    play(first, lambda pair, side: 0.5 - 0.1 * side)
    second = try_advice(trial_id=trial.pk, actor=alice, action="more_weight_decay", pairs=2)
    stop_study(study_id=trial.study_id, actor=alice)
    with pytest.raises(Conflict, match="stop it before"):
        delete_study(study=trial.study, actor=alice)
    stop_study(study_id=second.study_id, actor=alice)
    delete_study(study=trial.study, actor=alice)
    assert not Study.objects.exists()
    kept = AdviceTest.objects.get(pk=first.pk)
    assert (kept.trial, kept.study, kept.outcome) == (None, None, "helped")
    assert comparison_of(kept).mean == pytest.approx(0.1)
    assert records().by_rule["overfit"].helped == 1
