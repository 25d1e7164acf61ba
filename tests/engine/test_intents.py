"""Intents: the sentences that the samplers really give are all understood."""

import numpy as np
import pytest

from tuning.engine import History, SearchSpace, registry, rng_for
from tuning.engine.intents import Intent, intent_of

MIXED = SearchSpace.from_json(
    {
        "x": {"type": "float", "low": 0.0, "high": 1.0},
        "kind": {"type": "categorical", "choices": ["a", "b"]},
        "n": {"type": "int", "low": 1, "high": 8, "when": {"kind": ["a"]}},
    }
)
GRID = SearchSpace.from_json({"kind": {"type": "categorical", "choices": list("abcd")}})


def searched(sampler: str, n: int, *, space=MIXED, seed=0, loss=None, **options) -> list[str]:
    """The sentences of a search of n trials."""
    history, sentences = History(space), []
    chosen = registry.make_sampler(sampler, options, budget=options.pop("budget", None) or n)
    for number in range(n):
        suggestion = chosen.suggest(space, history, rng_for(seed, number))
        sentences.append(suggestion.why)
        params = suggestion.params
        value = (params.get("x", 0.0) - 0.3) ** 2 + 0.1 * (params.get("kind") == "b")
        history.append(number, params, "COMPLETE", value if loss is None else loss)
    return sentences


def intents(sentences: list[str]) -> list[Intent]:
    return [intent_of(why) for why in sentences]


@pytest.mark.parametrize("sampler", [sampler for sampler in registry.samplers() if sampler != "grid"])
def test_no_sampler_says_what_is_not_understood(sampler: str) -> None:
    sentences = searched(sampler, 30)
    assert [why for why in sentences if intent_of(why) is Intent.UNKNOWN] == []


def test_the_gaussian_process_starts_up_then_explores_and_exploits() -> None:
    found = intents(searched("gp", 40))
    assert found[:8] == [Intent.STARTUP] * 8
    assert set(found[8:]) == {Intent.EXPLORE, Intent.EXPLOIT}


def test_the_default_names_its_choice_after_the_intent() -> None:
    sentences = searched("auto", 12)
    assert all("Chosen because" in why for why in sentences)
    assert intents(sentences)[0] is Intent.STARTUP


def test_where_all_values_are_the_same_the_model_has_not_begun() -> None:
    assert set(intents(searched("gp", 14, loss=1.0))) == {Intent.STARTUP}


def test_the_best_again_is_exploiting() -> None:
    history = History(GRID)
    for number in range(12):
        history.append(number, {"kind": "abcd"[number % 4]}, "COMPLETE", float(number % 4))
    why = registry.make_sampler("gp").suggest(GRID, history, rng_for(0, 12)).why
    assert "again" in why
    assert intent_of(why) is Intent.EXPLOIT


@pytest.mark.parametrize("options", [{}, {"multivariate": False}, {"multivariate": False, "group": False}])
def test_tpe_starts_up_then_exploits(options: dict) -> None:
    found = intents(searched("tpe", 30, **options))
    assert found[:10] == [Intent.STARTUP] * 10
    assert Intent.EXPLOIT in found[10:]
    assert set(found[10:]) <= {Intent.EXPLORE, Intent.EXPLOIT}


def test_tpe_explores_where_nothing_is_good_or_the_prior_draws() -> None:
    history = History(MIXED)
    for number in range(12):
        params = MIXED.from_unit(np.random.default_rng(number).random(3))
        history.append(number, params, "FAILED", reason_code="diverged")
    assert intent_of(registry.make_sampler("tpe").suggest(MIXED, history, rng_for(0, 12)).why) is Intent.EXPLORE
    fresh = [why for why in searched("tpe", 40, prior_weight=50.0) if "fresh draw" in why]
    assert fresh
    assert set(intents(fresh)) == {Intent.EXPLORE}


def test_searches_without_a_model_survey() -> None:
    assert set(intents(searched("random", 3) + searched("qmc", 3))) == {Intent.SURVEY}
    assert set(intents(searched("grid", 4, space=GRID))) == {Intent.SURVEY}
    single = SearchSpace.from_json({"c": {"type": "constant", "value": 1}})
    assert intents(searched("tpe", 11, space=single, loss=1.0))[-1] is Intent.SURVEY


def test_what_somebody_gave_is_given_whatever_the_sentence() -> None:
    assert intent_of("queued by alice", "enqueued") is Intent.GIVEN
    assert intent_of("", "added") is Intent.GIVEN
    assert intent_of("made for a test of scale", "made") is Intent.UNKNOWN
