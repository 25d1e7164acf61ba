"""What mattered in a study: computed aside, stored with what it rests on, and looked at anew as trials come in."""

import pytest
from django.utils import timezone

from tests.factories import make_running, make_slot, make_study, report
from tests.services.test_linting import searched
from tuning.models import ImportanceLook, Study
from tuning.selectors.asides import due_for_importance, is_current, looked_until, stored_look
from tuning.selectors.outcomes import training_times, unsteadiness
from tuning.services import asides, importance
from tuning.services.cloning import clone_study
from tuning.services.endings import fail_trial, finish_run
from tuning.services.errors import Invalid
from tuning.services.exclusion import exclude_trial
from tuning.services.importance import importance_look, importance_now, importance_of, importance_soon, look_at_next
from tuning.services.lifecycle import stop_study
from tuning.services.ranges import change_ranges
from tuning.services.scripts import ask_trials, tell

SPACE = {"width": {"type": "int", "low": 1, "high": 64}, "lr": {"type": "float", "low": 0.0, "high": 1.0}}


def dropout_matters(params) -> float | None:
    return None if params["lr"] > 0.07 else params["dropout"] ** 2


def looked(study: Study) -> Study:
    """The study after the look that was due at it."""
    assert due_for_importance() == study and look_at_next()
    study.refresh_from_db()
    return study


def more(study: Study, n: int) -> None:
    for _ in range(n):
        (asked,) = ask_trials(study_id=study.pk, actor=study.owner, n=1)
        tell(trial_id=asked.trial.pk, lease=asked.lease, value=0.2)
    study.refresh_from_db()


def test_what_mattered_with_what_was_left_out(alice):
    study = looked(searched(alice, dropout_matters, 60))
    found = importance_soon(study)
    fanova = found.methods["fanova"]
    assert fanova.main["dropout"] > 0.7 > 0.1 > fanova.main["lr"] and fanova.r2 > 0.8
    assert (found.n_trials, found.n_left_out) == (study.n_complete, study.n_failed)
    assert fanova.n == study.n_complete and study.n_failed > 0
    assert not found.adaptive and found.basis == "validation/loss of the complete trials"


def test_what_is_stored_is_what_was_found(alice):
    study = searched(alice, dropout_matters, 30)
    made = importance_look(study)["score"]
    kept = importance_of(stored_look(ImportanceLook, looked(study)))
    assert kept.to_json() == made.to_json()
    assert kept.methods["fanova"].maps[0].names == made.methods["fanova"].maps[0].names


def test_a_look_is_due_once_for_the_trials_that_there_are(alice):
    study = searched(alice, dropout_matters, 19)
    assert due_for_importance() is None
    more(study, 1)
    version = study.version
    looked(study)
    assert study.version == version + 1, "the pages show it"
    assert looked_until(ImportanceLook, study) == 20 and due_for_importance() is None and not look_at_next()
    more(study, 1)
    assert is_current(stored_look(ImportanceLook, study), study), "one of twenty more is no twentieth beyond the next"
    more(study, 1)
    looked(study)
    assert looked_until(ImportanceLook, study) == 22


def test_a_study_at_rest_is_looked_at_with_all_it_has(alice):
    study = looked(searched(alice, dropout_matters, 40))
    more(study, 1)
    assert due_for_importance() is None
    stop_study(study_id=study.pk, actor=alice)
    study.refresh_from_db()
    looked(study)
    assert looked_until(ImportanceLook, study) == study.finish_seq


def test_another_past_or_other_ranges_are_looked_at_anew(alice):
    study = looked(searched(alice, dropout_matters, 30))
    trial = study.trials.filter(state="COMPLETE").first()
    exclude_trial(trial_id=trial.pk, actor=alice, reason="a typing error")
    study.refresh_from_db()
    assert stored_look(ImportanceLook, study) is None and looked_until(ImportanceLook, study) is None
    looked(study)
    assert importance_soon(study).methods["fanova"].n == study.n_complete - 1
    space = {**study.space.document, "dropout": {"type": "float", "low": 0.0, "high": 0.9}}
    change_ranges(study_id=study.pk, actor=alice, space=space)
    study.refresh_from_db()
    assert stored_look(ImportanceLook, study) is None and due_for_importance() == study


def test_one_process_looks_and_a_turn_that_was_left_is_taken_again(alice, monkeypatch):
    study = searched(alice, dropout_matters, 20)
    ImportanceLook.objects.create(study=study, taken=timezone.now())
    assert due_for_importance() is None and not importance.look_at(study)
    monkeypatch.setattr("tuning.selectors.asides.ABANDONED", -1.0)
    monkeypatch.setattr(asides, "ABANDONED", -1.0)
    looked(study)
    assert ImportanceLook.objects.get(study=study).taken is None


