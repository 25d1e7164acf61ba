"""The best strength of a regulariser against size: ridge regression's exact theory, no claim where there is nothing."""

import numpy as np
import pytest

from tuning.analysis.diagnosis import Sized, strength_findings
from tuning.analysis.diagnosis.strengths import REPEATS, Run, best_strengths

GRID = 10.0 ** np.arange(-4, 1.6, 0.5)
HALVES = 10.0 ** np.arange(-5, 0.1, 0.5)
DECAY = {"weight_decay": {"type": "float", "low": 1e-6, "high": 1.0, "log": True}}


def ridge(sizes, seed: int, *, summed: bool = False, repeats: int = 5) -> list[Run]:
    """Ridge regressions of unit noise on p isotropic weights of unit length and n examples: (p, n) of `sizes`.

    The loss is the exact expected error. The strength is of the mean loss, or of the loss summed over the examples.
    """
    rng = np.random.default_rng(seed)
    runs = []
    for p, n in sizes:
        for repeat in range(repeats):
            true = rng.standard_normal(p)
            true /= np.linalg.norm(true)
            inputs = rng.standard_normal((n, p))
            left, singular, right = np.linalg.svd(inputs, full_matrices=False)
            seen = left.T @ (inputs @ true + rng.standard_normal(n))
            for strength in GRID * (100 if summed else 1):
                total = strength if summed else strength * n
                error = right.T @ (singular / (singular**2 + total) * seen) - true
                runs.append(Run(float(strength), float(error @ error) + 1, p, n, seed=repeat))
    return runs


def bowls(optima, seed: int, *, noise: float = 0.3, repeats: int = REPEATS, sized: str = "parameters") -> list[Run]:
    """Losses with their least at log10 strength `optima[i]` for size 100 * 10**i."""
    rng = np.random.default_rng(seed)
    return [
        Run(float(strength), float((np.log10(strength) - optimum) ** 2 + noise * rng.standard_normal()),
            *((100.0 * 10**place, None) if sized == "parameters" else (None, 100.0 * 10**place)))
        for place, optimum in enumerate(optima) for strength in HALVES for _ in range(repeats)
    ]  # fmt: skip


def covers(sizes, truth: float, first: int, **more) -> tuple[int, int]:
    """In how many of ten drawings the interval holds the truth, and in how many a slope is claimed."""
    slopes = [best_strengths(ridge(sizes, seed, **more), scale="log").slopes[0] for seed in range(first, first + 10)]
    return sum(one.low <= truth <= one.high for one in slopes), sum(one.claimed for one in slopes)


def test_ridge_regression_wants_ten_times_the_penalty_for_ten_times_the_parameters() -> None:
    held, claimed = covers([(10, 200), (30, 200), (100, 200), (300, 200)], 1.0, 100)
    assert held >= 8 and claimed >= 9


def test_and_a_tenth_for_ten_times_the_examples_unless_the_loss_is_summed_over_them() -> None:
    sizes = [(50, 25), (50, 50), (50, 200), (50, 800)]
    held, claimed = covers(sizes, -1.0, 200)
    assert held >= 8 and claimed >= 9
    held, claimed = covers(sizes, 0.0, 200, summed=True)
    assert held >= 9 and claimed <= 1


def test_both_sizes_at_once_have_a_slope_each() -> None:
    found = best_strengths(ridge([(p, n) for p in (10, 40, 160) for n in (50, 200, 800)], 301, repeats=4), scale="log")
    assert [slope.axis for slope in found.slopes] == ["parameters", "examples"]
    assert len(found.sizes) == 9
    (start, steepness), n = found.line("parameters"), np.log10(200.0)
    assert steepness == found.slopes[0].value
    assert start == pytest.approx(found.intercept + found.slopes[1].value * n)
    assert found.line("width") is None
    for slope, truth in zip(found.slopes, (1.0, -1.0), strict=True):
        assert slope.low <= truth <= slope.high


@pytest.mark.parametrize("alike", [False, True])
def test_where_nothing_moves_nothing_is_claimed(alike: bool) -> None:
    claims = 0
    for seed in range(400, 500):
        optimum = -2.6 + 0.4 * np.random.default_rng(seed).random()
        runs = [run for run in bowls([optimum] * 3, seed, noise=0.7) if np.log10(run.strength) % 1 == 0]
        if alike:  # the strength makes no difference at all
            losses = np.random.default_rng(seed).standard_normal(len(runs))
            runs = [run._replace(loss=float(loss)) for run, loss in zip(runs, losses, strict=True)]
        claims += any(slope.claimed for slope in best_strengths(runs, scale="log").slopes)
    assert claims <= 5


def test_seeds_that_all_strengths_share_are_drawn_together() -> None:
    rng = np.random.default_rng(4)
    luck = rng.standard_normal(REPEATS)
    runs = [run._replace(loss=run.loss + 5 * luck[index % REPEATS], seed=index % REPEATS)
            for index, run in enumerate(bowls([-1, -2, -3], 4, noise=0.05))]  # fmt: skip
    (shared,) = best_strengths(runs, scale="log").slopes
    assert shared.claimed and shared.high - shared.low < 0.7
    assert best_strengths([run._replace(seed=None) for run in runs], scale="log").problem


