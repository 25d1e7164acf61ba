"""The searches of `manage.py bench samplers`: which contender plays which problem, with which seeds and how long.

Designs were chosen on seeds 0 to 9; reported seeds begin at REPORT_SEED. A search is played once, to its last trial,
and read at each budget on the way: what a contender plans by its budget (SMAC its start-up design) it plans for all.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

import numpy as np
from threadpoolctl import threadpool_limits

from tests.benchmarks.contenders import OURS, PEERS
from tests.benchmarks.real import RECIPES, TABLES
from tests.benchmarks.real import problem as real_problem
from tests.benchmarks.synthetic import PLAIN, Problem, moved, noisy

BUDGETS = (25, 50, 100)
REPORT_SEED = 1000
SEEDS = {25: 20, 50: 20, 100: 8}
SLOW_SEEDS, SLOW_TRIALS = 5, 50
RANDOM_SEEDS = 101
QUICK_SEED, QUICK_SEEDS, QUICK_TRIALS = 0, 2, 25  # a first look while designing sees no reported seed
T = TypeVar("T")
Values = dict[str, dict[str, dict[int, list[float]]]]  # problem -> contender -> seed -> value at each budget


@dataclass(frozen=True)
class Task:
    problem: str
    contender: str
    seed: int
    trials: int

    @property
    def budgets(self) -> int:
        """How many of BUDGETS the search reaches."""
        return sum(budget <= self.trials for budget in BUDGETS)


def is_real(name: str) -> bool:
    return name.split("+")[0] in RECIPES


@cache
def problem_named(name: str, seed: int) -> Problem:
    """The problem of this name; "+moved" ones lie in another box for each seed."""
    base, *changes = name.split("+")
    if seed and "moved" not in changes:
        return problem_named(name, 0)  # one problem for all seeds
    if not changes:
        return real_problem(base) if is_real(base) else next(plain for plain in PLAIN if plain.name == base)
    found = problem_named("+".join([base, *changes[:-1]]), 0)
    return noisy(found) if changes[-1] == "noise" else moved(found, seed)


def problem_names(*, quick: bool) -> list[str]:
    """The real problems that have a table, and the synthetic ones: plain, noisy and in moved boxes."""
    real = [name for name in RECIPES if (TABLES / f"{name}.npz").exists()]
    plain = [problem.name for problem in PLAIN]
    if quick:
        return [*real[:2], "branin", "mixed", "conditional"]
    return [*real, *plain, *(f"{name}+noise" for name in plain), *(f"{name}+moved" for name in plain)]


def tasks_for(names: Sequence[str], contenders: Sequence[str], *, quick: bool) -> list[Task]:
    """Contender by contender: 20 seeds to 50 trials, 8 of them to 100; slow peers real problems only, 5 seeds to 50;
    random search, which sets the zero of the scores, 101 seeds to 100. A quick run plays two of the design's seeds."""
    tasks = []
    first = QUICK_SEED if quick else REPORT_SEED
    for contender in contenders:
        slow = contender in PEERS and PEERS[contender].slow
        for name in names:
            if contender == "random":
                lengths = [QUICK_TRIALS] * 21 if quick else [100] * RANDOM_SEEDS
            elif slow and not is_real(name):
                lengths = []
            elif quick:
                lengths = [QUICK_TRIALS] * QUICK_SEEDS
            elif slow:
                lengths = [SLOW_TRIALS] * SLOW_SEEDS
            else:
                lengths = [100 if seed < SEEDS[100] else 50 for seed in range(SEEDS[50])]
            tasks += [Task(name, contender, first + seed, trials) for seed, trials in enumerate(lengths)]
    return tasks


def play(task: Task) -> list[float]:
    """One search: the true value of the incumbent after each budget of BUDGETS up to the task's trials."""
    problem = problem_named(task.problem, task.seed)
    rng = np.random.default_rng(np.random.SeedSequence([task.seed, 991]))
    told: list[tuple[float, float]] = []

    def tell(params: Mapping[str, Any]) -> float:
        true = problem.value(params)
        observed = true + problem.noise * float(rng.standard_normal())
        told.append((observed, true))
        return observed

    run = OURS[task.contender] if task.contender in OURS else PEERS[task.contender].run
    with threadpool_limits(1):
        run(problem.space, tell, task.trials, task.seed)
    if len(told) != task.trials:
        raise RuntimeError(f"{task.contender} called the function {len(told)} times instead of {task.trials}")
    return [min(told[:budget])[1] for budget in BUDGETS if budget <= task.trials]


def cores() -> int:
    return len(os.sched_getaffinity(0))


def play_each(
    play_one: Callable[[T], list[float]],
    tasks: Sequence[T],
    processes: int,
    ended: Callable[[T, list[float] | BaseException], None],
) -> None:
    """Play the tasks in their order on this many processes; `ended` hears of each as it ends, and how."""
    with ProcessPoolExecutor(processes) as pool:
        running: dict[Future[list[float]], T] = {pool.submit(play_one, task): task for task in tasks}
        try:
            for future in as_completed(running):
                error = future.exception()
                ended(running[future], future.result() if error is None else error)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def play_all(
    tasks: Sequence[Task], workers: int, played: Callable[[Task, list[float]], None] = lambda task, found: None
) -> Values:
    """Every search, each told to `played` as it ends; one that fails ends the run with its error."""
    values: Values = {}

    def keep(task: Task, found: list[float] | BaseException) -> None:
        if isinstance(found, BaseException):
            raise found
        played(task, found)
        values.setdefault(task.problem, {}).setdefault(task.contender, {})[task.seed] = found

    play_each(play, tasks, workers, keep)
    return values
