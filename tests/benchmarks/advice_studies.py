"""The studies of `bench advice`: a method with a budget on a tabulated problem, and what its answer is worth."""

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from threadpoolctl import threadpool_limits

from tests.benchmarks.advice_problems import Problem, problem_named
from tests.benchmarks.searches import play_each
from tuning.engine import NothingToRun, Optimizer, registry
from tuning.engine.advice import GP_TRIALS

SAMPLERS = ("random", "qmc", "tpe", "gp")
SCHEDULERS = ("none", "median", "successive_halving", "hyperband", "asha")
SHOWN_SECONDS = 20.0  # between two lines of progress
Key = tuple[str, str, int, int]  # problem, method, trainings, seed
Scores = dict[tuple[str, int], dict[str, dict[int, float]]]  # (problem, trainings) -> method -> seed -> score


@dataclass(frozen=True)
class Method:
    """A sampler and a scheduler as a form has them."""

    sampler: str
    scheduler: str = "none"
    min_resource: int = 1
    reduction_factor: int = 3

    def __str__(self) -> str:
        words = [self.sampler, *([self.scheduler] if self.scheduler != "none" else [])]
        if (self.min_resource, self.reduction_factor) != (1, 3):
            words.append(f"from {self.min_resource}, eta {self.reduction_factor}")
        return ", ".join(words)

    def trials(self, problem: Problem, steps: int) -> int | None:
        """How many are planned for so many steps; None: as many as the steps pay, where nobody knows beforehand."""
        if self.scheduler == "median":
            return None
        scheduler = registry.make_scheduler(
            self.scheduler,
            min_resource=self.min_resource,
            max_resource=problem.steps,
            reduction_factor=self.reduction_factor,
        )
        return scheduler.trials_for(steps)


def field(problem: Problem, steps: int) -> list[Method]:
    """All methods that compete for a budget: a Gaussian process only for as many trials as "auto" takes it for."""
    schedulers = SCHEDULERS if problem.max_resource else ("none",)
    methods = [Method(sampler, scheduler) for sampler in SAMPLERS for scheduler in schedulers]
    return [method for method in methods if method.sampler != "gp" or (method.trials(problem, steps) or 0) <= GP_TRIALS]


@dataclass(frozen=True)
class Study:
    problem: str
    method: Method
    trainings: int  # full ones, that the search has
    seed: int

    @property
    def key(self) -> Key:
        return self.problem, str(self.method), self.trainings, self.seed


def play(study: Study) -> list[float]:
    """The score of the answer, and how many steps were used.

    The answer is the configuration that has come furthest, of equals the one with the least loss there. Like a study
    with total_resource, it ends when the steps are spent.
    """
    problem = problem_named(study.problem, study.seed)
    steps = study.trainings * problem.steps
    method = study.method
    optimizer = Optimizer(
        problem.space,
        method.sampler,
        method.scheduler,
        seed=study.seed,
        budget=method.trials(problem, steps),
        min_resource=method.min_resource,
        max_resource=problem.max_resource,
        reduction_factor=method.reduction_factor,
        objective="last",
    )
    answer, worth, used = (0, math.inf), math.inf, 0
    with threadpool_limits(1):
        while used < steps:
            try:
                trial = optimizer.ask()
            except NothingToRun:
                break
            step, verdict = trial.resume_step, "continue"
            while verdict == "continue" and used < steps:
                step += 1
                used += 1
                loss = problem.shown(trial.number, trial.params, step)
                if problem.max_resource is None:
                    optimizer.tell(trial.number, loss)
                    verdict = "stop"
                else:
                    verdict = optimizer.report(trial.number, step, loss)
                if math.isfinite(loss) and (-step, loss) < answer:
                    answer, worth = (-step, loss), problem.worth(trial.params)
    return [problem.score(worth), float(used)]


def kept(path: Path | None) -> dict[Key, list[float]]:
    """The studies of an interrupted run, a JSON line each; a line that a kill cut short is played again."""
    if path is None or not path.exists():
        return {}
    text = path.read_text()
    whole = text[: text.rfind("\n") + 1]
    path.write_text(whole)
    found: dict[Key, list[float]] = {}
    for line in whole.splitlines():
        problem, method, trainings, seed, values = json.loads(line)
        found[problem, method, trainings, seed] = values
    return found


def played(
    studies: Sequence[Study], path: Path | None, processes: int, say: Callable[[str], None] = lambda words: None
) -> Scores:
    """The scores of these studies: kept ones, and the others played now and kept. One that fails ends the run."""
    known = kept(path)
    missing = [study for study in studies if study.key not in known]
    done, shown = 0, time.monotonic()

    def ended(study: Study, found: list[float] | BaseException) -> None:
        nonlocal done, shown
        if isinstance(found, BaseException):
            raise found
        known[study.key] = found
        done += 1
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a") as file:
                file.write(json.dumps([*study.key, found]) + "\n")
        if time.monotonic() - shown > SHOWN_SECONDS:
            shown = time.monotonic()
            say(f"{done}/{len(missing)}: {study.problem}, {study.method}, {study.trainings} trainings")

    if missing:
        play_each(play, missing, processes, ended)
    scores: Scores = {}
    for study in studies:
        by_method = scores.setdefault((study.problem, study.trainings), {})
        by_method.setdefault(str(study.method), {})[study.seed] = known[study.key][0]
    return scores
