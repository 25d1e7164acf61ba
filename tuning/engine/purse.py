"""A budget, and what of it is kept back so that the search's answer can be believed.

A search's best value is the best of many, and so too good. A fifth of the budget at least stays for what comes after
and before the search: the baseline, the best configurations again with fresh seeds, one retraining, and the final test
(whose one evaluation is no training). Where a fifth pays less than the three best with five seeds each, fewer are
confirmed; one baseline, one confirmation and one retraining are the least.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

from tuning.engine.errors import BudgetError
from tuning.engine.forecast import Forecast, Method, forecast
from tuning.engine.speed import Speed

SHARE = 0.2
MOST_TRIALS = 10_000  # that are recommended, whatever could be paid
CONFIRMATIONS = ((3, 5), (3, 4), (3, 3), (2, 3), (2, 2), (1, 3), (1, 2), (1, 1))  # the best so many, seeds each
BASELINE, RETRAIN = 1, 1
EASE = 1e-9  # of rounding: a budget that is exactly enough is enough


@dataclass(frozen=True)
class Budget:
    """What may be spent: as much as so many full trainings, seconds of devices, seconds on the clock; where several are
    given, whichever is used up first."""

    trials: int | None = None
    device_seconds: float | None = None
    seconds: float | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Reserve:
    """What is kept back: trainings (the baseline, `top` configurations with `seeds` each, a retraining), all of it in
    steps, and in seconds of devices and on the clock where a step's are known; `share` is of the tightest budget."""

    share: float
    top: int
    seeds: int
    trainings: int
    steps: float
    device_seconds: float | None
    seconds: float | None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


class Purse:
    """A budget divided into the reserve and what the search may spend, for trainings of so many steps."""

    def __init__(self, budget: Budget, max_resource: int | None, speed: Speed | None, slots: int) -> None:
        """Raises BudgetError for a budget that is none, that nobody can convert into steps, or that is too small."""
        self.steps_each, self.speed, self.slots = max_resource or 1, speed, slots
        self.max_resource = max_resource
        self.budget = budget
        _check(budget, speed, slots)
        each = self.steps_each * (speed.seconds if speed else 1.0)
        # in full trainings: those that may be paid, and those that may follow one another
        paid = [float(budget.trials)] if budget.trials is not None else []
        paid += [budget.device_seconds / each] if budget.device_seconds is not None else []
        self.trainings = min(paid, default=math.inf)
        self.rounds = budget.seconds / each if budget.seconds is not None else math.inf
        self.reserve = self._reserve()
        self.search_trainings = self.trainings - self._kept
        self.search_rounds = self.rounds - self._kept_rounds
        if min(self.search_trainings, self.search_rounds) < 1 - EASE:
            raise self._too_little()

    def _reserve(self) -> Reserve:
        for top, seeds in CONFIRMATIONS:
            trainings = BASELINE + top * seeds + RETRAIN
            rounds = BASELINE + -(-top * seeds // self.slots) + RETRAIN
            if trainings <= SHARE * self.trainings + EASE and rounds <= SHARE * self.rounds + EASE:
                break
        self._kept = max(SHARE * self.trainings, trainings) if math.isfinite(self.trainings) else 0.0
        self._kept_rounds = max(SHARE * self.rounds, rounds) if math.isfinite(self.rounds) else 0.0
        kept = self._kept or float(trainings)
        each = self.speed.seconds * self.steps_each if self.speed else None
        shares = [self._kept / self.trainings, self._kept_rounds / self.rounds]
        return Reserve(
            share=max(shares),
            top=top,
            seeds=seeds,
            trainings=trainings,
            steps=kept * self.steps_each,
            device_seconds=None if each is None else kept * each,
            seconds=None if each is None else (self._kept_rounds or float(rounds)) * each,
        )

    @property
    def steps(self) -> int:
        """That the search may train in all."""
        return math.floor(self.full * self.steps_each + EASE)

    @property
    def device_seconds(self) -> int | None:
        """That the search may use of devices, where the budget is in those."""
        if self.budget.device_seconds is None or self.speed is None:
            return None
        return max(1, math.floor(self.search_trainings * self.steps_each * self.speed.seconds + EASE))

    @property
    def study_seconds(self) -> int | None:
        """That the search may last, where the budget is in those."""
        if self.budget.seconds is None or self.speed is None:
            return None
        return max(1, math.floor(self.search_rounds * self.steps_each * self.speed.seconds + EASE))

    @property
    def full(self) -> float:
        """How many full trainings the search could do, on all slots where the clock limits it."""
        return min(self.search_trainings, self.search_rounds * self.slots)

    def pays_for(self, found: Forecast) -> bool:
        """Whether what is expected stays within what the search may spend, in steps: seconds are as many times more."""
        return found.steps.expected <= self.search_trainings * self.steps_each + EASE and (
            found.rounds.expected <= self.search_rounds * self.steps_each + EASE
        )

    def most_trials(self, method: Method) -> int:
        """The largest n_trials of the method that the search can pay, and no more than MOST_TRIALS."""
        low, high = 0, 1
        while high < MOST_TRIALS and self._pays(method, high):
            low, high = high, min(2 * high, MOST_TRIALS)
        while low < high:  # more trials never cost less
            middle = (low + high + 1) // 2
            if self._pays(method, middle):
                low = middle
            else:
                high = middle - 1
        return low

    def _pays(self, method: Method, trials: int) -> bool:
        return self.pays_for(forecast(replace(method, n_trials=trials, total_resource=None)))

    def _too_little(self) -> BudgetError:
        """With the least budget that would do, in the units of the one that was given."""
        least = BASELINE + 1 + RETRAIN + 1
        each = self.steps_each * (self.speed.seconds if self.speed else 1.0)
        wanted = Budget(
            trials=least if self.budget.trials is not None else None,
            device_seconds=float(math.ceil(least * each)) if self.budget.device_seconds is not None else None,
            seconds=float(math.ceil(least * each)) if self.budget.seconds is not None else None,
        )
        has = min(self.trainings, self.rounds)
        of = f" of {self.max_resource} steps" if self.max_resource else ""
        amounts = [
            words
            for words, given in (
                (f"{least} trials", self.budget.trials),
                (f"{least * each:,.0f} seconds of device time", self.budget.device_seconds),
                (f"{least * each:,.0f} seconds", self.budget.seconds),
            )
            if given is not None
        ]
        return BudgetError(
            f"The budget pays {has:,.1f} full trainings{of} one after another, and {least} are the least: one for a "
            f"baseline, one trial, one to confirm it with a fresh seed and one to retrain it for the final test. "
            f"Give at least {' and '.join(amounts)}.",
            wanted,
        )


def _check(budget: Budget, speed: Speed | None, slots: int) -> None:
    given = {name: value for name, value in budget.to_json().items() if value is not None}
    if not given:
        raise BudgetError("Say what may be spent: a number of trials, device time or time on the clock.", None)
    for name, value in given.items():
        if not (value > 0 and math.isfinite(value)):
            raise BudgetError(f"A budget of {value} {name.replace('_', ' ')} buys nothing: give more than 0.", None)
    if speed is None and set(given) != {"trials"}:
        raise BudgetError(
            "Nobody has measured how long an epoch takes, so that a budget of time cannot be converted into trials: "
            "run the preflight, or give a number of trials.",
            None,
        )
    if slots < 1:
        raise BudgetError(f"With {slots} slots nothing runs: at least one must.", None)