def test_what_the_computation_raises_is_told_and_holds_up_nobody(alice, monkeypatch):
    study = searched(alice, dropout_matters, 20)
    monkeypatch.setattr(importance, "importances", lambda *args, **more: 1 / 0)
    looked(study)
    assert "It could not be computed: ZeroDivisionError" in importance_soon(study).problem
    assert due_for_importance() is None


def test_a_page_waits_for_a_worker_and_a_script_without_one_for_nobody(alice):
    study = searched(alice, dropout_matters, 20)
    assert "no worker is alive" in importance_soon(study).problem
    assert importance_now(study).n_trials == study.n_complete
    other = searched(alice, dropout_matters, 20, name="other")
    make_slot()
    assert importance_soon(other) is None and importance_now(other) is None
    looked(other)
    assert importance_soon(other).n_trials == other.n_complete


def test_a_sampler_that_learns_is_told(alice):
    found = importance_soon(looked(searched(alice, dropout_matters, 25, sampler="tpe")))
    assert found.adaptive and found.n_adaptive == found.n_trials


def test_few_trials_say_how_many_are_needed(alice):
    assert "needs 20 complete trials" in importance_soon(searched(alice, dropout_matters, 3)).problem


def test_without_a_space_there_is_nothing_to_average_over(alice):
    study = searched(alice, dropout_matters, 0)
    study.space = None
    assert "suggested while its objective runs" in importance_soon(study).problem


def test_another_target_is_refused_by_its_name(alice):
    with pytest.raises(Invalid, match="choose one of score, seconds, stability"):
        importance_soon(searched(alice, dropout_matters, 0), "price")


def trained(owner, n: int, *, steps: int = 10, cut=lambda number: False) -> Study:
    """A study whose trials take width hundredths of a second a step, and jump where lr is high; `cut` ones after 3."""
    study = make_study(owner, started=True, space=SPACE, metric="validation/loss", direction="minimize", seed=5,
                       n_trials=200, sampler="random", max_resource=steps)  # fmt: skip
    for _ in range(n):
        trial = make_running(study)
        width, lr = trial.params["width"], trial.params["lr"]
        losses = [1.0 - 0.02 * step + lr * 0.1 * (-1) ** step for step in range(3 if cut(trial.number) else steps)]
        report(trial, losses, pace=0.01 * width)
        finish_run(trial_id=trial.pk, fence=trial.fence)
    study.refresh_from_db()
    return study


def test_training_time_is_told_by_the_step_whether_a_trial_was_cut_or_not(alice):
    study = trained(alice, 40, cut=lambda number: number % 2 == 1)
    times = training_times(study)
    assert times.basis.startswith("seconds per step") and len(times.values) == 40
    widths = dict(study.trials.values_list("number", "params"))
    assert all(times.values[number] == pytest.approx(0.01 * params["width"]) for number, params in widths.items())
    found = importance_look(study)["seconds"]
    assert found.methods["fanova"].main["width"] > 0.9
    assert found.methods["correlation"].signs["width"] == 1
    assert "Which parameters make the training time vary" in found.methods["fanova"].question
    assert "the quickest tenth" in found.methods["ped_anova"].question


def test_where_steps_tell_no_time_whole_trials_that_ran_to_their_ends_do(alice):
    study = searched(alice, dropout_matters, 30)
    times = training_times(study)
    assert "whole trial" in times.basis and len(times.values) == study.n_complete
    few = searched(alice, dropout_matters, 2, name="few")
    assert training_times(few).problem.endswith("there are 2 so far.")


def test_stability_is_the_spread_of_late_values_with_diverged_trials_last(alice):
    study = trained(alice, 30)
    for _ in range(3):
        trial = make_running(study)
        fail_trial(trial_id=trial.pk, fence=trial.fence, reason_code="diverged", reason="nan")
    study.refresh_from_db()
    steady = unsteadiness(study)
    diverged = study.trials.filter(state="FAILED").values_list("number", flat=True)
    assert {steady.values[number] for number in diverged} == {max(steady.values.values())}
    found = importance_look(study)["stability"]
    assert (found.n_trials, found.problem) == (33, "") and "3 diverged trials last" in found.basis
    assert found.methods["fanova"].main["lr"] > 0.5 > found.methods["fanova"].main["width"]
    assert "steadiest tenth" in found.methods["ped_anova"].question


def test_without_curves_stability_is_whether_a_trial_diverged(alice):
    study = searched(alice, lambda params: None if params["dropout"] > 0.5 else params["lr"], 30)
    study.trials.update(resource_done=1)
    assert study.n_failed >= 5
    told = unsteadiness(study)
    assert "whether a trial diverged" in told.basis and set(told.values.values()) == {0.0, 1.0}
    never = searched(alice, lambda params: params["lr"], 25, name="never")
    assert "Stability cannot be told: 0 complete trials have a curve" in unsteadiness(never).problem


def test_a_clone_has_its_own(alice):
    study = looked(searched(alice, dropout_matters, 20))
    clone = clone_study(study_id=study.pk, actor=alice, name="again")
    assert stored_look(ImportanceLook, clone) is None
