"""A cut through the model of a study as people see it: the trials around it, and what it cannot show."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuning.engine import History, TrialState
from tuning.engine.surrogates.slices import Cut, expectation, nearness
from tuning.engine.surrogates.surrogate import Surrogate


@dataclass(frozen=True)
class SeenTrial:
    """A trial that the model knows: the value it took or, while it runs, expects, and how near it lies to the cut."""

    number: int
    params: dict[str, Any]
    value: float
    state: str
    nearness: float


@dataclass(frozen=True)
class StudyCut:
    """A cut through the model of a study at the configuration of a trial.

    `missing` names parameters that take no part anywhere in the cut; `instead` is the best trial that has them.
    """

    names: tuple[str, ...]
    cut: Cut
    held: int
    held_params: dict[str, Any]
    is_next: bool  # held at the suggestion, not at a trial
    trials: tuple[SeenTrial, ...]
    running: tuple[SeenTrial, ...]  # open ones, around which the acquisition is low
    without: int  # trials of the model that lack a parameter of the cut, so are not among `trials`
    missing: dict[str, str]  # parameter -> its condition
    instead: int | None


def seen_trials(
    surrogate: Surrogate, history: History, names: Sequence[str], held: NDArray[np.float64], columns: Sequence[int]
) -> tuple[SeenTrial, ...]:
    """The trials of the model that have these parameters, which are its axes `columns`; held: a latent point (m,)."""
    near = nearness(surrogate, held, columns, surrogate.points)
    losses = surrogate.observations.losses
    seen = []
    for place, row in enumerate(surrogate.observations.rows.tolist()):
        trial = history.trial(row)
        if all(name in trial.params for name in names):
            value = history.direction.sign * float(losses[place])
            state = str(TrialState.FAILED) if trial.infeasible else str(trial.state)
            seen.append(SeenTrial(trial.number, dict(trial.params), value, state, float(near[place])))
    return tuple(seen)


def running_trials(
    surrogate: Surrogate, history: History, names: Sequence[str], held: NDArray[np.float64], columns: Sequence[int]
) -> tuple[SeenTrial, ...]:
    """The open trials that have these parameters, each with the value that the model expects of it."""
    pending = surrogate.pending
    if len(pending) == 0:
        return ()
    near = nearness(surrogate, held, columns, pending)
    median = expectation(surrogate, history.direction.sign, pending).median
    trials = [history.trial(row) for row in surrogate.observations.pending.tolist()]
    return tuple(
        SeenTrial(trial.number, dict(trial.params), float(value), str(TrialState.RUNNING), float(distance))
        for trial, value, distance in zip(trials, median, near, strict=True)
        if all(name in trial.params for name in names)
    )
