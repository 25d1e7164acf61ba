"""Looks at running studies: which study, when, what is stored, and the end of one that is not worth another hour."""

import numpy as np
import pytest

from tests.factories import make_running, make_slot, make_study, make_workload, report
from tuning.analysis import Worth
from tuning.models import Study, Trial, WorthLook
from tuning.selectors.worth import due_for_a_look, worth_document, worth_findings, worth_look, worth_words
from tuning.services import worth as looking
from tuning.services.cloning import clone_study
from tuning.services.endings import finish_run
from tuning.services.exclusion import exclude_trial
from tuning.services.extending import extend_study
from tuning.services.scripts import ask_trials, tell
from tuning.services.studies import delete_study, update_study
from tuning.services.worth import look_at_next, next_hour, store_look

pytestmark = pytest.mark.django_db
SPACE = {"x": {"type": "float", "low": 0.0, "high": 1.0}}
SETTINGS = {"space": SPACE, "metric": "value", "n_trials": 200, "sampler": "qmc", "parallel": 8}


def bowl(params, rng, noise=0.02):
    return (params["x"] - 0.3) ** 2 + noise * float(rng.standard_normal())


def run(study, n, value=bowl, seed=0):
    """n further trials of a script, six minutes each."""
    rng = np.random.default_rng([seed, study.next_number])
    for _ in range(n):
        (asked,) = ask_trials(study_id=study.pk, actor=study.owner, n=1)
        tell(trial_id=asked.trial.pk, lease=asked.lease, value=value(asked.trial.params, rng))
    Trial.objects.filter(study=study).update(run_seconds=360)
    study.refresh_from_db()


def look(study):
    """The next look, which is at this study; the statement after it."""
    assert look_at_next()
    study.refresh_from_db()
    return WorthLook.objects.get(study=study)


@pytest.fixture
def study(alice):
    return make_study(alice, started=True, **SETTINGS)


def test_looks_begin_with_twenty_complete_trials_and_then_every_five(study):
    run(study, 19)
    assert due_for_a_look() is None and not look_at_next()
    assert "20 complete trials" in worth_document(study)["problem"]
    run(study, 1)
    row = look(study)
    assert (row.complete, row.document["trials"], row.document["hour"]) == (20, 20, 10)
    assert not look_at_next(), "of the same trials another look would say the same"
    run(study, 4)
    assert not look_at_next()
    run(study, 1)
    assert look(study).complete == 25


def test_two_looks_make_the_statement_which_the_page_and_scripts_read(study):
    run(study, 60)
    version = study.version
    row = look(study)
    assert row.document["high"] < row.document["noise"], "the bottom of the bowl was found long ago"
    assert (row.not_worth, worth_findings(study, worth_look(study))) == (False, []), "one look is none"
    assert study.version > version, "the page shows what was seen"
    run(study, 5)
    assert look(study).not_worth
    (finding,) = worth_findings(study, worth_look(study))
    assert (finding.rule, finding.evidence["noise_of"]) == ("WORTH", "model")
    assert worth_words(study, worth_look(study)).startswith("Next hour of device time: expected gain ")
    assert worth_document(study)["not_worth"]
    assert study.state == "RUNNING", "nobody asked for its end"


def test_a_better_region_takes_the_statement_back(study):
    run(study, 60)
    look(study)
    run(study, 5)
    assert look(study).not_worth
    promising = Worth(70, 10, 0.5, 0.1, 0.9, "model", 0.02, "model")
    store_look(study_id=study.pk, seen=study, said=promising)
    row = worth_look(study)
    assert (row.not_worth, row.contrary) == (True, 1)
    assert worth_findings(study, row) == [], "it has no reason to give any more"
    store_look(study_id=study.pk, seen=study, said=promising)
    assert not worth_look(study).not_worth


