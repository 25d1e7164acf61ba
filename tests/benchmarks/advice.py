"""`manage.py bench advice`: is what the advisor recommends as good as the best that could have been chosen?

On tabulated problems (see `advice_problems`) with budgets of 8, 20 and 50 full trainings the advisor divides the budget
and recommends a method; that one and all others (random, quasi-random, TPE and the Gaussian process, each without
stopping and under median stopping, successive halving, Hyperband and ASHA) then search with the same share, what the
reserve leaves. The advisor sees the space, the budget and the number of steps, and no result.

Score of a study: what its answer is truly worth, 1 at the best configuration of the table, 0 at the typical one (the
median), floor -1; the answer is the configuration that has come furthest with the least loss there. The best method of
a case (a problem and a budget) is the one with the highest mean score over the seeds, which favours the lucky one of
twenty; the recommended one is within 5 % where its mean is at least 0.95 of that.

The rules were chosen on `advice_problems.DESIGN` with seeds from 0 on, which --quick plays too; reported seeds begin at
REPORT_SEED, and no method had been played on HELD_OUT before. An interrupted run goes on where it was.
"""

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings

from tests.benchmarks.advice_problems import CURVES, HELD_OUT, PROBLEMS, problem_named
from tests.benchmarks.advice_studies import Method, Scores, Study, field, kept, played
from tests.benchmarks.kept import digest_of
from tests.benchmarks.report import Mark, Report, run_facts
from tests.benchmarks.scores import Comparison, compared
from tests.benchmarks.searches import REPORT_SEED, cores
from tuning.engine import SearchSpace
from tuning.engine.purse import Budget
from tuning.engine.recommendation import Recommendation, recommend

BUDGETS = (8, 20, 50)  # full trainings
SEEDS = {8: 20, 20: 10, 50: 8}
WHOLE_SEEDS = {8: 100, 20: 30, 50: 10}  # of problems without curves, where a short search is quick and luck is large
QUICK_SEEDS, QUICK_BUDGETS, QUICK_PROBLEMS = 3, (8, 20), ("boosting_diabetes", "parallel", "tree_digits")
CLOSE, SHARE = 0.95, 0.8
RANDOM, TPE = Method("random"), Method("tpe")
ADVISES = (  # of the engine: what only advises, and so changes no study here
    "advice.py", "recommendation.py", "purse.py", "forecast.py", "agreement.py", "speed.py", "errors.py", "replay.py",
    "simulation.py", "alternatives.py",
)  # fmt: skip
FIXED = (RANDOM, TPE, Method("gp"), Method("random", "hyperband"), Method("gp", "hyperband"))  # "always", to compare


def recommended(name: str, trainings: int) -> Recommendation:
    """For a case, from what the advisor may know of it."""
    problem = problem_named(name)
    space = SearchSpace.from_json(problem.space)
    return recommend(space, Budget(trials=trainings), max_resource=problem.max_resource)


def method_of(found: Recommendation) -> Method:
    method = found.method
    return Method(method.sampler, method.scheduler, method.min_resource, method.reduction_factor)


def searched(found: Recommendation, steps: int) -> int:
    """The full trainings that are left to the search."""
    return int(found.budget.trials or 0) - int(found.reserve.steps / steps)


def seeds_of(name: str, trainings: int, *, quick: bool) -> range:
    if quick:
        return range(QUICK_SEEDS)
    count = (SEEDS if name in CURVES else WHOLE_SEEDS)[trainings]
    return range(REPORT_SEED, REPORT_SEED + count)


def studies_of(names: Sequence[str], budgets: Sequence[int], *, quick: bool) -> list[Study]:
    """Every method on every case, the small budgets first."""
    studies = []
    for trainings in budgets:
        for name in names:
            problem, found = problem_named(name), recommended(name, trainings)
            left = searched(found, problem.steps)
            methods = dict.fromkeys([method_of(found), *field(problem, left * problem.steps)])
            seeds = seeds_of(name, trainings, quick=quick)
            studies += [Study(name, method, left, seed) for method in methods for seed in seeds]
    return studies


class Case:
    """A problem and a budget: what was recommended, and how all methods came out."""

    def __init__(self, name: str, trainings: int, scores: Scores) -> None:
        self.name, self.trainings = name, trainings
        found = recommended(name, trainings)
        self.left = searched(found, problem_named(name).steps)
        self.method = method_of(found)
        self.scores = scores[name, self.left]  # method -> seed -> score
        self.means = {method: float(np.mean(list(by_seed.values()))) for method, by_seed in self.scores.items()}
        self.best = max(self.means, key=lambda method: self.means[method])

    def mean(self, method: str) -> float:
        return self.means[method]

    def close(self, method: str) -> bool:
        return self.means.get(method, -1.0) >= CLOSE * self.means[self.best]

    def row(self) -> dict[str, Any]:
        return {
            "case": f"{self.name}, {self.trainings} trainings",
            "recommended": str(self.method),
            "score": self.mean(str(self.method)),
            "best": self.best,
            "its score": self.means[self.best],
            "within 5 %": "yes" if self.close(str(self.method)) else "no",
            "random": self.mean(str(RANDOM)),
            "tpe": self.mean(str(TPE)),
        }


