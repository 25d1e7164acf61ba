"""Who plays what: the tasks of each contender, and what a search returns."""

from collections import Counter

import numpy as np
import pytest

from tests.benchmarks import searches
from tests.benchmarks.contenders import OURS, PEERS, Peer, hpweb
from tests.benchmarks.searches import Task, play, play_all, problem_named, problem_names, tasks_for
from tuning.engine import SearchSpace

NAMES = ["svc_wine", "branin", "mixed+noise"]


@pytest.mark.parametrize("contender", ["auto", "tpe", "optuna GP", "hyperopt TPE"])
def test_twenty_seeds_to_fifty_eight_of_them_to_a_hundred(contender: str) -> None:
    tasks = tasks_for(NAMES, [contender], quick=False)
    for name in NAMES:
        trials = {task.seed: task.trials for task in tasks if task.problem == name}
        assert sorted(trials) == list(range(1000, 1020))
        assert [trials[seed] for seed in range(1000, 1020)] == [100] * 8 + [50] * 12


@pytest.mark.parametrize("contender", ["SMAC, forest", "SMAC, GP", "HEBO"])
def test_slow_peers_play_real_problems_with_five_seeds_to_fifty(contender: str) -> None:
    tasks = tasks_for(NAMES, [contender], quick=False)
    assert tasks == [Task("svc_wine", contender, 1000 + seed, 50) for seed in range(5)]
    assert [task.budgets for task in tasks] == [2] * 5


def test_random_search_plays_long_because_it_sets_the_zero() -> None:
    assert Counter(task.trials for task in tasks_for(["branin"], ["random"], quick=False)) == {100: 101}


def test_a_quick_run_plays_two_design_seeds_to_twenty_five() -> None:
    tasks = tasks_for(NAMES, ["auto", "HEBO"], quick=True)
    assert {task.trials for task in tasks} == {25}
    assert {(task.contender, task.problem) for task in tasks} == {("auto", name) for name in NAMES} | {
        ("HEBO", "svc_wine")
    }
    assert Counter(task.seed for task in tasks) == {0: 4, 1: 4}, "seeds that designs were chosen on"


def test_no_reported_seed_was_designed_on() -> None:
    tasks = tasks_for(problem_names(quick=False), [*OURS, *PEERS], quick=False)
    assert min(task.seed for task in tasks) == 1000


def test_moved_problems_differ_by_seed_and_others_do_not() -> None:
    assert problem_named("branin+moved", 1000).space != problem_named("branin+moved", 1001).space
    assert problem_named("branin+moved", 1000) is problem_named("branin+moved", 1000)
    assert problem_named("mixed+noise", 1000) is problem_named("mixed+noise", 1001)
    assert problem_named("mixed+noise", 1000).noise > 0


def test_a_search_returns_the_true_value_of_what_looked_best(monkeypatch: pytest.MonkeyPatch) -> None:
    """With noise, the least told value need not be the least true one."""
    played: list[dict[str, object]] = []

    def corners(space: dict, tell: object, n: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        for _ in range(n):
            played.append(SearchSpace.from_json(space).from_unit(rng.random(len(space))))
            tell(played[-1])  # type: ignore[operator]

    monkeypatch.setattr(searches, "PEERS", {"probe": Peer("none", corners)})
    found = play(Task("hartmann3+noise", "probe", 3, 50))
    problem = problem_named("hartmann3+noise", 3)
    noise = np.random.default_rng(np.random.SeedSequence([3, 991])).standard_normal(50)
    true = np.array([problem.value(params) for params in played])
    told = true + problem.noise * noise
    assert found == pytest.approx([true[np.argmin(told[:25])], true[np.argmin(told)]])


def test_a_contender_that_stops_early_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def lazy(space: dict, tell: object, n: int, seed: int) -> None:
        hpweb("random")(space, tell, n - 1, seed)  # type: ignore[arg-type]

    monkeypatch.setattr(searches, "PEERS", {"lazy": Peer("none", lazy)})
    with pytest.raises(RuntimeError, match="24 times instead of 25"):
        play(Task("branin", "lazy", 0, 25))
    with pytest.raises(RuntimeError, match="24 times instead of 25"):
        play_all([Task("branin", "lazy", 0, 25)], 1)


def test_a_search_on_another_process_finds_the_same() -> None:
    task = Task("branin", "random", 4, 25)
    assert play_all([task], 2)["branin"]["random"][4] == play(task)
