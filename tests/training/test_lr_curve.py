"""The arithmetic of the range test: schedule, smoothing, stop rule, bracket, and when there is none."""

import math

import numpy as np
import pytest

from tuning.training.lr_curve import (
    FEWEST,
    SKIP_END,
    SKIP_START,
    Smoother,
    beta_of,
    learning_rates,
    read_curve,
)


def curve_of(losses, low=1e-6, high=10.0, steps=None):
    """Rates, losses and smoothed losses until the stop rule ends the test, and what is read from them."""
    steps = steps or len(losses)
    smoother = Smoother(beta_of(steps))
    for count, loss in enumerate(losses, start=1):  # noqa: B007
        smoother.take(loss)
        if smoother.has_diverged():
            break
    rates = learning_rates(low, high, steps)[:count]
    reading = read_curve(list(rates), list(losses[:count]), smoother.values, beta=beta_of(steps), stopped=count < steps)
    return rates, np.asarray(smoother.values), reading


def valley_losses(steps=100, bottom=1e-2, width=0.35, *, blow_up=True):
    """A loss of 2 that falls to 1 around `bottom`, steepest a decade before it, and blows up a decade behind."""
    decades = np.log10(learning_rates(1e-6, 10.0, steps)) - math.log10(bottom)
    falling = 1 + 1 / (1 + np.exp((decades + 1) / width))
    return falling + np.where(decades > 1, 10 ** np.clip(decades - 1, 0, 3) - 1, 0) * blow_up


def test_the_schedule_is_exponential_and_has_both_ends():
    rates = learning_rates(1e-6, 10.0, 100)
    assert (rates[0], rates[-1], len(rates)) == (1e-6, 10.0, 100)
    assert np.allclose(rates, [1e-6 * (1e7) ** (i / 99) for i in range(100)])
    assert np.allclose(np.diff(np.log(rates)), math.log(1e7) / 99)


@pytest.mark.parametrize(
    ("low", "high", "steps", "words"),
    [
        (0.0, 1.0, 100, "above 0, the lower one first, not 0 to 1"),
        (1.0, 0.1, 100, "not 1 to 0.1"),
        (1e-3, 1e-3, 100, "the lower one first"),
        (1e-6, math.inf, 100, "not 1e-06 to inf"),
        (1e-6, 1.0, FEWEST - 1, "at least 17 steps, not 16"),
    ],
)
def test_a_range_that_is_none_is_refused(low, high, steps, words):
    with pytest.raises(ValueError, match=words):
        learning_rates(low, high, steps)


def test_the_smoothing_is_corrected_for_its_start():
    smoother = Smoother(0.98)
    assert [smoother.take(loss) for loss in (3.0, 3.0, 3.0)] == pytest.approx([3.0, 3.0, 3.0])
    smoother = Smoother(0.9)
    assert [smoother.take(loss) for loss in (1.0, 2.0, 4.0)] == pytest.approx(
        [1.0, (0.09 + 0.2) / 0.19, (0.081 + 0.18 + 0.4) / 0.271]
    )
    assert beta_of(100) == pytest.approx(0.9)
    assert beta_of(300) == pytest.approx(1 - 1 / 30), "the window stays a tenth of the test"


def test_a_lucky_first_batch_does_not_end_the_test():
    """Trap: a least loss that is taken from the first noisy points makes every later one four times as large."""
    smoother = Smoother(0.9)
    for loss in (0.01, *[1.0] * 60):
        smoother.take(loss)
        assert not smoother.has_diverged()


def test_the_test_ends_above_four_times_the_least_smoothed_loss():
    smoother = Smoother(0.0)  # nothing smoothed, so that the limit can be seen
    for loss in [1.0] * SKIP_START + [0.5, 1.0, 1.99]:
        smoother.take(loss)
        assert not smoother.has_diverged()
    smoother.take(2.01)
    assert smoother.has_diverged()


def test_a_loss_below_zero_ends_once_it_has_risen_three_times_its_fall():
    smoother = Smoother(0.0)
    for loss in [0.5] * SKIP_START + [0.5, -1.0, 0.0, 3.4]:  # a fall of 1.5 from the first point that counts
        smoother.take(loss)
        assert not smoother.has_diverged()
    smoother.take(3.6)
    assert smoother.has_diverged()


def test_the_bracket_reaches_from_the_valleys_entry_to_its_steepest_point():
    _, smoothed, reading = curve_of(valley_losses())
    valley, steepest = reading.bracket
    assert 1e-4 < valley < steepest < reading.lowest < 0.2
    assert 1e-3 <= steepest <= 5e-3, "the smoothed curve lags by less than its window, which is 0.7 decades"
    assert (reading.reason, reading.note) == ("", "")
    assert smoothed.min() > 1.0


