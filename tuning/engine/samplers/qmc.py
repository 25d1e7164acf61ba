"""Quasi-random search: the points of a scrambled Sobol sequence, one a trial; also the start-up design of the
model-based samplers.

Sobol, USSR Computational Mathematics 7 (1967), with direction numbers of Joe & Kuo, SIAM J. Sci. Comput. 30
(2008), and the linear matrix scramble with a digital shift of Matoušek, J. Complexity 14 (1998), as in
scipy.stats.qmc. One scramble serves a whole study and trial i gets point i, whoever asks and in whatever
order, so that trials asked for in parallel differ and together fill the space evenly. A point goes through
each parameter's quantile function: log scales, steps, priors, weights and conditions hold.
"""

from __future__ import annotations

import numpy as np
import scipy
from numpy.typing import NDArray

from tuning.engine.history import History
from tuning.engine.samplers.base import Sampler, Suggestion
from tuning.engine.space import SearchSpace
from tuning.engine.trial import made_for

BITS = 30  # digits of a coordinate; the sequence has 2^30 points and then begins again


class QuasiRandom(Sampler):
    """Takes the points of a scrambled Sobol sequence in turn."""

    name = "qmc"
    title = "Quasi-random search"
    summary = "Fills the space more evenly than random draws do. Good for many trials at once and for a survey."
    needs_history = False
    learns = False

    def propose(self, space: SearchSpace, history: History, rng: np.random.Generator) -> Suggestion:
        seed, number = study_and_trial(history, rng)
        params = space.from_unit(sobol_point(space, seed, number))
        return Suggestion(params, f"Quasi-random: point {number + 1} of a scrambled Sobol sequence.")


def startup_design(space: SearchSpace, history: History, rng: np.random.Generator, size: int) -> Suggestion:
    """The next configuration of a model-based sampler's start-up design of `size` trials.

    The design's place is counted in trials that have taught something or still may: those with a value,
    those that failed for their configuration and those still open.
    """
    seed, number = study_and_trial(history, rng)
    place = history.n - history.n_finished + int(informative(history).sum()) + 1
    why = (
        f"Start-up design {place} of {size}."
        if place <= size
        else f"Start-up design: the {size} trials that start the model are out, but have not all answered yet."
    )
    return Suggestion(space.from_unit(sobol_point(space, seed, number)), why)


def informative(history: History) -> NDArray[np.bool_]:
    """Which finished rows teach something, (n_finished,): a value, a broken constraint, or a failure that deters."""
    finished = slice(history.n_finished)
    known: NDArray[np.bool_] = (np.isfinite(history.values) | history.infeasible | history.deters)[finished]
    return known


def sobol_point(space: SearchSpace, seed: int, number: int) -> NDArray[np.float64]:
    """Point `number` of the study's scrambled sequence in the unit cube (d,).

    Parameters with a single value take no coordinate of the sequence. Past scipy's 21,201 dimensions the
    coordinates are plain random numbers.
    """
    unit = np.full(len(space), 0.5)
    varied = [position for position, parameter in enumerate(space.parameters) if parameter.size != 1]
    covered, beyond = np.split(np.array(varied, dtype=np.int64), [scipy.stats.qmc.Sobol.MAXDIM])
    if len(covered):
        # Scrambled by the study's seed alone; the word after it keeps this stream apart from the trials' own.
        scramble = np.random.default_rng(np.random.SeedSequence([seed], spawn_key=(0,)))
        sequence = scipy.stats.qmc.Sobol(len(covered), bits=BITS, rng=scramble)
        if number % 2**BITS:
            sequence.fast_forward(number % 2**BITS)
        unit[covered] = sequence.random(1)[0]
    if len(beyond):
        rest = np.random.default_rng(np.random.SeedSequence([seed, number], spawn_key=(0,)))
        unit[beyond] = rest.random(len(beyond))
    return unit


def study_and_trial(history: History, rng: np.random.Generator) -> tuple[int, int]:
    """The study's seed and the trial's number by `rng_for`.

    For a generator from elsewhere: a number that its seed fixes, and the count of rows in the history.
    """
    known = made_for(rng)
    if known is not None:
        return known
    return int(rng.bit_generator.seed_seq.generate_state(1)[0]), history.n
