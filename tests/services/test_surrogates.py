"""The model of a study for people: it exists or says why not, cuts where asked, and changes nothing."""

import math
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User

from tests.factories import make_running, make_study, report
from tuning.models import Study, Trial
from tuning.services.endings import complete_trial, fail_trial, prune_trial
from tuning.services.errors import Invalid
from tuning.services.lifecycle import stop_study
from tuning.services.surrogates import study_model

SPACE: dict[str, Any] = {
    "lr": {"type": "float", "low": 1e-5, "high": 0.1, "log": True},
    "optimizer": {"type": "categorical", "choices": ["sgd", "adamw"]},
    "momentum": {"type": "float", "low": 0.0, "high": 0.99, "when": {"optimizer": ["sgd"]}},
    "layers": {"type": "int", "low": 1, "high": 4},
    "batch": {"type": "constant", "value": 64},
}


def loss(params: dict[str, Any]) -> float:
    return (math.log10(params["lr"]) + 3) ** 2 + 0.3 * (params["optimizer"] == "sgd") + 0.01 * params["layers"]


def run(study: Study, n: int, of: Any = loss) -> Study:
    """n trials of the study, complete with the value that `of` gives their params."""
    for _ in range(n):
        trial = make_running(study)
        report(trial, [of(trial.params)])
        complete_trial(trial_id=trial.pk, fence=trial.fence)
    study.refresh_from_db()
    return study


@pytest.fixture
def study(alice: User) -> Study:
    """Twelve complete trials by the Gaussian process, the last four of them by its model."""
    return run(make_study(alice, space=SPACE, sampler="gp", started=True, n_trials=30), 12)


def test_the_model_says_where_the_next_trial_goes_and_what_it_expects(study: Study) -> None:
    model = study_model(study)
    assert model.problem == ""
    assert (model.n_model, model.n_finished, model.sampler) == (12, 12, "gp")
    suggestion = model.next
    assert suggestion is not None
    assert (suggestion.number, suggestion.problem) == (12, "")
    assert suggestion.why.startswith("GP:")
    assert suggestion.expected is not None
    low, high = suggestion.expected.trial_low[0], suggestion.expected.trial_high[0]
    assert low <= suggestion.expected.median[0] <= high
    started = make_running(study)
    assert (started.number, started.params, started.why) == (12, suggestion.params, suggestion.why)


def test_looking_creates_nothing(study: Study) -> None:
    before = (study.version, study.history_version, Trial.objects.count())
    study_model(study).cut("lr", "layers", "next")
    study.refresh_from_db()
    assert (study.version, study.history_version, Trial.objects.count()) == before


def test_the_next_trial_is_where_the_acquisition_of_its_own_slice_is_highest(study: Study) -> None:
    model = study_model(study)
    made = model.cut("lr", at="next")
    assert made.is_next
    assert made.held == 12
    assert model.next is not None
    assert model.next.expected is not None
    top = float(made.cut.expected.acquisition.max())
    assert float(model.next.expected.acquisition[0]) >= top - 1e-3


def test_one_history_version_has_one_model_and_the_next_another(study: Study) -> None:
    first = study_model(study)
    assert study_model(Study.objects.get(pk=study.pk)) is first
    assert study_model(run(study, 1)) is not first
    assert study_model(study).n_model == 13


def test_a_cut_goes_through_the_best_trial_or_the_one_asked_for(study: Study) -> None:
    model = study_model(study)
    best = study.best_trial
    made = model.cut()
    assert made.names == ("lr",)
    assert made.held == best.number
    assert made.held_params == best.params
    assert model.cut("lr", at="best").held == best.number
    other = model.cut("layers", at="3")
    assert other.held == 3
    assert other.held_params == Trial.objects.get(study=study, number=3).params
    (seen,) = [trial for trial in other.trials if trial.number == 3]
    assert seen.nearness == pytest.approx(1.0)
    assert seen.value == pytest.approx(Trial.objects.get(study=study, number=3).value)


