"""Each sampler, worn as an Optuna sampler, passes Optuna's own suite for samplers."""

import pytest

from tests.engine.optuna_wrapper import EngineGrid, EngineSamplerSuite


class TestRandom(EngineSamplerSuite):
    name = "random"


class TestQuasiRandom(EngineSamplerSuite):
    name = "qmc"


class TestGP(EngineSamplerSuite):
    name = "gp"


class TestTPE(EngineSamplerSuite):
    name = "tpe"


class TestTPEWithAModelFromTheSecondTrialOn(EngineSamplerSuite):
    name = "tpe"
    options = {"n_startup_trials": 1}


class TestAuto(EngineSamplerSuite):
    name = "auto"


class TestGrid(EngineSamplerSuite):
    """Every class of the suite applies, with a list of values in place of a continuous range: a grid over a range
    itself is refused (`test_grid`), and Optuna's GridSampler asks for such a list, too."""

    @pytest.fixture
    def sampler(self):
        return EngineGrid
