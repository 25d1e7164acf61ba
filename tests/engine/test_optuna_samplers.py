"""Each sampler, worn as an Optuna sampler, passes Optuna's own suite for samplers."""

import pytest

pytest.importorskip("optuna", reason="optuna is not installed (requirements-bench.txt): its sampler suite is left out")

from tests.engine.optuna_wrapper import EngineSamplerSuite


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
