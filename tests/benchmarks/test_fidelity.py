"""`bench fidelity`: what is kept of races, how they are judged, and that its parts measure what they say."""

import json
import math
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from tests.benchmarks import decisions, fidelity, race_values, virtual_workers
from tests.benchmarks.installation import Installation
from tests.benchmarks.race_contenders import DEAR, OURS, PEERS
from tests.benchmarks.race_scores import FINISHED, epochs_of, never, ratio, saved
from tests.benchmarks.race_values import PATH, SEEDS, Outcomes, Race, RaceFile, fingerprint, outcomes_of, own_file
from tests.benchmarks.races import REAL, SINGLE, SYNTHETIC, Problem, problem_named
from tests.benchmarks.report import Report
from tests.benchmarks.searches import REPORT_SEED
from tuning.models import RungEntry

RACE = Race("digits_cnn", "random, Hyperband", 3)


def raced(epochs: dict[str, list[float]], problems: tuple[str, ...] = REAL) -> Outcomes:
    """Races that found after so many epochs and had finished one epoch later, a seed each; 0: they never found."""
    return {
        name: {
            contender: {REPORT_SEED + seed: [value, value + 1] if value else [] for seed, value in enumerate(values)}
            for contender, values in epochs.items()
        }
        for name in problems
    }


def test_a_race_is_kept_and_not_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = RaceFile(tmp_path / "races.json", lambda contender: "hpweb here")
    found, failed = outcomes_of([RACE], file, processes=1)
    assert failed == []
    assert len(found["digits_cnn"]["random, Hyperband"][3]) == 2
    monkeypatch.setattr(race_values, "play_each", None)  # a race that was run again would fail
    again = RaceFile(tmp_path / "races.json", lambda contender: "hpweb here")
    assert outcomes_of([RACE], again, processes=1) == (found, [])
    assert again.find(Race("digits_cnn", "random, Hyperband", 4)) is None


def test_a_race_that_never_found_is_known_as_one(tmp_path: Path) -> None:
    file = RaceFile(tmp_path / "races.json", lambda contender: "hpweb here")
    file.keep(RACE, [])
    assert RaceFile(tmp_path / "races.json", lambda contender: "hpweb here").find(RACE) == []


def test_races_on_another_table_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "races.json"
    RaceFile(path, lambda contender: "hpweb here").keep(RACE, [9.0])
    problem = problem_named("digits_cnn")
    changed = Problem(problem.name, problem.nodes, problem.space, problem.losses + 1e-3)
    monkeypatch.setattr(race_values, "problem_named", lambda name: changed)
    fingerprint.cache_clear()
    try:
        assert RaceFile(path, lambda contender: "hpweb here").find(RACE) is None
    finally:
        fingerprint.cache_clear()


def test_a_race_that_fails_is_told_and_ours_must_not(monkeypatch: pytest.MonkeyPatch) -> None:
    race = Race("digits_cnn", "nobody", 0)
    _found, failed = outcomes_of([race], RaceFile(None, lambda contender: None), processes=1)
    assert "nobody failed on digits_cnn, seed 0" in failed[0]
    with pytest.raises(RuntimeError, match="nobody failed"):
        fidelity.own_outcomes(["nobody"], [0], RaceFile(None, lambda contender: None))


def test_our_own_races_belong_to_the_code_that_ran_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = own_file(tmp_path).path
    assert own_file(tmp_path).path == before
    monkeypatch.setattr("tests.benchmarks.kept.metadata.version", lambda package: "0")
    assert own_file(tmp_path).path != before


def test_the_committed_races_are_of_these_tables_and_of_the_reported_seeds() -> None:
    document = json.loads(PATH.read_text())
    stale = [name for name, mark in document["problems"].items() if mark != fingerprint(name)]
    assert stale == [], "run them anew: python -m tests.benchmarks.race_values"
    by_contender = {name: found for values in document["values"].values() for name, found in values.items()}
    assert set(by_contender) == set(PEERS)
    for contender, by_problem in by_contender.items():
        for name in (*REAL, *SINGLE):
            assert sorted(map(int, by_problem[name])) == list(SEEDS), f"{contender} on {name}"


def test_epochs_count_all_that_a_race_had_where_it_never_found() -> None:
    outcomes = raced({"random": [100.0, 0], "tpe": [50.0]})
    most = [float(problem_named(name).most) for name in REAL]
    assert epochs_of(outcomes, "random", REAL).tolist() == [[100.0, most[0]], [100.0, most[1]]]
    assert epochs_of(outcomes, "random", REAL[:1], FINISHED).tolist() == [[101.0, most[0]]]
    assert np.isnan(epochs_of(outcomes, "tpe", REAL)[:, 1]).all()
    assert (never(outcomes, "random", REAL[0]), never(outcomes, "tpe", REAL[0])) == (1, 0)


def test_a_ratio_is_of_means_and_has_an_interval() -> None:
    rng = np.random.default_rng(0)
    ours = rng.uniform(50, 150, (1, 30))
    found = ratio(5 * ours, ours)
    assert found.mean == pytest.approx(5)
    assert found.low == pytest.approx(5), "seeds are paired: their differences do not widen it"
    theirs = 5 * rng.permutation(ours.T).T
    found = ratio(theirs, ours)
    assert found.low < 5 < found.high
    both = ratio(np.vstack([4 * ours, 9 * ours]), np.vstack([ours, ours]))
    assert both.mean == pytest.approx(6), "the geometric mean of the problems' ratios"
    with pytest.raises(ValueError, match="at least two seeds"):
        ratio(theirs[:, :1], ours[:, :1])
    with pytest.raises(ValueError, match="of both contenders"):
        ratio(theirs, np.where(ours < 100, np.nan, ours))


