"""What mattered in a study: computed once for its complete trials, and for a page in the background."""

import time

from tests.services.test_linting import searched
from tuning.services import importance
from tuning.services.exclusion import exclude_trial
from tuning.services.importance import importance_soon, study_importance
from tuning.services.scripts import ask_trials, tell


def dropout_matters(params) -> float | None:
    return None if params["lr"] > 0.07 else params["dropout"] ** 2


def test_what_mattered_with_what_was_left_out(alice):
    study = searched(alice, dropout_matters, 60)
    found = study_importance(study)
    fanova = found.methods["fanova"]
    assert fanova.main["dropout"] > 0.7 > 0.1 > fanova.main["lr"] and fanova.r2 > 0.8
    assert (found.n_complete, found.n_left_out) == (study.n_complete, study.n_failed)
    assert fanova.n == study.n_complete and study.n_failed > 0
    assert not found.adaptive


def test_it_is_computed_once_for_the_complete_trials(alice, monkeypatch):
    study = searched(alice, dropout_matters, 30)
    first = study_importance(study).methods
    calls = []
    real = importance.importances
    monkeypatch.setattr(importance, "importances", lambda *args, **more: calls.append(1) or real(*args, **more))
    (asked,) = ask_trials(study_id=study.pk, actor=alice, n=1)
    study.refresh_from_db()
    assert study_importance(study).methods is first and not calls  # a trial that runs has no value yet
    tell(trial_id=asked.trial.pk, lease=asked.lease, value=0.2)
    study.refresh_from_db()
    assert study_importance(study).methods["fanova"].n == first["fanova"].n + 1 and calls == [1]
    exclude_trial(trial_id=asked.trial.pk, actor=alice, reason="a typing error")
    study.refresh_from_db()
    assert study_importance(study).methods["fanova"].n == first["fanova"].n


def test_a_page_waits_for_nothing_and_finds_it_later(alice):
    study = searched(alice, dropout_matters, 30)
    assert importance_soon(study) is None
    deadline = time.monotonic() + 60
    while (found := importance_soon(study)) is None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert found is not None and found.methods == study_importance(study).methods


def test_a_sampler_that_learns_is_told(alice):
    study = searched(alice, dropout_matters, 25, sampler="tpe")
    found = study_importance(study)
    assert found.adaptive and found.n_adaptive == found.n_complete


def test_few_trials_say_how_many_are_needed(alice):
    study = searched(alice, dropout_matters, 3)
    assert all("needs 20 complete trials" in result.reason for result in study_importance(study).methods.values())


def test_without_a_space_there_is_nothing_to_average_over(alice):
    study = searched(alice, dropout_matters, 0)
    study.space = None
    assert "suggested while its objective runs" in study_importance(study).problem
    assert importance_soon(study) == study_importance(study)
