"""The report: who meets whom, what a mark says, and that it can be kept as JSON."""

import json

import numpy as np
import pytest

from tests.benchmarks.report import Report
from tests.benchmarks.samplers import best_of, judged, pending_marks, rivals, rows_of, scores_by_problem
from tests.benchmarks.searches import Values, problem_named

OPTUNA = ["optuna TPE", "optuna TPE, group", "optuna GP"]


def found(scores: dict[str, list[float]], problems: tuple[str, ...] = ("branin", "levy5")) -> Values:
    """Values that have these scores at 25 and 50 trials, the same at both, a seed each entry; random search has 0."""
    values: Values = {}
    for name in problems:
        best = problem_named(name, 0).best
        values[name] = {"random": {seed: [best + 1.0] * 3 for seed in range(1000, 1005)}}
        for contender, by_seed in scores.items():
            values[name][contender] = {1000 + i: [best + 1.0 - one] * 2 for i, one in enumerate(by_seed)}
    return values


def test_auto_meets_each_peers_best_and_each_of_ours_its_own_kind() -> None:
    values = found({"optuna TPE": [0.4] * 5, "optuna TPE, group": [0.6] * 5, "optuna GP": [0.5] * 5, "HEBO": [0.1] * 5})
    met = [(ours, theirs) for ours, theirs, _words in rivals(values, [*OPTUNA, "HEBO"], 25)]
    assert met == [
        ("auto", "optuna TPE, group"),
        ("auto", "HEBO"),
        ("tpe", "optuna TPE"),
        ("tpe", "optuna TPE, group"),
        ("gp", "optuna GP"),
    ]


def test_the_best_is_chosen_on_problems_that_all_its_siblings_played() -> None:
    values = found({"optuna TPE": [0.4] * 5, "optuna GP": [0.5] * 5})
    values["levy5"]["optuna TPE"] = {1000: [-9.0, -9.0]}  # brilliant where the other did not play
    del values["levy5"]["optuna GP"]
    assert best_of(values, OPTUNA, 25) == "optuna GP"
    assert best_of(values, ["SMAC, forest"], 25) is None


@pytest.mark.parametrize(("ours", "verdict", "met"), [(0.9, "won", True), (0.52, "tied", False), (0.1, "lost", False)])
def test_a_mark_says_won_tied_or_lost_and_a_note_why(ours: float, verdict: str, met: bool) -> None:
    wobble = np.array([-0.02, 0.01, 0.03, -0.03, 0.01])
    values = found({"auto": list(ours + wobble), "HEBO": [0.5] * 5})
    for run in values["levy5"]["auto"].values():
        run[:] = [value + 0.04 for value in run]
    marks, notes, differences = judged(values, ["HEBO"], [25, 50, 100])
    assert str(marks[0].measured).startswith(f"{verdict}, ")  # tied: .02 ahead on branin, .02 behind on levy5
    assert [mark.mark for mark in marks] == [f"auto against HEBO (hebo's best) at {n} trials" for n in (25, 50)]
    assert marks[0].met is met
    assert bool(notes) is not met
    assert all("levy5" in note for note in notes)
    assert set(differences) == {mark.mark for mark in marks}


def test_rows_and_details_have_no_number_where_nobody_played() -> None:
    values = found({"auto": [0.5] * 5, "HEBO": [0.25] * 5})
    rows = rows_of(values, ["auto", "HEBO"], [25, 50, 100])
    assert rows[0]["synthetic 25"] == pytest.approx(0.5)
    assert rows[1]["synthetic 50"] == pytest.approx(0.25)
    assert rows[1]["synthetic 100"] is None
    assert rows[0]["real 25"] is None
    details = scores_by_problem(values, ["auto", "HEBO"], [25, 50, 100])
    assert details["levy5"] == {"auto": {"25": 0.5, "50": 0.5}, "HEBO": {"25": 0.25, "50": 0.25}}
    report = Report("samplers", rows, [], details={"scores": details})
    assert json.loads(report.to_json())["details"]["scores"] == details
    assert "HEBO" in report.to_text().splitlines()[2]


@pytest.mark.parametrize(("together", "met"), [(0.75, True), (0.7, False)])
def test_eight_at_a_time_may_lose_less_than_a_tenth(together: float, met: bool) -> None:
    values = found({"auto": [0.8] * 5, "auto, 8 pending": [together] * 5})
    (mark,) = pending_marks(values, [50])
    assert mark.met is met
    assert mark.measured == pytest.approx((0.8 - together) / 0.8)