def test_the_same_parameter_twice_is_one(study: Study) -> None:
    assert study_model(study).cut("lr", "lr").names == ("lr",)
    assert study_model(study).cut("", "layers").names == ("layers",)
    assert study_model(study).cut("lr", "layers").cut.y is not None


def test_a_parameter_that_takes_no_part_names_its_condition_and_a_trial_that_has_it(study: Study) -> None:
    model = study_model(study)
    without = next(trial for trial in study.trials.all() if trial.params["optimizer"] == "adamw")
    having = min((trial for trial in study.trials.all() if "momentum" in trial.params), key=lambda trial: trial.value)
    made = model.cut("momentum", at=str(without.number))
    assert made.missing == {"momentum": 'optimizer is "sgd"'}
    assert made.instead == having.number
    assert made.without == sum("momentum" not in trial.params for trial in study.trials.all())
    assert model.cut("momentum", at=str(having.number)).missing == {}
    over_both = model.cut("momentum", "optimizer", at=str(without.number))
    assert over_both.missing == {}
    assert 0 < over_both.cut.present.sum() < len(over_both.cut.present)
    small = {influence.name: cut for influence, cut in model.slices(str(without.number))}
    assert small["momentum"] is None
    assert set(small) == {"lr", "optimizer", "momentum", "layers"}


@pytest.mark.parametrize(
    ("x", "y", "at", "field", "words"),
    [
        ("lrr", "", "", "x", "lr, optimizer, momentum, layers"),
        ("batch", "", "", "x", "not among the parameters that vary"),
        ("lr", "nope", "", "y", "choose one of"),
        ("lr", "", "99", "at", "no trial 99"),
        ("lr", "", "-1", "at", "no trial -1"),
        ("lr", "", "³", "at", "no trial"),
        ("lr", "", "9" * 30, "at", "no trial"),
    ],
)
def test_what_is_not_there_is_refused_with_the_remedy(
    study: Study, x: str, y: str, at: str, field: str, words: str
) -> None:
    with pytest.raises(Invalid) as refused:
        study_model(study).cut(x, y, at)
    assert words in refused.value.fields[field][0]


def test_pruned_and_failed_trials_are_seen_as_the_model_takes_them(study: Study) -> None:
    pruned = make_running(study)
    report(pruned, [0.9])
    prune_trial(trial_id=pruned.pk, fence=pruned.fence, reason="worse than the median")
    failed = make_running(study)
    fail_trial(trial_id=failed.pk, fence=failed.fence, reason_code="diverged", reason="loss is nan")
    study.refresh_from_db()
    seen = {trial.number: trial for trial in study_model(study).cut("lr").trials}
    assert seen[pruned.number].state == "PRUNED"
    assert seen[failed.number].state == "FAILED"
    worst = max(trial.value for trial in study.trials.all() if trial.value is not None)
    assert seen[failed.number].value == pytest.approx(worst)
    found = study_model(study).validation
    assert found is not None
    assert found.n == 12


def test_maximising_shows_values_as_they_were_told(alice: User) -> None:
    study = make_study(alice, space=SPACE, sampler="gp", direction="maximize", started=True, n_trials=30)
    model = study_model(run(study, 10, lambda params: -loss(params)))
    made = model.cut("lr")
    assert made.held == study.best_trial.number
    assert all(trial.value <= 0 for trial in made.trials)
    peak = made.cut.x.values[int(np.argmax(made.cut.expected.median))]
    assert 1e-4 < peak < 1e-2


# --- no model ---------------------------------------------------------------------------------------------------------
def test_too_few_trials_are_said_in_words_and_the_next_one_is_shown_all_the_same(alice: User) -> None:
    study = make_study(alice, space=SPACE, started=True)
    for n, words in ((0, "none has one"), (1, "1 has one"), (1, "2 have one")):
        model = study_model(run(study, n))
        assert model.problem == f"The model needs 3 complete trials with a value; {words} so far."
    assert model.next is not None
    assert model.next.params
    assert model.next.expected is None
    with pytest.raises(Invalid, match="needs 3 complete trials"):
        model.cut()


