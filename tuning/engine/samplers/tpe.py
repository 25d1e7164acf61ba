"""TPE: draw from where good trials lie, and keep the draw that is least like the bad ones.

Bergstra, Bardenet, Bengio & Kégl, "Algorithms for Hyper-Parameter Optimization", NIPS 2011, §4; Watanabe,
"Tree-Structured Parzen Estimator", arXiv 2304.11127 (2023), for the parts and their names.

Glossary
    n   ranked trials, the best first;  n_good = gamma(n) of them are good, the others bad
    l   density of the good trials' configurations, a `ParzenEstimator`;  g  the same of the bad ones
    EI is proportional to 1 / (gamma + (1 - gamma) g(x) / l(x)): largest where log l(x) - log g(x) is

The rank: COMPLETE trials by value; PRUNED ones after them, those that got further first, by value at equal
steps; trials that failed for their configuration; last those that broke a constraint. Neither of the last two
is ever good. Open trials stand among the bad ones (the constant liar of Ginsbourger et al. 2010), so that
trials asked for in parallel keep apart. Trials cancelled or lost, and those that were told no value, say
nothing.

It differs from Optuna 5's, each chosen on design problems (Branin, Hartmann, Rosenbrock, Ackley, Levy, a mixed
and a conditional one): the good kernels may be half as wide as the bad ones (NARROWING), categorical kernels
are smoothed three times as much, and conditional parameters are modelled with all others in one tree.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tuning.engine.history import History
from tuning.engine.options import Option
from tuning.engine.samplers.base import Sampler, Suggestion
from tuning.engine.samplers.qmc import startup_design
from tuning.engine.space import SearchSpace
from tuning.engine.surrogates.parzen import ParzenEstimator
from tuning.engine.trial import TrialState

NARROWING = 0.5  # of the good kernels' least bandwidth: wide ones never settle within 100 trials
RECENT = 25  # trials that count fully; of more, the older ones count the less the older they are

Rows = NDArray[np.intp]


class TPE(Sampler):
    """Tree-structured Parzen estimator."""

    name = "tpe"
    title = "TPE"
    summary = (
        "Tree-structured Parzen estimator: tries what resembles good trials and not bad ones. Fast, and at home "
        "with choices, conditions and thousands of trials."
    )
    options = (
        Option("n_startup_trials", "int", 10, "Trials of the start-up design before the model.", low=1),
        Option("n_ei_candidates", "int", 24, "Draws among which the best is taken; more exploit more.", 1, 1000),
        Option("gamma", "float", 0.1, "Share of the trials that count as good.", low=0.001, high=0.999),
        Option("gamma_cap", "int", 25, "Most trials that count as good.", low=1),
        Option("prior_weight", "float", 1.0, "Weight of the priors beside the trials.", low=0.01, high=1000.0),
        Option("multivariate", "bool", True, "Model parameters together rather than one by one."),
        Option(
            "group",
            "bool",
            True,
            "Model conditional parameters together with the others; without it, and without multivariate, each alone.",
        ),
        Option("constant_liar", "bool", True, "Keep away from trials that are still running."),
        Option(
            "consider_endpoints",
            "bool",
            False,
            "Let the ends of a range count as neighbours, which widens the outermost kernels.",
        ),
    )

    def propose(self, space: SearchSpace, history: History, rng: np.random.Generator) -> Suggestion:
        ranked, n_comparable = rank(history)
        size, waiting = self.settings["n_startup_trials"], history.n - history.n_finished
        # Once half of the design has answered, its open trials count: parallel studies wait less for the model.
        begun = len(ranked) + waiting if 2 * len(ranked) >= size else len(ranked)
        if begun < size:
            return startup_design(space, history, rng, size)
        n_good = gamma(n_comparable, self.settings["gamma"], self.settings["gamma_cap"])
        good, bad = np.sort(ranked[:n_good]), np.sort(ranked[n_good:])
        if self.settings["constant_liar"]:
            bad = np.concatenate([bad, np.arange(history.n_finished, history.n)])
        unit = np.full(len(space), 0.5)
        choice: Choice | None = None
        parts = blocks(space, self.settings["multivariate"], self.settings["group"])
        for columns in parts:
            choice = self._choose(space, history, rng, unit, columns, good, bad)
            unit[columns] = choice.x
        params = space.from_unit(np.where(np.isnan(unit), 0.5, unit))
        if choice is None:
            return Suggestion(params, "TPE: the space has this configuration alone.")
        best = f"the best {n_good} of {len(ranked)} trials"
        if n_good == 0:
            return Suggestion(params, f"TPE: away from {len(bad)} trials, of which none is good yet.")
        if len(parts) > 1:
            return Suggestion(params, f"TPE: each parameter near {best}, judged by itself.")
        if choice.kernel is None:
            return Suggestion(params, f"TPE: a fresh draw from the priors, away from all but {best}.")
        like = f"TPE: near trial {history.numbers[choice.kernel]}, among {best}"
        if choice.moved is None:
            return Suggestion(params, f"{like}, and like it in all that both have.")
        return Suggestion(params, f"{like}, exploring {space.parameters[choice.moved].name} most.")

    def _choose(
        self,
        space: SearchSpace,
        history: History,
        rng: np.random.Generator,
        unit: NDArray[np.float64],
        columns: Rows,
        good: Rows,
        bad: Rows,
    ) -> Choice:
        """The best candidate for the parameters in `columns`, given the coordinates before them in `unit`."""
        observed = history.unit[:, columns]
        if len(columns) < len(varied(space)):  # a block alone learns from the trials that have part in it
            absent = np.isnan(observed).sum(axis=1) == len(columns)
            good, bad = good[~absent[good]], bad[~absent[bad]]
        likely = self._density(space, columns, observed[good], NARROWING)
        unlikely = self._density(space, columns, observed[bad], 1.0)
        x = self._candidates(space, unit, columns, likely, rng)
        tried = np.zeros(len(x), dtype=bool)
        if all(parameter.size is not None for parameter in space.parameters):
            known = observed[np.concatenate([good, bad])]
            tried = among(x, known)
            if tried.all():  # a finite space is searched where nothing has been yet
                x = self._candidates(space, unit, columns, self._density(space, columns, known[:0], 1.0), rng)
                tried = among(x, known)
        score = likely.log_density(x) - unlikely.log_density(x)
        if not tried.all():
            score[tried] = -np.inf
        best = int(np.argmax(score))
        kernel = int(np.argmax(likely.log_kernels(x[best : best + 1])[0]))
        if kernel == len(good):
            return Choice(x[best], None, None)
        moves = np.nan_to_num(np.abs(x[best] - observed[good[kernel]]))
        moved = int(columns[np.argmax(moves)]) if moves.any() else None
        return Choice(x[best], int(good[kernel]), moved)

    def _candidates(
        self,
        space: SearchSpace,
        unit: NDArray[np.float64],
        columns: Rows,
        density: ParzenEstimator,
        rng: np.random.Generator,
    ) -> NDArray[np.float64]:
        x = density.draw(rng, self.settings["n_ei_candidates"])
        if all(space.parameters[j].condition is None for j in columns):
            return x
        return within_conditions(space, unit, columns, x)

    def _density(
        self, space: SearchSpace, columns: Rows, observed: NDArray[np.float64], narrowing: float
    ) -> ParzenEstimator:
        return ParzenEstimator(
            [space.parameters[j] for j in columns],
            observed,
            recency(len(observed)),
            prior_weight=self.settings["prior_weight"],
            narrowing=narrowing,
            consider_endpoints=self.settings["consider_endpoints"],
        )


@dataclass(frozen=True)
class Choice:
    """The coordinates chosen for some parameters (d,), the row of the trial whose kernel likes them most (None:
    the prior does), and the column that has moved farthest from it (None: none has)."""

    x: NDArray[np.float64]
    kernel: int | None
    moved: int | None


def rank(history: History) -> tuple[Rows, int]:
    """The finished rows that say something, best first, and how many of them have values to compare by."""
    finished = slice(history.n_finished)
    losses, steps = history.losses[finished], history.steps[finished]
    pruned = history.mask(TrialState.PRUNED)[finished]
    complete = history.mask(TrialState.COMPLETE)[finished]
    infeasible = history.infeasible[finished]
    deters = history.deters[finished]
    comparable = (complete | pruned) & np.isfinite(losses) & ~infeasible
    kind = np.select([infeasible, deters, comparable & complete, pruned], [3, 2, 0, 1], default=4)
    reached = np.where(pruned, np.nan_to_num(steps), 0.0)
    order = np.lexsort((np.where(comparable, losses, np.inf), -reached, ~comparable, kind))
    n = int(np.count_nonzero(kind < 4))
    return order[:n], int(np.count_nonzero(comparable))


def gamma(n: int, share: float = 0.1, cap: int = 25) -> int:
    """How many of n trials are good: the share, rounded up, and at most the cap."""
    return min(math.ceil(share * n), cap)


def recency(n: int) -> NDArray[np.float64]:
    """Weights (n,), oldest first: 1 for the last 25, before them rising evenly from 1/n to 1."""
    if n < RECENT:
        return np.ones(n)
    return np.concatenate([np.linspace(1.0 / n, 1.0, n - RECENT), np.ones(RECENT)])


def varied(space: SearchSpace) -> list[int]:
    """The columns of the parameters that have more than one value."""
    return [j for j, parameter in enumerate(space.parameters) if parameter.size != 1]


def blocks(space: SearchSpace, multivariate: bool, group: bool) -> list[Rows]:
    """The columns that are modelled together, block by block, parents before their children."""
    columns = varied(space)
    if not columns:
        return []
    if multivariate and group:
        return [np.array(columns)]
    if not multivariate:
        return [np.array([j]) for j in columns]
    always = [j for j in columns if space.parameters[j].condition is None]
    alone = [np.array([j]) for j in columns if j not in always]
    return ([np.array(always)] if always else []) + alone


def among(x: NDArray[np.float64], known: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which of the points x (m, d) are among the known ones (n, d), NaN being equal to NaN: (m,)."""
    points, rows = np.nan_to_num(x, nan=-1.0), np.nan_to_num(known, nan=-1.0)
    found: NDArray[np.bool_] = (points[:, None] == rows).all(axis=2).any(axis=1)
    return found


def within_conditions(
    space: SearchSpace, unit: NDArray[np.float64], columns: Rows, x: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The points x (m, len(columns)) with NaN where the parameter does not take part, given the others in `unit`."""
    points = np.tile(np.where(np.isnan(unit), 0.5, unit), (len(x), 1))
    points[:, columns] = x
    names = [space.names[j] for j in columns]
    takes_part = [[name in params for name in names] for params in map(space.from_unit, points)]
    return np.where(takes_part, x, np.nan)
