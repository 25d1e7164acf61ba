"""Which hyperparameters mattered: four methods, each with the question that it answers.

The forest's shares hold for the whole space only where the trials cover it: trials that a sampler has led to one corner
tell little about the rest, and whoever shows the numbers says so.
"""

from __future__ import annotations

from tuning.analysis.importance.correlation import QUESTION as CORRELATION
from tuning.analysis.importance.correlation import correlation
from tuning.analysis.importance.fanova import QUESTION as FANOVA
from tuning.analysis.importance.fanova import fanova
from tuning.analysis.importance.forest import fitted
from tuning.analysis.importance.ped_anova import QUESTION as PED_ANOVA
from tuning.analysis.importance.ped_anova import ped_anova
from tuning.analysis.importance.permutation import QUESTION as PERMUTATION
from tuning.analysis.importance.permutation import permutation
from tuning.analysis.importance.result import Curve, Importance, PairMap
from tuning.analysis.importance.sample import Sample, Trials, sample_of
from tuning.engine import SearchSpace

__all__ = ["QUESTIONS", "Curve", "Importance", "PairMap", "importance", "importances"]

QUESTIONS = {"fanova": FANOVA, "ped_anova": PED_ANOVA, "permutation": PERMUTATION, "correlation": CORRELATION}


def importance(
    space: SearchSpace, trials: Trials, method: str = "fanova", seed: int = 0, *, direction: str = "minimize"
) -> Importance:
    """How much each parameter matters, by one of QUESTIONS; trials are (params, value) or a History, and those without
    a finite value are left out. `direction` is read by "ped_anova".

    Raises ValueError for an unknown method, ParamsError for a configuration that does not fit the space.
    """
    return importances(space, trials, (method,), seed, direction=direction)[method]


def importances(
    space: SearchSpace,
    trials: Trials,
    methods: tuple[str, ...] = tuple(QUESTIONS),
    seed: int = 0,
    *,
    direction: str = "minimize",
) -> dict[str, Importance]:
    """The same by several methods, over the same trials and with one forest. Raises as `importance`."""
    unknown = [method for method in methods if method not in QUESTIONS]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is no method of importance: choose one of {', '.join(QUESTIONS)}")
    sample = sample_of(space, trials, seed)
    if sample.problem:
        return {m: Importance(m, QUESTIONS[m], sample.n, reason=sample.problem) for m in methods}
    return _by(sample, methods, seed, direction)


def _by(sample: Sample, methods: tuple[str, ...], seed: int, direction: str) -> dict[str, Importance]:
    forest = fitted(sample, seed) if {"fanova", "permutation"} & set(methods) else None
    ways = {
        "fanova": lambda: fanova(sample, seed, forest),
        "ped_anova": lambda: ped_anova(sample, direction),
        "permutation": lambda: permutation(sample, seed, forest),
        "correlation": lambda: correlation(sample),
    }
    return {method: ways[method]() for method in methods}
