"""What another hour promises: the gain and the noise against known truths, and the statement that stays calm."""

import numpy as np
import pytest

from tuning.analysis import worth_going_on
from tuning.analysis.worth import Stand, Worth, finding, gain_words
from tuning.analysis.worth.records import gain_by_records
from tuning.analysis.worth.repeats import noise_by_repeats
from tuning.engine import History, Optimizer, SearchSpace
from tuning.engine.surrogates.surrogate import surrogate_of
from tuning.engine.surrogates.validation import leave_one_out

SPACE = {"x": {"type": "float", "low": 0.0, "high": 1.0}, "y": {"type": "float", "low": 0.0, "high": 1.0}}
NOISE = 0.02


def bowl(params):
    return (params["x"] - 0.3) ** 2 + (params["y"] - 0.6) ** 2


def history_of(n, value=bowl, *, noise=NOISE, sampler="gp", seed=0, sign=1.0):
    """n trials of a noisy function, as they would come to be."""
    space, rng = SearchSpace.from_json(SPACE), np.random.default_rng(seed)
    direction = "minimize" if sign > 0 else "maximize"
    optimizer, history = Optimizer(SPACE, sampler=sampler, seed=seed, direction=direction), History(space, direction)
    for number in range(n):
        trial = optimizer.ask()
        told = sign * (value(trial.params) + noise * float(rng.standard_normal()))
        optimizer.tell(trial.number, told)
        history.append(number, trial.params, "COMPLETE", told)
    return history


def by_model(history, seconds=360):
    surrogate = surrogate_of(history.space, history)
    validation = leave_one_out(surrogate, history)
    return worth_going_on(history, seconds_per_trial=seconds, surrogate=surrogate, validation=validation)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_study_that_has_found_the_bottom_of_a_bowl_is_not_worth_another_hour(sign):
    said = by_model(history_of(50, sign=sign))
    assert (said.method, said.noise_of, said.hour, said.trials) == ("model", "model", 10, 50)
    assert said.noise == pytest.approx(NOISE, rel=0.5)
    assert 0 <= said.low <= said.gain <= said.high < NOISE
    assert said.not_worth and not said.problem


def test_an_hour_is_worth_it_while_a_better_region_is_in_sight():
    """All trials lie right of the bowl's bottom, to which the model sees them fall."""
    space, rng = SearchSpace.from_json(SPACE), np.random.default_rng(0)
    history = History(space)
    for number in range(40):
        params = {"x": float(rng.uniform(0.6, 1.0)), "y": float(rng.uniform(0.2, 1.0))}
        history.append(number, params, "COMPLETE", bowl(params) + 0.005 * float(rng.standard_normal()))
    said = by_model(history)
    assert said.method == "model"
    assert 0.05 < said.gain < 0.3, "from (0.6, y) down to (0.3, 0.6) it is 0.09; the model expects the fall to go on"
    assert said.high > said.noise and not said.not_worth


def test_more_trials_of_an_hour_never_promise_less():
    history = history_of(25, sampler="random")
    gains = [by_model(history, seconds).gain for seconds in (7200, 600, 60, 1)]
    assert gains == sorted(gains)
    assert by_model(history, 7200).hour == 1, "an hour that pays no whole trial is judged by one"


def test_the_records_of_draws_from_a_known_tail():
    """The least of n exponential draws is exponential with mean 1/n: k more bring it down by 1/n - 1/(n + k)."""
    n, k, found = 100, 50, []
    for seed in range(60):
        losses = np.random.default_rng(seed).exponential(size=n)
        found.append(gain_by_records(losses, k, np.random.default_rng(1), (0.05, 0.95)))
    truth = 1 / n - 1 / (n + k)
    gains = np.array([gain for gain, _, _ in found])
    assert truth <= gains.mean() <= 40 * truth, "the tail is taken for longer than one that ends at 0"
    assert all(low <= gain <= high for gain, low, high in found)


def test_the_bound_by_records_holds_for_random_draws():
    exceeded = 0
    for seed in range(200):
        draws = np.random.default_rng(seed).standard_normal(60)
        _, _, high = gain_by_records(draws[:50], 10, np.random.default_rng(1), (0.05, 0.95))
        exceeded += draws[:50].min() - draws[50:].min() > high
    assert exceeded <= 16, "a gain above its 95 % bound in 5 % of 200, and three standard deviations more"


