"""Random trials in a search space, for hypothesis: every way to end, and values of every awkward kind."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
from hypothesis import strategies as st

from tuning.engine import History, SearchSpace, Trial, TrialState

VALUES: dict[str, Callable[[np.random.Generator], float]] = {
    "usual": lambda rng: float(rng.normal()),
    "equal": lambda rng: 0.5,
    "few": lambda rng: float(rng.integers(3)),
    "outliers": lambda rng: float(rng.choice([rng.random(), rng.random(), 1e9, -1e9])),
    "at the limits of doubles": lambda rng: float(rng.choice([1.7e308, -1.7e308, 0.0])),
    "equal but for rounding": lambda rng: 1.0 + float(rng.integers(3)) * 2.3e-16,
    "too small to square": lambda rng: float(rng.integers(3)) * 5e-324,
    "over many decades": lambda rng: float(np.exp(20 * rng.normal())),
    "not finite": lambda rng: float(rng.choice([np.nan, np.inf, -np.inf])),
    "often not finite": lambda rng: float(rng.choice([np.nan, np.inf, -np.inf, rng.random(), rng.random()])),
}
DETERRING = ("diverged", "out_of_memory", "code_error", "deadline")
ENDINGS: dict[str, Callable[[int], str]] = {  # what the k-th trial's ending is drawn from
    "complete": lambda k: "C",
    "of every kind": lambda k: "CCCPPFLI",
    "failed": lambda k: "F",
    "lost": lambda k: "L",
    "pruned": lambda k: "P",
    "failed but one pruned": lambda k: "F" if k else "P",
    "infeasible": lambda k: "I",
}
CONFIGURATIONS = ("spread", "few", "at the ends")
OPEN = (TrialState.RUNNING, TrialState.WAITING, TrialState.PAUSED)


@dataclass(frozen=True)
class Kind:
    """What a history is made of: keys of VALUES and ENDINGS, one of CONFIGURATIONS."""

    values: str = "usual"
    endings: str = "of every kind"
    configurations: str = "spread"


KINDS = st.builds(Kind, st.sampled_from(list(VALUES)), st.sampled_from(list(ENDINGS)), st.sampled_from(CONFIGURATIONS))


def random_trials(space: SearchSpace, n: int, pending: int = 0, kind: Kind | None = None, seed: int = 0) -> list[Trial]:
    """n finished trials and then `pending` open ones."""
    kind = kind or Kind()
    rng = np.random.default_rng(seed)
    value = VALUES[kind.values]
    few = [space.from_unit(rng.random(len(space))) for _ in range(3)]
    trials = []
    for number in range(n + pending):
        params = few[int(rng.integers(3))]
        if kind.configurations != "few":
            unit = rng.random(len(space))
            params = space.from_unit(unit.round() if kind.configurations == "at the ends" else unit)
        trial = Trial(number, params, TrialState.COMPLETE, resource=int(rng.integers(1, 9)))
        if rng.random() < 0.5:
            trial = replace(trial, intermediate={step: value(rng) for step in range(1, int(rng.integers(2, 5)))})
        if number >= n:
            trials.append(replace(trial, state=OPEN[int(rng.integers(3))]))
            continue
        endings = ENDINGS[kind.endings](number)
        ending = endings[int(rng.integers(len(endings)))]
        if ending == "C":
            trial = replace(trial, value=value(rng))
        elif ending == "P":
            known = kind.endings == "failed but one pruned" or rng.random() < 0.8
            trial = replace(trial, state=TrialState.PRUNED, value=value(rng) if known else None)
        elif ending == "I":
            trial = replace(trial, state=TrialState.PRUNED, infeasible=True, constraints=(1.0,))
        else:
            reason = "cancelled" if ending == "L" else DETERRING[int(rng.integers(4))]
            trial = replace(trial, state=TrialState.FAILED, reason_code=reason)
        trials.append(trial)
    return trials


def history_of(space: SearchSpace, trials: Iterable[Trial], direction: str = "minimize") -> History:
    """The history of the finished ones, in this order, with the open ones pending."""
    history, waiting = History(space, direction), []
    for trial in trials:
        if trial.state.open:
            waiting.append(trial)
        else:
            history.append_trial(trial)
    return history.with_pending(waiting) if waiting else history


def mirrored(trials: Iterable[Trial]) -> list[Trial]:
    """The same trials with every value and report negated."""
    return [
        replace(
            trial,
            value=None if trial.value is None else -trial.value,
            intermediate={step: -value for step, value in trial.intermediate.items()},
        )
        for trial in trials
    ]