def test_values_that_are_all_the_same_or_not_finite_make_no_model(alice: User) -> None:
    same = run(make_study(alice, space=SPACE, started=True), 4, lambda params: 0.5)
    assert "are the same" in study_model(same).problem
    nan = run(make_study(alice, space=SPACE, started=True), 3, lambda params: math.nan)
    assert set(nan.trials.values_list("state", "value")) == {("FAILED", None)}
    assert "None of the 3 finished trials has a finite value" in study_model(nan).problem


def test_a_study_without_a_space_and_one_of_constants_say_so(alice: User) -> None:
    study = make_study(alice, started=True)
    Study.objects.filter(pk=study.pk).update(space=None)
    study.refresh_from_db()
    model = study_model(study)
    assert "no space to model" in model.problem
    assert model.next is None
    assert model.slices() == []
    constant = make_study(alice, space={"batch": {"type": "constant", "value": 64}}, sampler="random", started=True)
    assert "single value" in study_model(run(constant, 3, lambda params: 0.1)).problem


# --- other samplers ---------------------------------------------------------------------------------------------------
def test_every_sampler_has_its_model_and_says_who_chooses(alice: User) -> None:
    for sampler, chooses in (("tpe", "tpe"), ("random", "random"), ("auto", "gp")):
        study = run(make_study(alice, space=SPACE, sampler=sampler, started=True, n_trials=20), 4)
        model = study_model(study)
        assert model.problem == ""
        assert model.sampler == chooses
        assert model.cut("lr").cut.present.all()


def test_the_options_of_the_gaussian_process_are_the_models(alice: User) -> None:
    options = {"acquisition": "ucb", "kappa": 3.0}
    study = make_study(alice, space=SPACE, sampler="gp", sampler_options=options, started=True, n_trials=20)
    model = study_model(run(study, 4))
    assert (model.acquisition, model.kappa) == ("ucb", 3.0)


def test_a_grid_that_is_used_up_has_no_next_trial(alice: User) -> None:
    space = {"layers": {"type": "int", "low": 1, "high": 4}}
    study = run(
        make_study(alice, space=space, sampler="grid", n_trials=None, started=True), 4, lambda params: params["layers"]
    )
    suggestion = study_model(study).next
    assert suggestion is not None
    assert "Nothing is left to try" in suggestion.problem
    with pytest.raises(Invalid, match="no next trial"):
        study_model(study).cut(at="next")


def test_a_stopped_study_still_has_its_model(study: Study, alice: User) -> None:
    stop_study(study_id=study.pk, actor=alice)
    study.refresh_from_db()
    assert study_model(study).next.params


def test_trials_that_run_stand_where_the_model_expects_them(study: Study) -> None:
    running = make_running(study)
    study.refresh_from_db()
    model = study_model(study)
    (seen,) = model.cut("lr").running
    assert (seen.number, seen.state, seen.params) == (running.number, "RUNNING", running.params)
    assert model.surrogate is not None
    assert seen.value == pytest.approx(model.surrogate.predict([running.params])[0][0])
    assert running.number not in {trial.number for trial in model.cut("lr").trials}
    lacks = "momentum" not in running.params
    assert len(model.cut("momentum", "optimizer").running) == (0 if lacks else 1)


def test_a_study_that_learns_from_an_earlier_one_has_its_own_parameters_alone(study: Study, alice: User) -> None:
    later = make_study(alice, space=SPACE, sampler="gp", started=True, n_trials=20, warm_start=[{"study": study.pk}])
    model = study_model(run(later, 6))
    assert model.history is not None
    assert model.history.earlier
    assert {influence.name for influence in model.influences} == {"lr", "optimizer", "momentum", "layers"}
    assert (model.n_model, model.validation.n) == (6, 6)
    assert {trial.number for trial in model.cut("lr").trials} == set(range(6))