def against(cases: Sequence[Case], fixed: Method) -> Comparison | None:
    """The recommended methods against always the same one, paired by seed; a row for each case."""
    seeds = sorted({seed for case in cases for seed in case.scores[str(fixed)]})
    grids = [
        np.array([[case.scores[name(case)].get(seed, np.nan) for seed in seeds] for case in cases])
        for name in (lambda case: str(case.method), lambda case: str(fixed))
    ]
    return compared([f"{case.name}, {case.trainings}" for case in cases], *grids)


def share_close(cases: Sequence[Case], fixed: Method | None = None) -> float:
    return float(np.mean([case.close(str(fixed or case.method)) for case in cases]))


def marks_of(cases: Sequence[Case]) -> list[Mark]:
    """Over all cases and over those of problems that were held out."""
    marks = []
    for where, chosen in (("all", cases), ("held-out problems", [case for case in cases if case.name in HELD_OUT])):
        if not chosen:
            continue
        close = sum(case.close(str(case.method)) for case in chosen)
        words = f"cases in which the recommended method is within 5 % of the best, {where}"
        marks.append(Mark(words, f"{close} of {len(chosen)}", f"at least {SHARE:.0%}", close >= SHARE * len(chosen)))
        for fixed in (RANDOM, TPE):
            found = against(chosen, fixed)
            if found is not None:
                words = f"score of the recommended methods beyond that of always {fixed}, {where}"
                measured = f"{found.mean:+.3f} [{found.low:+.3f}, {found.high:+.3f}], {len(chosen)} cases"
                marks.append(Mark(words, measured, "lower bound above 0", found.low > 0))
    return marks


def fixed_rows(cases: Sequence[Case]) -> list[dict[str, Any]]:
    """Always the same method, to compare: its mean score, and in how many cases it is within 5 %.

    A method under a scheduler stands, on problems without curves, for its sampler alone.
    """
    rows = [
        {
            "always": "the recommended one",
            "mean score": float(np.mean([case.mean(str(case.method)) for case in cases])),
            "within 5 %": share_close(cases),
        }
    ]
    for fixed in FIXED:
        names = [str(fixed) if str(fixed) in case.means else fixed.sampler for case in cases]
        pairs = list(zip(cases, names, strict=True))
        rows.append(
            {
                "always": str(fixed),
                "mean score": float(np.mean([case.mean(name) for case, name in pairs])),
                "within 5 %": float(np.mean([case.close(name) for case, name in pairs])),
            }
        )
    return rows


def own_path(folder: Path) -> Path:
    """Where the studies of this very code are kept; what only advises is no part of it."""
    here = Path(__file__)
    files = [here.with_name(f"{name}.py") for name in ("advice_problems", "advice_studies", "races", "curve_families")]
    files += [path for place in ("curves", "staged", "tables") for path in here.with_name(place).glob("*.npz")]
    return folder / f"advice-{digest_of(without=ADVISES, files=files)}.jsonl"


def run(*, quick: bool = False) -> Report:
    """Recommend, search with everybody, compare."""
    began = time.monotonic()
    names, budgets = (QUICK_PROBLEMS, QUICK_BUDGETS) if quick else (PROBLEMS, BUDGETS)
    path = None if quick else own_path(Path(settings.STATE_DIR) / "benchmarks")
    studies = studies_of(names, budgets, quick=quick)
    processes, known = cores(), kept(path)
    scores = played(studies, path, processes, lambda words: print(words, file=sys.stderr, flush=True))
    cases = [Case(name, trainings, scores) for trainings in budgets for name in names]
    facts = run_facts(
        ["numpy", "scipy", "scikit-learn"],
        seeds={str(key): value for key, value in SEEDS.items()} if not quick else QUICK_SEEDS,
        cores=processes,
        studies=len(studies),
        kept=sum(study.key in known for study in studies),  # of an earlier run of this very code
        seconds=round(time.monotonic() - began),
    )
    details = {f"{case.name}, {case.trainings}": {m: round(x, 4) for m, x in case.means.items()} for case in cases}
    return Report(
        "advice",
        [case.row() for case in cases] + fixed_rows(cases),
        marks_of(cases),
        notes_on(cases, quick=quick),
        facts,
        {"means": json.loads(json.dumps(details))},
    )


def notes_on(cases: Sequence[Case], *, quick: bool) -> list[str]:
    notes = [
        "Scores are means over the seeds: 1 at the best configuration of the table, 0 at the median one. The reserve "
        "is the same for all methods.",
        f"held out: {', '.join(HELD_OUT)}",
    ]
    behind = [
        f"{case.name}, {case.trainings} trainings: {case.method} {case.mean(str(case.method)):.2f}, {case.best} "
        f"{case.means[case.best]:.2f}"
        for case in cases
        if not case.close(str(case.method))
    ]
    if behind:
        notes.append("not within 5 %: " + "; ".join(behind))
    if quick:
        notes.append("--quick: three problems of the design with the design's seeds; it decides no mark")
    return notes
