"""The sampler "gp": the contract, and what is particular to it."""

from tests.engine.sampler_contract import SamplerContract


class TestGP(SamplerContract):
    name = "gp"
