"""Gaussian-process Bayesian optimisation: a model of all trials so far says where the next one promises most.

Jones, Schonlau & Welch, J. Global Optimization 13 (1998); Snoek, Larochelle & Adams, NIPS 2012. The parts: the start-up
design (`qmc`), which trials count and as what (`surrogates.observations`), what earlier studies teach
(`surrogates.earlier`), conditional and discrete parameters (`surrogates.axes`), the model
(`surrogates.gaussian_process`), the acquisition (`acquisition`) and its maximiser (`acquisition_search`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tuning.engine.acquisition_search import Found, search
from tuning.engine.history import History
from tuning.engine.options import Option
from tuning.engine.samplers.base import Sampler, Suggestion
from tuning.engine.samplers.qmc import informative, startup_design, study_and_trial
from tuning.engine.space import SearchSpace
from tuning.engine.surrogates.axes import axes_of
from tuning.engine.surrogates.observations import at_a_rung
from tuning.engine.surrogates.surrogate import ACQUISITIONS, Surrogate
from tuning.engine.trial import TrialState

Array = NDArray[np.float64]

# Length scales between a suggestion and every trial. A model that believes its objective to be free of noise
# otherwise spends the rest of a budget on gains in the fourth digit at a local optimum: on a conditional
# problem a third of the studies ended so, and none with it (8 seeds); the mean over nine problems at 50 trials
# rose from 0.86 to 0.90.
APART = 0.01
# Of noise, the more the farther: one more look at the best spot promises an improvement for ever, and on a noisy Branin
# function forty trials lay on one spot. In units of the noise's standard deviation, of which 0.1 to 0.6 are common;
# measured on twenty-two problems, 6 seeds: 0.05 more at 25 trials, 0.08 at 50 (standard error 0.02), nothing lost
# without noise. Expected improvement augmented for noise (Huang et al. 2006) gained 0.07 at 50 and lost 0.01 at 25.
APART_BY_NOISE = 0.3
APART_PENDING = 0.1  # from a trial that still runs, whose answer may make its surroundings pointless
FEWEST = 5  # answers that the model needs at least
NEAR = 0.5  # squared distance in length scales, within which a correlation of at least 0.7 lies


class GP(Sampler):
    """Bayesian optimisation with a Gaussian process."""

    name = "gp"
    title = "Gaussian process"
    summary = (
        "Models the objective and tries where improvement is most promising. Finds most with few, expensive trials."
    )
    options = (
        Option(
            "n_startup_trials",
            "int",
            8,
            "Trials of the quasi-random design before the model decides.",
            low=1,
            high=100_000,
        ),
        Option(
            "acquisition",
            "text",
            "ei",
            "What the model maximises: ei, expected improvement; pi, the probability of improvement; ucb, the "
            "confidence bound.",
            choices=ACQUISITIONS,
        ),
        Option(
            "kappa",
            "float",
            2.0,
            "For ucb: how many standard deviations of uncertainty count as promise.",
            low=0.0,
        ),
        Option(
            "input_warping",
            "bool",
            False,
            "Learn where along each parameter the objective changes fast. Pays for many trials, costs with few.",
        ),
    )

    def propose(self, space: SearchSpace, history: History, rng: np.random.Generator) -> Suggestion:
        size = self.settings["n_startup_trials"]
        if axes_of(space).m == 0 or not _started(history, size):
            return startup_design(space, history, rng, size)
        if _knows_low_rungs_alone(history) and study_and_trial(history, rng)[1] % 2 == 0:
            params = startup_design(space, history, rng, size).params
            return Suggestion(params, f"Start-up design: every second trial, until {FEWEST} have run to their end.")
        surrogate = Surrogate(
            space,
            history,
            self.settings["acquisition"],
            self.settings["kappa"],
            rng,
            self.settings["input_warping"],
        )
        if not surrogate.outputs.varied:
            params = startup_design(space, history, rng, size).params
            return Suggestion(params, "GP: all values so far are the same, so the start-up design goes on.")
        found = search(surrogate, rng)
        point = _first_new(surrogate, found, history)
        return Suggestion(space.from_unit(surrogate.axes.unit(point)), _why(surrogate, point, history))


def _started(history: History, size: int) -> bool:
    """Whether the design of `size` trials is handed out and enough of it has answered to make a model.

    A trial that waits at a rung has answered. Not all of the design: with several trials at once, waiting for the last
    answer would make it longer by as many trials as run at a time. Measured with eight at a time: a model of three
    answers led astray (0.10 less at 25 trials than one of five), waiting for all eight cost 0.07.
    """
    taught = sum(int(informative(source).sum()) for source in history.earlier)
    known = int(informative(history).sum()) + taught
    handed_out = known + history.n - history.n_finished
    at_rungs = int(at_a_rung(history).sum())
    valued = at_rungs > 0 or any(np.isfinite(part.values).any() for part in (history, *history.earlier))
    return handed_out >= size and known + at_rungs >= min(size, FEWEST) and valued


def _knows_low_rungs_alone(history: History) -> bool:
    """Whether trials have come to rungs, and too few to the end to tell whether the rungs mislead.

    A model of low rungs alone sends nothing on that learns late. Measured with races on curves without noise between
    seeds (two real tables, 10 seeds; two made families, 4 to 6), mean epochs until found; waiting for FEWEST complete
    trials, beginning with the design, and this:

                               Hyperband                                ASHA
        digits_mlp             408   106                       232      421    234    290
        digits_cnn             121   187                       119      167     98     81
        slow start             544   712                       852      658  1,092  1,062
        crossing (of 4)        651   none found in 2,500 each  3 found, at 16 to 1,176
    """
    partial = at_a_rung(history) | (history.mask(TrialState.PRUNED) & np.isfinite(history.values))
    whole = sum(
        int((known.mask(TrialState.COMPLETE) & np.isfinite(known.values)).sum())
        for known in (history, *history.earlier)
    )
    return whole < FEWEST and bool(partial.any())


def _first_new(surrogate: Surrogate, found: Found, history: History) -> Array:
    """The best point found that teaches something new: one that no trial has or had, at a distance from all.

    Without such a point the best whose configuration is new, and where all have been tried, the best. Trials
    that say nothing about their configuration (cancelled, lost) do not count.
    """
    silent = history.mask(TrialState.FAILED) & ~history.deters
    tried = set(surrogate.axes.keys(surrogate.axes.latent(history.unit[~silent])))
    keys = surrogate.axes.keys(found.points)
    new = [point for point, key in zip(found.points, keys, strict=True) if key not in tried]
    distance = max(APART, APART_BY_NOISE * float(np.sqrt(surrogate.hyper.noise)))
    for point in new:
        if all(
            surrogate.axis_distances(point, others).sum(axis=1).min(initial=np.inf) >= apart**2
            for others, apart in ((surrogate.points, distance), (surrogate.pending, APART_PENDING))
        ):
            return point
    return new[0] if new else found.points[0]


def _why(surrogate: Surrogate, point: Array, history: History) -> str:
    """What the model expects of the point: an improvement, and near what, or knowledge, and of what."""
    if len(surrogate.points) == 0:
        return "GP: the most promising by what earlier studies taught."
    mean, _ = surrogate.moments(point[None])
    fitted = surrogate.fitted()
    rows = surrogate.observations.rows
    shares = surrogate.axis_distances(point, surrogate.points)  # (n, m)
    nearest = int(np.argmin(shares.sum(axis=1)))
    if shares[nearest].sum() == 0:
        return f"GP: the most promising configuration again, that of trial {history.numbers[rows[nearest]]}."
    if mean[0] >= fitted.min():
        return f"GP: exploring {surrogate.axes.names[int(np.argmax(shares[nearest]))]}."
    best = history.values[rows[int(np.argmin(fitted))]]
    place = f"near trial {history.numbers[rows[nearest]]}" if shares[nearest].sum() < NEAR else "away from all trials"
    goal = "improve" if not np.isfinite(best) else f"improve on {best:.4g}"
    return f"GP: expected to {goal} {place}."