def test_a_plant_is_found_with_its_optima_and_neighbours_serve_as_repeats() -> None:
    found = best_strengths(bowls([-1, -2, -3], 1, noise=0.05), scale="log")
    assert [round(np.log10(size.best), 6) for size in found.sizes] == [-1, -2, -3]
    assert all(size.low < size.best < size.high and size.told and not size.edge for size in found.sizes)
    assert found.slopes[0].value == pytest.approx(-1.0)
    rng = np.random.default_rng(2)
    drawn = []
    for place in range(4):
        for x in rng.uniform(-6, 1, 40):
            loss = (x + 1 + place) ** 2 + 0.1 * rng.standard_normal()
            drawn.append(Run(float(10**x), float(loss), float(10.0 ** (place + rng.random())), 50))
    (slope,) = best_strengths(drawn, scale="log").slopes
    assert slope.claimed and slope.low < -1 < slope.high, "sizes that are all different are put into bins"


def test_the_order_of_the_runs_does_not_matter_and_the_seed_fixes_the_interval() -> None:
    runs = bowls([-1, -2, -3], 1)
    assert best_strengths(runs, scale="log") == best_strengths(runs, scale="log")
    other = best_strengths(runs[::-1], scale="log").slopes[0]
    assert other.value == best_strengths(runs, scale="log").slopes[0].value


@pytest.mark.parametrize(
    ("runs", "words"),
    [
        ([], "hardly varied"),
        ([run for run in bowls([-1, -2, -3], 1) if 1e-3 <= run.strength < 5e-3], "hardly varied"),
        (bowls([-1, -2], 1), "3 different sizes"),
        ([run._replace(parameters=None) for run in bowls([-1, -2, -3], 1)], "3 different sizes"),
        (bowls([-1, -2, -3], 1, repeats=2)[:40], "3 different sizes"),
        (bowls([-1, -2, -3], 1)[::12], "Too few trials"),
        (bowls([-9, -9, -9], 1), "at an end of the range"),
        ([run._replace(loss=1.0) for run in bowls([-1, -2, -3], 1)], "told from chance"),
        ([run._replace(examples=run.parameters) for run in bowls([-1, -2, -3], 1)], "grow together"),
    ],
)
def test_a_design_that_does_not_tell_is_refused_with_the_reason(runs: list[Run], words: str) -> None:
    found = best_strengths(runs, scale="log")
    assert words in found.problem and found.slopes == ()


def test_an_optimum_at_an_end_is_marked_and_the_claim_says_that_it_is_a_bound() -> None:
    found = best_strengths(bowls([-1, -3, -9], 1), scale="log")
    assert [size.edge for size in found.sizes] == ["", "", "low"]
    assert "Of 3 optima 1 is at an end" in finding([-1, -3, -9]).says


def finding(optima, **more):
    trials = [Sized({"weight_decay": run.strength}, run.loss, run.parameters, run.examples, **more)
              for run in bowls(optima, 1, noise=0.05, sized="examples")]  # fmt: skip
    (found,) = strength_findings(DECAY, trials, "minimize")
    return found


def test_a_claim_names_slope_interval_and_unit() -> None:
    found = finding([-1, -2, -3], optimizer="AdamW")
    assert found.title == "The best weight_decay falls with the training set"
    assert "-1.00 decades for ten times the examples (95 % interval -1." in found.says
    assert found.unit.startswith("decoupled weight decay")
    assert finding([-1, -2, -3], optimizer="SGD").unit.startswith("L2 penalty on the weights, added to the mean loss")
    assert finding([-1, -2, -3]).unit.startswith("weight decay as the training applies it")
    flat = finding([-2, -2, -2])
    assert flat.title == ""
    assert flat.says.startswith("Nothing is claimed, for the 95 % interval holds zero: +0.00 decades")


def test_two_kinds_of_weight_decay_are_not_compared() -> None:
    trials = [Sized({"weight_decay": run.strength}, run.loss, run.parameters, None, optimizer)
              for run in bowls([-1, -2, -3], 1) for optimizer in ("SGD", "AdamW")]  # fmt: skip
    (found,) = strength_findings(DECAY, trials, "minimize")
    assert "fix the optimizer" in found.says and not found.claims


def test_a_dropout_rate_is_read_on_its_own_scale_and_a_score_by_its_direction() -> None:
    rng = np.random.default_rng(3)
    space = {"dropout": {"type": "categorical", "choices": [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]}, "lr": DECAY["weight_decay"],
             "weight_decay": {"type": "constant", "value": 1e-4}}  # fmt: skip
    trials = []
    for place in range(3):
        for rate in space["dropout"]["choices"] * REPEATS:
            score = 1 - 20 * (rate - 0.1 * (place + 1)) ** 2 + 0.02 * rng.standard_normal()
            trials.append(Sized({"dropout": rate, "lr": 0.1}, float(score), 1000.0 * 10**place, 100))
    (found,) = strength_findings(space, trials, "maximize")
    assert (found.parameter, found.found.scale) == ("dropout", "linear")
    assert [size.best for size in found.found.sizes] == pytest.approx([0.1, 0.2, 0.3])
    assert "+0.10 of the units for ten times the parameters" in found.says
