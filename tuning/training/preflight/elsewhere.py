"""Other configurations of the space, where the middle learns nothing: if none does, there is nothing to tune."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tuning.training.defaults import spread
from tuning.training.preflight.check import percent
from tuning.training.preflight.errors import WorkloadRaised
from tuning.training.preflight.gains import MUCH, Gain, Rows, confirmed, gain_of
from tuning.training.preflight.short import Short, epochs_for, short_training
from tuning.training.preflight.subject import Subject

DRAWN = 8
STEPS = 300
SURER = 4.0  # errors: the luckiest of several is looked for


@dataclass(frozen=True)
class Elsewhere:
    """The first configuration drawn that clearly gains, if any, and how many were tried of all drawn."""

    tried: int
    drawn: int
    params: dict[str, Any] | None = None
    gain: Gain | None = None

    @property
    def cut(self) -> bool:
        return self.params is None and self.tried < self.drawn

    @property
    def found(self) -> str:
        """The configuration and its gain, for a sentence."""
        if self.params is None or self.gain is None:
            return ""
        return f"with {shown(self.params)} the gain is {percent(self.gain.mean)} ± {percent(self.gain.error)}"


def elsewhere(subject: Subject, rows: Rows) -> Elsewhere:
    """Train configurations that cover the workload's space until one gains, which other seeds must confirm."""
    drawn = [params for params in spread(subject.workload.space, DRAWN) if params != subject.params]
    for tried, params in enumerate(drawn):
        if subject.clock.over():
            return Elsewhere(tried, len(drawn))
        found = _gain_of(subject, params, rows)
        if found is not None and found.mean >= max(MUCH, SURER * found.error):
            return Elsewhere(tried + 1, len(drawn), params, found)
    return Elsewhere(len(drawn), len(drawn))


def _gain_of(subject: Subject, params: Mapping[str, Any], rows: Rows) -> Gain | None:
    """None where one training does not gain much, diverges, raises, or has not enough time."""
    other = subject.at(params)
    try:
        first = _trained(subject, other, 0)
        if first.output is None or (found := gain_of([rows(first)])).mean < MUCH or not found.clear:
            return None
        return confirmed(other, lambda seed: _trained(subject, other, seed), rows)
    except WorkloadRaised:  # a configuration that cannot run; the middle one can
        return None


def _trained(subject: Subject, other: Subject, seed: int) -> Short:
    """A short training, done once."""
    name = f"{shown(other.params)}, seed {seed}"
    if name not in subject.trained:
        splits = subject.sample.splits
        subject.trained[name] = short_training(other, splits, epochs_for(other, STEPS), seed=seed)
    return subject.trained[name]


def shown(params: Mapping[str, Any]) -> str:
    """A configuration for a sentence."""
    return ", ".join(f"{name} = {_plain(value)}" for name, value in params.items())


def _plain(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
