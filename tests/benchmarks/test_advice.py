"""`bench advice`: its problems, its studies, and that its marks measure what they say."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.benchmarks import advice, advice_studies, staged_curves
from tests.benchmarks.advice_problems import CURVES, DESIGN, HELD_OUT, PROBLEMS, WHOLE, problem_named
from tests.benchmarks.advice_studies import Method, Study, field, play, played
from tests.benchmarks.kept import ENGINE
from tests.benchmarks.searches import REPORT_SEED

TREE = Study("tree_digits", Method("random"), 5, 3)


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_score_is_one_at_the_best_and_nothing_at_the_typical_configuration(name):
    problem = problem_named(name)
    assert problem.score(problem.best) == 1.0
    assert problem.score(problem.typical) == 0.0
    assert problem.score(float("inf")) == problem.score(problem.typical + 9 * (problem.typical - problem.best)) == -1.0


def test_design_and_held_out_problems_are_apart_and_all():
    assert set(DESIGN).isdisjoint(HELD_OUT)
    assert {*DESIGN, *HELD_OUT} == {*CURVES, *WHOLE} == set(PROBLEMS)
    assert len(HELD_OUT) >= 6
    assert min(advice.seeds_of("parallel", 8, quick=False)) == REPORT_SEED


@pytest.mark.parametrize("name", staged_curves.RECIPES)
def test_the_tables_hold_what_is_trained(name):
    """One configuration trained anew shows the curve that stands in its row."""
    index = 100
    params = staged_curves.configurations(name)[index]
    curve = np.array(staged_curves.train(name, params, 1000 + index))
    np.testing.assert_allclose(staged_curves.table(name)[index, 1], curve, rtol=1e-3)


def test_a_study_uses_its_budget_and_no_more():
    problem = problem_named("parallel")
    for method in field(problem, 5 * problem.steps):
        score, used = play(Study("parallel", method, 5, 0))
        assert -1 <= score <= 1
        assert 0.85 * 5 * problem.steps <= used <= 5 * problem.steps, str(method)


def test_the_field_is_all_that_can_be_chosen():
    problem = problem_named("parallel")
    assert len(field(problem, 5 * problem.steps)) == 20
    many = {str(method) for method in field(problem, 60 * problem.steps)}
    assert "gp, successive_halving" not in many, "540 trials are many for a Gaussian process"
    assert "gp, hyperband" in many
    assert [str(method) for method in field(problem_named("tree_digits"), 5)] == ["random", "qmc", "tpe", "gp"]


@pytest.mark.parametrize("trainings", advice.BUDGETS)
@pytest.mark.parametrize("name", ["parallel", "tree_digits"])
def test_the_recommended_study_is_the_one_that_is_played(name, trainings):
    """The same number of trials, for the share that the reserve leaves."""
    problem, found = problem_named(name), advice.recommended(name, trainings)
    left = advice.searched(found, problem.steps)
    assert advice.method_of(found).trials(problem, left * problem.steps) == found.method.n_trials
    assert left * problem.steps + found.reserve.steps == trainings * problem.steps


def test_a_study_is_kept_and_not_played_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "benchmarks" / "advice.jsonl"
    first = played([TREE], path, 1)
    with path.open("a") as file:
        file.write('["tree_digits", "random", 5')  # what a kill leaves
    monkeypatch.setattr(advice_studies, "play_each", None)
    assert played([TREE], path, 1) == first
    assert first["tree_digits", 5]["random"][3] == play(TREE)[0]


def test_what_is_kept_belongs_to_the_code_that_played_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    before = advice.own_path(tmp_path)
    assert advice.own_path(tmp_path) == before
    monkeypatch.setattr("tests.benchmarks.kept.metadata.version", lambda package: "0")
    assert advice.own_path(tmp_path) != before
    assert all((ENGINE / name).exists() for name in advice.ADVISES)


def cases_of(scores: dict[str, list[float]], trainings: int = 20) -> list[advice.Case]:
    by_method = {name: {REPORT_SEED + seed: x for seed, x in enumerate(found)} for name, found in scores.items()}
    found = {("digits_cnn", 16): by_method, ("parallel", 16): by_method}
    return [advice.Case(name, trainings, found) for name in ("digits_cnn", "parallel")]


def test_the_marks_by_hand():
    cases = cases_of(
        {"gp, hyperband": [0.95, 0.95], "tpe, asha": [1.0, 1.0], "random": [0.5, 0.6], "tpe": [0.96, 0.94]}
    )
    assert [case.best for case in cases] == ["tpe, asha"] * 2
    marks = advice.marks_of(cases)
    assert [mark.met for mark in marks] == [True, True, False] * 2
    assert marks[0].measured == "2 of 2"
    assert marks[3].measured == "1 of 1", "parallel was looked at for the design"
    worse = cases_of({"gp, hyperband": [0.94, 0.94], "tpe, asha": [1.0, 1.0], "random": [0.5, 0.6], "tpe": [0.9, 0.9]})
    assert [mark.met for mark in advice.marks_of(worse)] == [False, True, True] * 2
    assert "digits_cnn, 20 trainings: gp, hyperband 0.94, tpe, asha 1.00" in advice.notes_on(worse, quick=False)[-1]


def test_always_the_same_method_is_compared_by_its_sampler_where_nothing_ends_early():
    cases = cases_of({"gp, hyperband": [0.9, 0.9], "gp": [0.5, 0.5], "random": [0.2, 0.4], "tpe": [0.1, 0.1]})
    rows = {row["always"]: row for row in advice.fixed_rows(cases)}
    assert rows["the recommended one"]["mean score"] == rows["gp, hyperband"]["mean score"] == pytest.approx(0.9)
    assert rows["random, hyperband"]["mean score"] == pytest.approx(0.3), "not played in these cases: its sampler"
    assert rows["tpe"]["within 5 %"] == 0


def test_the_committed_figures_are_of_a_full_run():
    path = Path(advice.__file__).with_name("results") / "advice.json"
    document = json.loads(path.read_text())
    assert len(document["details"]["means"]) == len(PROBLEMS) * len(advice.BUDGETS)
    assert not any("--quick" in note for note in document["notes"])
