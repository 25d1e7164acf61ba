"""Random search: the contract, and that draws follow priors, weights and scales."""

import numpy as np
import pytest
from scipy import stats

from tests.engine.sampler_contract import CONTINUOUS, SamplerContract
from tuning.engine import History, SearchSpace, registry, rng_for


class TestRandom(SamplerContract):
    name = "random"


def drawn(document, n=2000):
    space = SearchSpace.from_json(document)
    sampler, history = registry.make_sampler("random"), History(space)
    return [sampler.suggest(space, history, rng_for(11, number)).params for number in range(n)]


def distance(values, cdf):
    return stats.kstest(values, cdf).statistic


def test_draws_follow_the_scales_and_priors():
    draws = drawn(CONTINUOUS)
    lr = [params["lr"] for params in draws]
    # The 0.1 % point of the Kolmogorov-Smirnov distance at n = 2000 is 0.0436.
    assert distance(np.log10(lr), stats.uniform(-5, 5).cdf) < 0.0436
    assert distance([p["decay"] for p in draws], stats.lognorm(2, scale=np.exp(-6)).cdf) < 0.0436
    beta = stats.beta(2, 5)
    assert distance([p["share"] for p in draws], lambda x: beta.cdf(x) / beta.cdf(0.8)) < 0.0436
    # 1e-5..0.1 is four of the five decades.
    momentum = [p["momentum"] for p in draws if "momentum" in p]
    assert len(momentum) / len(draws) == pytest.approx(0.8, abs=0.03)
    assert distance(momentum, stats.uniform(0, 0.99).cdf) < 0.05


def test_whole_numbers_and_choices_have_their_shares():
    draws = drawn(
        {
            "k": {"type": "int", "low": 1, "high": 4},
            "c": {"type": "categorical", "choices": ["a", "b"], "weights": [1, 3]},
            "l": {"type": "int", "low": 1, "high": 4, "log": True},
        }
    )
    share = {
        key: np.mean([p[key[0]] == key[1] for p in draws])
        for key in [("k", 1), ("k", 4), ("c", "b"), ("l", 1)]
    }
    # Four standard errors of a share at n = 2000 are at most 0.045; log(3/2 : 1/2) / log(9/2 : 1/2) is one half.
    assert share[("k", 1)] == pytest.approx(0.25, abs=0.045)
    assert share[("k", 4)] == pytest.approx(0.25, abs=0.045)
    assert share[("c", "b")] == pytest.approx(0.75, abs=0.045)
    assert share[("l", 1)] == pytest.approx(0.5, abs=0.045)


def test_the_history_does_not_matter_and_the_number_does():
    space = SearchSpace.from_json(CONTINUOUS)
    sampler, history = registry.make_sampler("random"), History(space)
    first = sampler.suggest(space, history, rng_for(0, 0)).params
    history.append(0, first, "COMPLETE", value=0.1)
    assert sampler.suggest(space, history, rng_for(0, 0)).params == first
    assert sampler.suggest(space, history, rng_for(0, 1)).params != first
    assert sampler.suggest(space, history, rng_for(1, 0)).params != first
    assert not registry.samplers()["random"].needs_history


def test_a_drawn_configuration_is_pinned():
    """The same on every machine and in every version: studies are replayed from their seeds."""
    space = SearchSpace.from_json(
        {"k": {"type": "int", "low": 0, "high": 999}, "c": {"type": "categorical", "choices": list("abc")}}
    )
    u = np.random.default_rng(np.random.SeedSequence([3, 7])).random(2)
    expected = {"k": int(u[0] * 1000), "c": "abc"[int(u[1] * 3)]}
    assert registry.make_sampler("random").suggest(space, History(space), rng_for(3, 7)).params == expected
