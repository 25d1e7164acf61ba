"""The benchmark of "worth going on": its truth and its counting, on studies counted by hand, and a real one."""

import numpy as np
import pytest

from tests.benchmarks.searches import problem_named
from tests.benchmarks.synthetic import noisy
from tests.benchmarks.worth import HOUR, TRIALS, Look, Played, false_stops, gains, play, row_of, stands
from tuning.analysis.worth import Worth

CALM, HOPEFUL = Worth(30, 10, 0.0, 0.0, 0.1, "model", 1.0, "model"), Worth(30, 10, 1.0, 0.5, 2.0, "model", 1.0, "model")


def test_the_truth_is_what_the_best_and_the_chosen_trial_become():
    told = [(5.0, 5.0), (1.0, 4.0), (2.0, 2.0), (3.0, 1.0)]  # the second looks best, and is not
    best, chosen = gains(told, 2)
    assert best.tolist() == [3.0, 3.0, 1.0, 0.0]
    assert chosen.tolist() == [1.0, 0.0, 0.0, 0.0]


def studied(*says, came=(), exhausted_at=40):
    looks = [Look(20 + 5 * place, CALM if said else HOPEFUL, 3.0 if place in came else 0.0, place in came, bool(came))
             for place, said in enumerate(says)]  # fmt: skip
    return Played("bowl", 0.1, "gp", 0, 1.0, exhausted_at, {"model": looks})


def test_stops_and_savings_are_counted():
    right = studied(False, False, False, True, True, True)  # says so from the look at 40 on
    false = studied(True, True, False, False, came=(1, 2), exhausted_at=90)
    assert [says for _, says in stands(right.looks["model"])] == [False, False, False, False, True, True]
    row = row_of("all", "model", [right, false])
    assert (row["stops"], row["false"], row["false share"], row["taken back"]) == (2, 1, 0.5, 1)
    assert (row["hours worth it"], row["spoken against"]) == (2, 1.0)
    assert (row["exhausted"], row["wasted"], row["saved"]) == (1, TRIALS - 40, 1.0)
    assert row["above the bound"] == pytest.approx(2 / 10)
    (told,) = false_stops([false, right], ("model",))
    assert (told["trials"], told["best true value came down by"]) == (25, 3.0)


def test_a_study_is_looked_at_as_it_runs():
    problem = noisy(problem_named("svc_wine", 0), 0.3)
    played = play(problem, 0.3, "random", 3)
    assert [look.trials for look in played.looks["model"]] == list(range(20, TRIALS - HOUR + 1, 5))
    assert all(look.said.trials == look.trials and look.said.hour == HOUR for look in played.looks["records"])
    assert {look.said.noise for look in played.looks["records"]} == {problem.noise}
    assert all(np.isfinite(look.said.high) for looks in played.looks.values() for look in looks)
