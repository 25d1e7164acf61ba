"""Whether another hour of device time is worth it: what its trials would gain, against what a seed alone moves.

The gain is the improvement of the best true value among the trials, by as many further trials as one hour of device
time pays. It is a random quantity; here are its expectation and its central 90 %. From the model of the study where the
model explains the trials (see `posterior`), else from the values alone, as a process of records (see `records`).

Not worth it is an hour whose gain stays below one standard deviation of the noise of a seed with 95 %: whoever trained
the best configuration once more would see a larger difference. The noise is measured from configurations that ran more
than once, where there are enough (see `repeats`), else it is the model's.

Measured by `manage.py bench worth`, on problems with known true values. On the seed of its design the expectation
below the noise, instead of the 95 %, saved 63 % of the wasted trials instead of 40, with 3 false stops in 138 instead
of 1 in 96; asking both the model and the records saved 15 %, with none in 60. What it does not see: a sampler that has
settled in one basin, with a model that knows of no other.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from tuning.analysis.worth.posterior import explains, gains_by_model, noise_by_model
from tuning.analysis.worth.records import gain_by_records
from tuning.analysis.worth.repeats import noise_by_repeats
from tuning.engine import History, TrialState
from tuning.engine.surrogates.surrogate import Surrogate
from tuning.engine.surrogates.validation import Validation

FEWEST = 20  # complete trials before anything is said
HOUR = 3600.0
MOST = 10_000  # trials of an hour
LOW, HIGH = 0.05, 0.95  # the ends of the gain's interval

Trials = History | Iterable[tuple[Mapping[str, Any], float | None]]


@dataclass(frozen=True)
class Worth:
    """What the next hour of device time promises; `problem` says what is missing where it cannot be judged.

    gain: the expectation, in the objective's own units, never below 0. low, high: its central 90 %. noise: the standard
    deviation that a seed gives one configuration near the best. method: "model" or "records"; noise_of: "repeats" or
    "model".
    """

    trials: int  # complete ones that it rests on
    hour: int | None = None  # trials that an hour pays
    gain: float | None = None
    low: float | None = None
    high: float | None = None
    method: str = ""
    noise: float | None = None
    noise_of: str = ""
    problem: str = ""

    @property
    def not_worth(self) -> bool:
        """Whether the gain stays below the noise with 95 %."""
        return self.high is not None and self.noise is not None and self.high < self.noise

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Worth:
        """What `to_json` wrote; other keys are left alone."""
        return cls(**{field.name: document[field.name] for field in fields(cls) if field.name in document})


def worth_going_on(
    trials: Trials,
    *,
    direction: str = "minimize",
    seconds_per_trial: float | None,
    surrogate: Surrogate | None = None,
    validation: Validation | None = None,
    seed: int = 0,
) -> Worth:
    """What one more hour of device time promises after these trials. The same arguments give the same answer.

    Args:
        trials: a History, or pairs of parameters and value of complete trials, the earlier first.
        direction: of the pairs' values; a History knows its own.
        seconds_per_trial: device time that a trial takes on average, those that end early among them.
        surrogate, validation: the model of the History, and how well it predicts each trial by the others; without
            them, and where it explains nothing, the values alone are judged.
        seed: of the draws from the model.
    """
    losses, configurations = _complete(trials, direction)
    n = len(losses)
    if n < FEWEST:
        return Worth(n, problem=f"{FEWEST} complete trials are needed to judge another hour; there are {n}.")
    if not seconds_per_trial or not math.isfinite(seconds_per_trial):
        return Worth(n, problem="No trial has taken a measurable time, so how many an hour pays is not known.")
    hour = min(MOST, max(1, int(HOUR / seconds_per_trial)))
    trusted = surrogate if isinstance(trials, History) and surrogate is not None and explains(validation) else None
    rng = np.random.default_rng(np.random.SeedSequence([seed, n]))
    if trusted is not None and isinstance(trials, History):
        gains = gains_by_model(trusted, trials, hour, rng)
        gain, (low, high), method = float(gains.mean()), np.quantile(gains, [LOW, HIGH]).tolist(), "model"
    else:
        gain, low, high = gain_by_records(losses, hour, rng, (LOW, HIGH))
        method = "records"
    noise, noise_of = noise_by_repeats(configurations, losses), "repeats"
    if noise is None and trusted is not None:
        noise, noise_of = noise_by_model(trusted), "model"
    problem = ""
    if noise is None:
        noise_of = ""
        problem = (
            "How much a seed alone moves the value is not known: no model explains the trials. Enqueue the best "
            "configuration a few more times, so that it can be measured."
        )
    return Worth(n, hour, gain, low, high, method, noise, noise_of, problem)


def _complete(trials: Trials, direction: str) -> tuple[np.ndarray[Any, np.dtype[np.float64]], list[str]]:
    """The losses (n,) of the complete trials with a finite value, and what tells their configurations apart."""
    if isinstance(trials, History):
        counted = np.flatnonzero(trials.mask(TrialState.COMPLETE) & np.isfinite(trials.losses))
        return trials.losses[counted], [_key(trials.trial(row).params) for row in counted.tolist()]
    sign = 1.0 if direction == "minimize" else -1.0
    pairs = [(params, value) for params, value in trials if value is not None and math.isfinite(value)]
    return np.array([sign * value for _, value in pairs], dtype=np.float64), [_key(params) for params, _ in pairs]


def _key(params: Mapping[str, Any]) -> str:
    return repr(sorted(params.items()))
