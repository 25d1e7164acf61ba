"""The trials that an importance is computed from, as coordinates of the parameters that vary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuning.engine import History, SearchSpace, TrialState
from tuning.engine.surrogates.axes import Axes, axes_of

Array = NDArray[np.float64]
Trials = Sequence[tuple[Mapping[str, Any], float]] | History

FEWEST = 20  # trials; and trials in which a conditional parameter takes part, to say anything about it
MOST = 3000  # trials beyond which a sample of them is taken: a forest of more says no more


@dataclass(frozen=True)
class Sample:
    """n trials over the m axes of a space."""

    axes: Axes
    u: Array  # (n, m) in [0, 1], a finite parameter's at its bin's centre, NaN where it takes no part
    values: Array  # (n,), finite

    @property
    def n(self) -> int:
        return len(self.values)

    @property
    def present(self) -> NDArray[np.bool_]:
        """Which parameters take part in which trials, (n, m)."""
        return ~np.isnan(self.u)

    @property
    def shares(self) -> dict[str, float]:
        """The share of the trials in which each conditional parameter takes part."""
        shares = self.present.mean(axis=0) if self.n else np.zeros(self.axes.m)
        return {self.axes.names[j]: float(shares[j]) for j in np.flatnonzero(self.axes.conditional)}

    @property
    def spoken(self) -> list[int]:
        """The axes that take part often enough to say something about them."""
        return np.flatnonzero(self.present.sum(axis=0) >= FEWEST).tolist()

    def named(self, numbers: Mapping[int, float]) -> dict[str, float]:
        """Numbers of axes by their parameters' names; 0 for one with a single value, none for one seen too rarely."""
        found = {self.axes.names[j]: float(number) for j, number in numbers.items()}
        varying = set(self.axes.names)
        return {name: found.get(name, 0.0) for name in self.space.names if name in found or name not in varying}

    @property
    def space(self) -> SearchSpace:
        return self.axes.space

    @property
    def problem(self) -> str:
        """Why nothing can be said; empty where something can."""
        if self.axes.m == 0:
            return "Every parameter of this space has a single value: there is nothing to compare."
        if self.n < FEWEST:
            return f"Importance needs {FEWEST} complete trials with a finite value; there are {self.n} so far."
        if float(np.ptp(self.values)) == 0.0:
            return f"All {self.n} trials have the same value, {self.values[0]:g}: no parameter makes a difference."
        return ""


def sample_of(space: SearchSpace, trials: Trials, seed: int = 0, outcomes: Mapping[int, float] | None = None) -> Sample:
    """The complete trials with a finite value, at most MOST of them, drawn without regard to their value.

    outcomes: of a History, by trial number: what to explain instead of the values; then all trials count that have one,
    whatever their state. Raises ParamsError where a configuration does not fit the space.
    """
    if isinstance(trials, History):
        unit, values = trials.unit, trials.values
        counted = trials.mask(TrialState.COMPLETE)
        if outcomes is not None:
            values = np.array([outcomes.get(number, np.nan) for number in trials.numbers.tolist()], dtype=np.float64)
            counted = np.ones(len(values), dtype=bool)
        rows = np.flatnonzero(counted & np.isfinite(values))
    else:
        values = np.array([np.nan if value is None else value for _, value in trials], dtype=np.float64)
        rows = np.flatnonzero(np.isfinite(values))
        unit = np.full((len(trials), len(space)), np.nan)
        for row in rows.tolist():
            unit[row] = space.to_unit(space.validate(trials[row][0]))
    if len(rows) > MOST:
        rows = np.sort(np.random.default_rng(seed).choice(rows, MOST, replace=False))
    axes = axes_of(space)
    return Sample(axes, unit[rows][:, axes.columns], values[rows])
