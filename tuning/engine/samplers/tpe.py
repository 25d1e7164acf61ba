"""TPE: draw from where good trials lie, and keep the draw that is least like the bad ones.

Bergstra, Bardenet, Bengio & Kégl, "Algorithms for Hyper-Parameter Optimization", NIPS 2011, §4; Watanabe,
"Tree-Structured Parzen Estimator", arXiv 2304.11127 (2023), for the parts and their names.

Glossary
    n   ranked trials, the best first;  n_good = gamma(n) of them are good, the others bad
    l   density of the good trials' configurations, a `ParzenEstimator`;  g  the same of the bad ones
    EI is proportional to 1 / (gamma + (1 - gamma) g(x) / l(x)): largest where log l(x) - log g(x) is

Which trials are good is in `surrogates.ranking`. Open trials stand among the bad ones (the constant liar of Ginsbourger
et al. 2010), so that trials asked for in parallel keep apart. Earlier studies' trials stand before the study's own,
each study's ranked by themselves.

It differs from Optuna 5's, each chosen on design problems (Branin, Hartmann, Rosenbrock, Ackley, Levy, a mixed
and a conditional one): the good kernels may be half as wide as the bad ones (NARROWING), categorical kernels
are smoothed three times as much, and conditional parameters are modelled with all others in one tree.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tuning.engine.history import History
from tuning.engine.options import Option
from tuning.engine.samplers.base import Sampler, Suggestion
from tuning.engine.samplers.qmc import startup_design
from tuning.engine.space import SearchSpace
from tuning.engine.surrogates.parzen import ParzenEstimator
from tuning.engine.surrogates.ranking import Known, Rows, concordance, rank, recency

NARROWING = 0.5  # of the good kernels' least bandwidth: wide ones never settle within 100 trials
JUDGED = 5  # values from which on an earlier study that orders them the wrong way round is left out
SAMPLED = 100  # of the study's trials, from the best to the worst, that judge an earlier study


class TPE(Sampler):
    """Tree-structured Parzen estimator."""

    name = "tpe"
    title = "TPE"
    summary = (
        "Tree-structured Parzen estimator: tries what resembles good trials and not bad ones. Fast, and at home "
        "with choices, conditions and thousands of trials."
    )
    options = (
        Option("n_startup_trials", "int", 10, "Trials of the start-up design before the model.", low=1, high=100_000),
        Option("n_ei_candidates", "int", 24, "Draws among which the best is taken; more exploit more.", 1, 1000),
        Option("gamma", "float", 0.1, "Share of the trials that count as good.", low=0.001, high=0.999),
        Option("gamma_cap", "int", 25, "Most trials that count as good.", low=1, high=100_000),
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
        known = Known(history, [earlier for earlier in history.earlier if self._agrees(space, earlier, history)])
        good, bad = known.split(self.settings["gamma"], self.settings["gamma_cap"])
        n_good, n_ranked = len(good), len(good) + len(bad)
        size, waiting = self.settings["n_startup_trials"], history.n - history.n_finished
        # Once half of the design has answered, its open trials count: parallel studies wait less for the model.
        begun = n_ranked + waiting if 2 * n_ranked >= size else n_ranked
        if begun < size:
            return startup_design(space, history, rng, size)
        if self.settings["constant_liar"]:
            bad = np.concatenate([bad, known.open])
        unit = np.full(len(space), 0.5)
        choice: Choice | None = None
        parts = blocks(space, self.settings["multivariate"], self.settings["group"])
        for columns in parts:
            choice = self._choose(space, known, rng, unit, columns, good, bad)
            unit[columns] = choice.x
        params = space.from_unit(np.where(np.isnan(unit), 0.5, unit))
        if choice is None:
            return Suggestion(params, "TPE: the space has this configuration alone.")
        best = f"the best {n_good} of {n_ranked} trials"
        if n_good == 0:
            return Suggestion(params, f"TPE: away from {len(bad)} trials, of which none is good yet.")
        if len(parts) > 1:
            return Suggestion(params, f"TPE: each parameter near {best}, judged by itself.")
        if choice.kernel is None:
            return Suggestion(params, f"TPE: a fresh draw from the priors, away from all but {best}.")
        like = f"TPE: near {known.name(choice.kernel)}, among {best}"
        if choice.moved is None:
            return Suggestion(params, f"{like}, and like it in all that both have.")
        return Suggestion(params, f"{like}, exploring {space.parameters[choice.moved].name} most.")

    def _agrees(self, space: SearchSpace, earlier: History, history: History) -> bool:
        """Whether an earlier study would have put this one's trials more in the right order than in the reverse."""
        ranked, n_comparable = rank(history)
        columns = np.array(varied(space), dtype=np.intp)
        if n_comparable < JUDGED or len(columns) == 0:
            return True
        good, bad = Known(earlier, ()).split(self.settings["gamma"], self.settings["gamma_cap"])
        some = ranked[np.unique(np.linspace(0, n_comparable - 1, SAMPLED).astype(int))]
        own, theirs = history.unit[some][:, columns], earlier.unit[:, columns]
        likely = self._density(space, columns, theirs[good], 1.0)
        unlikely = self._density(space, columns, theirs[bad], 1.0)
        return concordance(unlikely.log_density(own) - likely.log_density(own), np.arange(len(own))) > 0

    def _choose(
        self,
        space: SearchSpace,
        known: Known,
        rng: np.random.Generator,
        unit: NDArray[np.float64],
        columns: Rows,
        good: Rows,
        bad: Rows,
    ) -> Choice:
        """The best candidate for the parameters in `columns`, given the coordinates before them in `unit`."""
        observed = known.unit[:, columns]
        if len(columns) < len(varied(space)):  # a block alone learns from the trials that have part in it
            absent = np.isnan(observed).sum(axis=1) == len(columns)
            good, bad = good[~absent[good]], bad[~absent[bad]]
        likely = self._density(space, columns, observed[good], NARROWING)
        unlikely = self._density(space, columns, observed[bad], 1.0)
        x = self._candidates(space, unit, columns, likely, rng)
        tried = np.zeros(len(x), dtype=bool)
        if all(parameter.size is not None for parameter in space.parameters):
            places = np.concatenate([good, bad])
            own = observed[places[places >= known.first]]
            tried = among(x, own)
            if tried.all():  # a finite space is searched where nothing has been yet
                x = self._candidates(space, unit, columns, self._density(space, columns, own[:0], 1.0), rng)
                tried = among(x, own)
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
