"""An engine's sampler worn as an Optuna sampler, so that it can face `optuna.testing.pytest_samplers`."""

import numpy as np
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler
from optuna.search_space import IntersectionSearchSpace
from optuna.study import StudyDirection
from optuna.testing.pytest_samplers import (
    BasicSamplerTestCase,
    RelativeSamplerTestCase,
    SingleOnlySamplerTestCase,
)
from optuna.trial import TrialState as OptunaState

from tuning.engine import History, SearchSpace, SpaceExhausted, Trial, TrialState, registry, rng_for

STATES = {
    OptunaState.COMPLETE: TrialState.COMPLETE,
    OptunaState.PRUNED: TrialState.PRUNED,
    OptunaState.FAIL: TrialState.FAILED,
    OptunaState.RUNNING: TrialState.RUNNING,
    OptunaState.WAITING: TrialState.WAITING,
}


class EngineSampler(BaseSampler):
    """Suggests what the engine's sampler of this name and these options suggests for the same trials.

    Parameters that Optuna knows beforehand are suggested together, all others one by one.
    """

    def __init__(self, name, options=None, seed=0):
        self._sampler, self._seed = registry.make_sampler(name, options), seed
        self._intersection = IntersectionSearchSpace(include_pruned=True)

    def infer_relative_search_space(self, study, trial):
        known = self._intersection.calculate(study)
        return {name: distribution for name, distribution in known.items() if not distribution.single()}

    def sample_relative(self, study, trial, search_space):
        if len(study.directions) > 1:
            raise ValueError("the engine's samplers have one objective")
        if not search_space:
            return {}
        space = SearchSpace.from_json({name: self.entry(known) for name, known in search_space.items()})
        return self.suggested(space, engine_history(study, trial, space), trial.number)

    def entry(self, distribution):
        """The engine's JSON form of one distribution."""
        return entry(distribution)

    def suggested(self, space, history, number):
        return self._sampler.suggest(space, history, rng_for(self._seed, number)).params

    def sample_independent(self, study, trial, param_name, param_distribution):
        return self.sample_relative(study, trial, {param_name: param_distribution})[param_name]


def entry(distribution):
    """The engine's JSON form of one distribution."""
    if isinstance(distribution, CategoricalDistribution):
        return {"type": "categorical", "choices": list(distribution.choices)}
    kinds = {FloatDistribution: "float", IntDistribution: "int"}
    document = {"type": kinds[type(distribution)], "low": distribution.low, "high": distribution.high}
    if distribution.log:
        return document | {"log": True}
    return document if distribution.step is None else document | {"step": distribution.step}


def engine_history(study, current, space):
    """The study's other trials that have a value for every parameter of the space."""
    history = History(space, "maximize" if study.direction is StudyDirection.MAXIMIZE else "minimize")
    pending = []
    for optuna_trial in study.get_trials(deepcopy=False):
        params = {name: value for name, value in optuna_trial.params.items() if name in space}
        if optuna_trial.number == current.number or not space.contains(params):
            continue
        reports = optuna_trial.intermediate_values
        trial = Trial(
            number=optuna_trial.number,
            params=params,
            state=STATES[optuna_trial.state],
            value=optuna_trial.value,
            resource=optuna_trial.last_step,
            reason_code="code_error" if optuna_trial.state is OptunaState.FAIL else None,
            intermediate=reports,
        )
        if trial.state.open:
            pending.append(trial)
        else:
            history.append_trial(trial)
    return history.with_pending(pending)


class EngineGrid(EngineSampler):
    """The grid, given the finitely many values that it needs, as Optuna's GridSampler is given them by its user:
    a continuous range by 7 of its values. And like that one it begins again when all have been handed out.
    """

    def __init__(self, options=None, seed=0):
        super().__init__("grid", options, seed)

    def entry(self, distribution):
        if not isinstance(distribution, FloatDistribution) or distribution.step is not None:
            return super().entry(distribution)
        spaced = np.geomspace if distribution.log else np.linspace
        values = spaced(distribution.low, distribution.high, 7).clip(distribution.low, distribution.high)
        return {"type": "categorical", "choices": values.tolist()}

    def suggested(self, space, history, number):
        try:
            return super().suggested(space, history, number)
        except SpaceExhausted:
            return super().suggested(space, History(space), number)


class EngineSamplerSuite(BasicSamplerTestCase, RelativeSamplerTestCase, SingleOnlySamplerTestCase):
    """Optuna's own suite for samplers with one objective. Subclasses give `name` and, if any, `options`."""

    name: str
    options = None

    @pytest.fixture
    def sampler(self):
        return lambda: EngineSampler(self.name, self.options)