def test_a_study_that_is_to_end_for_it_ends_with_its_best_and_cuts_short_what_runs(alice):
    study = make_study(alice, started=True, workload="tiny", n_trials=200, parallel=8, sampler="random",
                       space=SPACE, stop_when_not_worth=True)  # fmt: skip
    rng, slot = np.random.default_rng(0), make_slot()
    trials = []
    for _ in range(60):
        trial = make_running(study, slot)
        report(trial, [bowl(trial.params, rng)] * 5)
        finish_run(trial_id=trial.pk, fence=trial.fence)
        trials.append(trial)
    Trial.objects.filter(study=study).update(run_seconds=360)
    study.refresh_from_db()
    look(study)
    assert study.state == "RUNNING"
    for _ in range(5):
        trial = make_running(study, slot)
        report(trial, [bowl(trial.params, rng)] * 5)
        finish_run(trial_id=trial.pk, fence=trial.fence)
    begun = make_running(study, slot)
    report(begun, [0.5, 0.4])
    row = look(study)
    assert study.state == "FINISHED"
    assert study.state_reason.startswith("another hour is not worth it: an hour of device time pays ")
    assert "the seed alone moves a value by" in study.state_reason
    begun.refresh_from_db()
    assert (begun.state, begun.value) == ("PRUNED", 0.4)
    assert begun.reason == "cut short: another hour is not worth it"
    assert study.best_trial.state == "COMPLETE"
    assert study.n_open == 0
    assert not row.not_worth, "whoever extends it has two looks before it ends again"
    assert worth_document(study)["findings"] == []
    extend_study(study_id=study.pk, actor=alice, n_trials=200)
    study.refresh_from_db()
    assert study.state == "RUNNING", "it may go on with the budget that it had"
    assert not look_at_next()


def test_ranges_or_a_past_that_changed_forget_the_looks(study, alice):
    run(study, 60)
    look(study)
    run(study, 5)
    look(study)
    assert worth_look(study) is not None
    trial = Trial.objects.get(study=study, number=3)
    exclude_trial(trial_id=trial.pk, actor=alice, reason="by mistake")
    study.refresh_from_db()
    assert worth_look(study) is None
    row = look(study)
    assert (row.not_worth, row.contrary) == (False, 1), "it is looked at at once, as for the first time"


def test_a_look_at_what_was_is_not_stored(study, alice):
    run(study, 30)
    assert looking._take_turn(study)
    said = next_hour(study)
    before = Study.objects.get(pk=study.pk)
    exclude_trial(trial_id=Trial.objects.get(study=study, number=3).pk, actor=alice, reason="by mistake")
    store_look(study_id=study.pk, seen=before, said=said)
    assert WorthLook.objects.get(study=study).document is None
    assert due_for_a_look() == study


def test_of_two_supervisors_one_looks(study):
    run(study, 20)
    stale = due_for_a_look()
    assert looking._take_turn(stale)
    assert not looking._take_turn(stale)


def test_a_model_that_breaks_is_told_and_takes_nobody_down(study, monkeypatch, caplog):
    def broken(study):
        raise ValueError("no such thing")

    monkeypatch.setattr(looking, "study_model", broken)
    run(study, 20)
    row = look(study)
    assert row.document["problem"] == "It could not be judged: ValueError: no such thing."
    assert "could not be judged" in caplog.text


def test_those_that_wait_longest_go_first_and_only_those_that_run(study, alice):
    other = make_study(alice, started=True, **SETTINGS)
    run(study, 20)
    run(other, 20)
    assert due_for_a_look() == study
    look(study)
    assert due_for_a_look() == other
    Study.objects.filter(pk=other.pk).update(state="PAUSED")
    assert due_for_a_look() is None


def test_functions_that_suggest_are_judged_by_their_values(alice):
    make_workload("function", kind="objective", space=None)
    study = make_study(alice, started=True, workload="function", space=None)
    rng = np.random.default_rng(0)
    Trial.objects.bulk_create(
        Trial(study=study, number=number, state="COMPLETE", params={"x": number % 6}, value=float(rng.random()),
              run_seconds=60, finish_seq=number + 1)
        for number in range(30)
    )  # fmt: skip
    Study.objects.filter(pk=study.pk).update(n_complete=30)
    row = look(study)
    assert (row.document["method"], row.document["noise_of"], row.document["hour"]) == ("records", "repeats", 60)
    assert not look_at_next(), "a study without ranges is not due for ever"


def test_the_setting_is_cloned_changed_and_goes_with_the_study(study, alice):
    changed = update_study(study=study, actor=alice, stop_when_not_worth=True)
    assert changed.stop_when_not_worth
    assert clone_study(study_id=study.pk, actor=alice).stop_when_not_worth
    run(study, 20)
    look(study)
    Study.objects.filter(pk=study.pk).update(state="STOPPED")
    study.refresh_from_db()
    delete_study(study=study, actor=alice)
    assert not WorthLook.objects.exists()