def test_what_is_saved_is_in_units_of_the_baseline() -> None:
    ours, theirs, base = (np.full((2, 3), [[one], [10 * one]]) for one in (10.0, 30.0, 100.0))
    found = saved(REAL, theirs, ours, base)
    assert found is not None
    assert (found.mean, found.by_problem) == (pytest.approx(0.2), {name: pytest.approx(0.2) for name in REAL})
    assert saved(REAL, theirs * np.nan, ours, base) is None


def test_the_marks_compare_one_of_ours_with_random_and_each_peer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fidelity, "OURS", "tpe, Hyperband")
    outcomes = raced(
        {"random": [800.0, 900.0, 1000.0], "tpe, Hyperband": [200.0, 210.0, 190.0], "syne-tune ASHA": [100.0] * 3}
    )
    marks = fidelity.race_marks(outcomes, ["syne-tune ASHA"])
    assert [mark.met for mark in marks] == [True] * 3 + [False] * 3
    assert str(marks[0].measured).startswith("4.50 times fewer [")
    assert str(marks[3].measured).startswith("lost, ")
    notes = fidelity.losing_notes(outcomes, ["random", "tpe, Hyperband"], ["syne-tune ASHA"])
    assert notes[0] == "digits_mlp: tpe, Hyperband needs 200 epochs, fewer need syne-tune ASHA 100"


def test_rows_have_no_number_where_nobody_raced() -> None:
    outcomes = raced({"random": [800.0, 0]}, (*REAL, *SYNTHETIC)) | raced({"random": [8.0, 9.0], DEAR[0]: [4.0, 0]})
    rows = fidelity.rows_of(outcomes, ["random", DEAR[0]])
    assert rows[1]["crossing"] is None
    assert rows[0]["never"] == "0 0 - - 1 1 1"
    assert rows[1]["never"] == "1 1 - - - - -"
    assert "times fewer than random" in json.dumps(fidelity.details_of(outcomes, ["random", DEAR[0]]))
    json.loads(Report("fidelity", rows, []).to_json())


def test_there_is_no_ratio_where_the_baseline_has_fewer_seeds() -> None:
    outcomes = raced({"random": [800.0], "syne-tune ASHA": [100.0, 200.0]}, SYNTHETIC)
    details = fidelity.details_of(outcomes, ["random", "syne-tune ASHA"])
    assert details["crossing"]["syne-tune ASHA"]["times fewer than random"] is None
    assert details["crossing"]["syne-tune ASHA"]["epochs"] == 150.0


def test_ours_is_a_contender_that_races_on_every_problem() -> None:
    assert fidelity.OURS in OURS
    assert fidelity.OURS not in DEAR


def test_epoch_times_are_log_normal() -> None:
    trial = virtual_workers.study(problem_named("digits_mlp"), "random", 0).ask()
    clock = virtual_workers.log_normal(0)
    logs = [math.log(clock(trial, step)) for step in range(1, 2000)]
    assert np.std(logs) == pytest.approx(virtual_workers.EPOCH_SIGMA, rel=0.1)


def test_more_workers_come_sooner_to_the_target_and_all_are_busy() -> None:
    times = [virtual_workers.time_to_target("ASHA", workers, seed=0) for workers in (4, 64)]
    assert times[1] < times[0]
    assert virtual_workers.utilisation("ASHA", 64, seed=0) > 0.95
    assert virtual_workers.utilisation("ASHA", 8, seed=0, trials=16) < 0.95, "the last trials run alone"


def test_the_order_is_by_pairs_of_seeds() -> None:
    times = {"ASHA": [[10.0, 50.0, 30.0]], "synchronous halving": [[12.0, 51.0, 33.0]], "random": [[10.0, 90.0, 30.0]]}
    marks = fidelity.order_marks({name: np.array(values) for name, values in times.items()})
    assert [mark.met for mark in marks] == [True, False]
    assert marks[0].mark.startswith("how much later than ASHA comes synchronous halving")


def test_each_kind_of_rows_has_a_table_of_its_own() -> None:
    rows = [{"contender": "random", "digits_mlp": 8000}, {"simulated": "ASHA, 64 workers", "utilisation": 1.0}]
    lines = Report("fidelity", rows, []).to_text().splitlines()
    assert [line.split()[0] if line else "" for line in lines[:5]] == ["contender", "random", "", "simulated", "ASHA,"]


@pytest.mark.django_db
def test_decisions_are_made_on_a_full_rung() -> None:
    found = decisions.measured(2, 3, 300)
    assert RungEntry.objects.filter(cohort__study__name="promotion", rung=0).count() == 300
    assert all(len(means) == 2 and min(means) > 0 for means in found.values())
    assert "halving: the cut of 300, once" in found


def test_a_decision_may_take_two_milliseconds_and_a_cut_of_all_takes_what_it_takes() -> None:
    class Told:
        def python(self, *words: str) -> str:
            return json.dumps({"a report": [1.0, 9.0, 1.5], "next": [2.5] * 3, "the cut of 10,000, once": [90.0] * 3})

    rows: list[dict[str, Any]] = []
    marks = fidelity.decided(cast(Installation, Told()), "SQLite", 3, rows)
    assert [row["median ms"] for row in rows] == [1.5, 2.5, 90.0]
    assert [(mark.measured, mark.met) for mark in marks] == [(1.5, True), (2.5, False)]