def test_equal_values_promise_nothing_and_break_nothing():
    assert gain_by_records(np.ones(30), 10, np.random.default_rng(0), (0.05, 0.95)) == pytest.approx((0, 0, 0))


def test_repeats_of_the_better_half_measure_the_noise():
    rng = np.random.default_rng(0)
    good = 1.0 + 0.1 * rng.standard_normal(40)
    bad = 9.0 + 3.0 * rng.standard_normal(60)
    configurations = [*(["good"] * 40), *(["bad"] * 60)]
    assert noise_by_repeats(configurations, np.concatenate([good, bad])) == pytest.approx(0.1, rel=0.3)
    assert noise_by_repeats(list(range(100)), np.concatenate([good, bad])) is None, "no configuration ran twice"


def test_what_was_measured_goes_before_what_the_model_guesses():
    history = history_of(30)
    best = history.params(int(np.argmin(history.losses)))
    for number in range(30, 38):
        history.append(number, best, "COMPLETE", bowl(best) + (0.05 if number % 2 else -0.05))
    said = by_model(history)
    assert (said.noise_of, said.method) == ("repeats", "model")
    assert said.noise == pytest.approx(0.053, rel=0.3)


def test_nothing_is_claimed_of_few_trials_or_where_nothing_explains_the_values():
    early = by_model(history_of(19))
    assert (early.gain, early.not_worth, early.trials) == (None, False, 19)
    assert "20 complete trials are needed" in early.problem
    rng = np.random.default_rng(3)
    noise = history_of(40, lambda params: float(rng.standard_normal()), noise=0.0, sampler="random")
    said = by_model(noise)
    assert (said.method, said.noise, said.not_worth) == ("records", None, False)
    assert "Enqueue the best configuration" in said.problem
    assert "not known" in gain_words(said)
    untimed = worth_going_on(noise, seconds_per_trial=None)
    assert (untimed.gain, "measurable time" in untimed.problem) == (None, True)


def test_pairs_are_judged_by_their_records_with_the_noise_of_repeats():
    rng = np.random.default_rng(0)
    pairs = [({"x": 0}, -float(0.01 * rng.standard_normal())) for _ in range(80)]
    pairs += [({"x": number}, -1.0 - float(rng.random())) for number in range(1, 21)]
    said = worth_going_on(pairs, direction="maximize", seconds_per_trial=720)
    assert (said.method, said.noise_of, said.hour) == ("records", "repeats", 5)
    assert said.not_worth, "the best configuration repeated does not beat its own noise"
    assert worth_going_on([*pairs, ({"x": 1}, None), ({"x": 1}, float("nan"))], direction="maximize",
                          seconds_per_trial=720).trials == 100  # fmt: skip


def test_a_statement_takes_two_looks_to_come_and_two_to_go():
    said, stands = Stand(), []
    for look in (True, False, True, True, False, True, False, False, True):
        said = said.after(look)
        stands.append(said.not_worth)
    assert stands == [False, False, False, True, True, True, True, False, False]


def test_it_is_said_with_its_numbers_and_survives_json():
    worth = Worth(60, 12, 0.0004, 0.0, 0.0021, "model", 0.003, "repeats")
    assert Worth.from_json(worth.to_json()) == worth
    told = finding(worth, stops=False)
    assert (told.rule, told.severity, told.evidence["high"]) == ("WORTH", "warning", 0.0021)
    assert told.message == (
        "Another hour is not worth it. An hour of device time pays 12 trials, which better the best value by 0.0004 on "
        "average and, with 95 % certainty, by less than 0.0021 (by the study's model); the seed alone moves a value by "
        "0.003 (measured on configurations that ran more than once). Stop it and confirm the best configurations with "
        "further seeds."
    )
    assert gain_words(worth) == "expected gain 0.0004 (90 %: 0 to 0.0021), seed noise 0.003"


def test_the_same_trials_promise_the_same():
    history = history_of(30)
    assert by_model(history) == by_model(history)
