"""Which hyperparameters mattered: four methods, each with the question that it answers.

The forest's shares hold for the whole space only where the trials cover it: trials that a sampler has led to one corner
tell little about the rest, and whoever shows the numbers says so. What is explained is the score, or another quantity
of each trial (`targets`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tuning.analysis.importance.correlation import QUESTION as CORRELATION
from tuning.analysis.importance.correlation import correlation
from tuning.analysis.importance.fanova import QUESTION as FANOVA
from tuning.analysis.importance.fanova import fanova
from tuning.analysis.importance.forest import fitted
from tuning.analysis.importance.idle import idle
from tuning.analysis.importance.ped_anova import QUESTION as PED_ANOVA
from tuning.analysis.importance.ped_anova import ped_anova
from tuning.analysis.importance.permutation import QUESTION as PERMUTATION
from tuning.analysis.importance.permutation import permutation
from tuning.analysis.importance.result import Curve, Idle, Importance, PairMap
from tuning.analysis.importance.sample import Sample, Trials, sample_of
from tuning.analysis.importance.targets import SCORE, TARGETS, Target
from tuning.engine import SearchSpace

__all__ = ["QUESTIONS", "TARGETS", "Curve", "Idle", "Importance", "PairMap", "Target", "importance", "importances"]

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
    target: Target = SCORE,
    outcomes: Mapping[int, float] | None = None,
) -> dict[str, Importance]:
    """The same by several methods, over the same trials and with one forest; with "fanova" and "permutation" also which
    parameters are idle. Raises as `importance`.

    target, outcomes: another quantity than the value, for each number of a History's trials that has one; `direction`
    is then that quantity's.
    """
    unknown = [method for method in methods if method not in QUESTIONS]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is no method of importance: choose one of {', '.join(QUESTIONS)}")
    sample = sample_of(space, trials, seed, outcomes)
    if sample.problem:
        found = {m: Importance(m, QUESTIONS[m], sample.n, reason=sample.problem) for m in methods}
    else:
        found = _by(sample, methods, seed, direction)
    return {method: replace(each, question=target.asked(each.question)) for method, each in found.items()}


def _by(sample: Sample, methods: tuple[str, ...], seed: int, direction: str) -> dict[str, Importance]:
    forest = fitted(sample, seed) if {"fanova", "permutation"} & set(methods) else None
    ways = {
        "fanova": lambda: fanova(sample, seed, forest),
        "ped_anova": lambda: ped_anova(sample, direction),
        "permutation": lambda: permutation(sample, seed, forest),
        "correlation": lambda: correlation(sample),
    }
    found = {method: ways[method]() for method in methods}
    if forest is not None and {"fanova", "permutation"} <= set(methods):
        frozen = idle(sample, forest, found["fanova"], found["permutation"], direction)
        found["fanova"] = replace(found["fanova"], idle=tuple(frozen))
    return found