def test_the_slope_is_taken_against_log_lr():
    """Trap: against lr itself the first steps, where lr hardly changes, win by orders of magnitude."""
    losses = valley_losses() + np.linspace(5e-2, 0, 100)  # which falls a little from the start
    rates, smoothed, reading = curve_of(losses)
    inner = slice(SKIP_START, -SKIP_END)
    against_lr = rates[inner][np.gradient(smoothed[inner], rates[inner]).argmin()]
    assert against_lr < 1e-4 < reading.bracket[0]


def test_nothing_right_of_the_minimum_counts():
    """Trap: after a blow-up a loss may fall by more in one step than in the whole valley."""
    losses = valley_losses()
    losses[85:] = [3.0, 3.5, 3.9, 3.9, 3.5, 2.0, 1.9, 1.8, 1.9, 1.8, 1.9, 2.0, 2.0, 2.0, 2.0]
    rates, smoothed, reading = curve_of(losses)
    assert len(rates) == 100
    assert np.gradient(smoothed, np.log(rates)).argmin() > 85
    assert reading.bracket[1] < 0.01


def test_nothing_on_the_valleys_floor_counts():
    """Trap: two lucky batches where the fall is nearly done fall more steeply than the wall of the valley."""
    losses = valley_losses()
    _, _, plain = curve_of(losses)
    losses[62:64] -= 0.8
    rates, smoothed, reading = curve_of(losses)
    inner = slice(SKIP_START, -SKIP_END)
    assert rates[inner][np.gradient(smoothed[inner], np.log(rates[inner])).argmin()] > 0.02
    assert reading.bracket[1] == pytest.approx(plain.bracket[1], rel=0.2)


def test_a_valley_that_is_a_cliff_has_two_ends():
    rates, _, reading = curve_of(np.where(np.arange(20) < 12, 2.0, 0.5))
    assert reading.bracket[0] < reading.bracket[1] <= rates[13]


def test_the_first_and_the_last_points_are_skipped():
    losses = valley_losses(blow_up=False)
    losses[:SKIP_START] = np.linspace(40.0, 2.0, SKIP_START)  # the steepest fall of all
    _, _, plain = curve_of(valley_losses(blow_up=False))
    smoothed = Smoother(0.0)
    for loss in losses:
        smoothed.take(loss)
    rates = list(learning_rates(1e-6, 10.0, 100))
    reading = read_curve(rates, list(losses), smoothed.values, beta=0.9, stopped=False)
    assert np.gradient(losses, np.log(rates)).argmin() < SKIP_START
    assert reading.bracket[0] > 1e-4
    losses = list(valley_losses(blow_up=False))
    losses[-SKIP_END:] = [0.0] * SKIP_END
    _, _, reading = curve_of(losses)
    assert reading.bracket == plain.bracket


@pytest.mark.parametrize("losses", [np.full(100, 2.3), np.linspace(2.3, 2.25, 100), np.linspace(1.0, 3.0, 100)])
def test_a_flat_or_rising_curve_gives_no_suggestion_and_the_reason(losses):
    _, _, reading = curve_of(losses)
    assert reading.bracket is None
    assert "The curve is flat" in reading.reason
    assert "Take more steps or larger batches" in reading.reason, "the remedy"


@pytest.mark.parametrize(("steps", "spread"), [(30, 0.3), (100, 0.05), (100, 0.3), (100, 1.0), (300, 0.3)])
def test_noise_alone_is_no_valley(steps, spread):
    """A flat loss whose batches differ: of 400 curves of new seeds at most one in twelve may look like a valley."""
    rng = np.random.default_rng(20)
    found = sum(curve_of(np.abs(1 + spread * rng.standard_normal(steps)))[2].bracket is not None for _ in range(400))
    assert found <= 33


@pytest.mark.parametrize("points", [0, 1, FEWEST - 1])
def test_too_few_points_give_the_reason_and_the_remedy(points):
    losses = [1.0] * points
    reading = read_curve([1e-3] * points, losses, losses, beta=0.9, stopped=True)
    assert reading.bracket is None
    assert f"after {points} loss" in reading.reason
    assert "Test lower learning rates, or take more steps" in reading.reason


def test_a_loss_that_still_falls_at_the_end_asks_for_higher_rates():
    _, _, reading = curve_of(valley_losses(bottom=10.0, blow_up=False))
    assert reading.bracket is not None
    assert "still falls at" in reading.note and "higher learning rates" in reading.note


def test_a_loss_that_falls_from_the_start_asks_for_lower_rates():
    _, _, reading = curve_of(np.concatenate([np.linspace(2.0, 1.0, 60), np.linspace(1.0, 8.0, 40)]))
    assert reading.bracket is not None
    assert "lower learning rates" in reading.note
