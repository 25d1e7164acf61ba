"""Studies on a virtual clock: utilisation, and what a scheduler saves."""

import math

import numpy as np
import pytest

from tests.engine.races import race
from tuning.engine import TrialState
from tuning.engine.schedulers.asha import ASHA
from tuning.engine.schedulers.hyperband import Hyperband
from tuning.engine.schedulers.none import NoScheduler
from tuning.engine.schedulers.successive_halving import SuccessiveHalving
from tuning.engine.simulation import simulate


def curve(trial, step):
    """Ends at the distance from 0.3; how fast it gets there differs from trial to trial."""
    rate = 0.3 + 0.7 * math.modf(trial.number * 0.618)[0]
    return abs(trial.params["x"] - 0.3) + step**-rate


def one_second(trial, step):
    return 1.0


def log_normal(seed):
    """Seconds of an epoch: a speed for each trial, and noise for each epoch, both log-normal."""
    rng = np.random.default_rng(seed)
    speeds, noise = np.exp(rng.normal(0.0, 0.5, 1009)).tolist(), np.exp(rng.normal(0.0, 0.2, 10_007)).tolist()

    def clock(trial, step):
        return speeds[trial.number % 1009] * noise[(trial.number * 127 + step) % 10_007]

    return clock


def test_one_worker_is_always_busy():
    optimizer = race(Hyperband, resources=(1, 81), budget=143)
    found = simulate(optimizer, curve, one_second)
    assert (found.epochs, found.seconds, found.utilisation) == (1581, 1581.0, 1.0)
    assert [report.epochs for report in found.reports] == list(range(1, 1582))
    assert not any(trial.state.open for trial in optimizer.trials)


def test_no_worker_runs_two_trials_and_no_trial_runs_twice():
    optimizer = race(ASHA, resources=(1, 27), budget=60)
    found = simulate(optimizer, curve, log_normal(0), workers=7)
    steps = {}
    for report in found.reports:
        assert report.step == steps.get(report.number, 0) + 1
        steps[report.number] = report.step
    assert found.busy <= 7 * found.seconds + 1e-6
    assert [report.time for report in found.reports] == sorted(report.time for report in found.reports)


def test_it_stops_at_its_limits():
    found = simulate(race(NoScheduler, resources=(1, 10)), curve, one_second, workers=3, max_epochs=25)
    assert found.epochs == 25
    found = simulate(race(NoScheduler, resources=(1, 10)), curve, one_second, workers=3, max_seconds=7.5)
    assert (found.epochs, found.seconds, found.utilisation) == (21, 7.5, 1.0)


def test_the_same_again_is_the_same():
    runs = [simulate(race(ASHA, resources=(1, 27), budget=50), curve, log_normal(3), workers=5) for _ in range(2)]
    assert runs[0] == runs[1]


@pytest.mark.parametrize("workers", [64, 500])
def test_asha_keeps_its_workers_busy(workers):
    """Above 95 % with log-normal epoch times (issue's figure for 64 workers)."""
    optimizer = race(ASHA, resources=(1, 81))
    found = simulate(optimizer, curve, log_normal(1), workers=workers, max_seconds=150.0)
    assert found.utilisation > 0.95
    assert sum(trial.state is TrialState.COMPLETE for trial in optimizer.trials) > 0


def seconds_until(found, optimizer, target):
    """When a trial that has run to its end is this good."""
    good = {trial.number for trial in optimizer.trials if abs(trial.params["x"] - 0.3) < target}
    times = [report.time for report in found.reports if report.number in good and report.step == 81]
    return min(times, default=math.inf)


def test_the_published_order():
    """ASHA finds a good configuration sooner than synchronous halving, and that sooner than random search."""
    medians = []
    for kind in (ASHA, SuccessiveHalving, NoScheduler):
        times = []
        for seed in range(3):
            optimizer = race(kind, resources=(1, 81), seed=seed)
            found = simulate(optimizer, curve, log_normal(seed), workers=16, max_seconds=1_500.0)
            times.append(seconds_until(found, optimizer, target=0.01))
        medians.append(float(np.median(times)))
    asha, halving, random = medians
    assert asha < halving < random


def test_wrong_calls_say_what_is_wrong():
    optimizer = race(NoScheduler, resources=(1, 10))
    with pytest.raises(ValueError, match="workers is 0: at least one"):
        simulate(optimizer, curve, one_second, workers=0)
    with pytest.raises(ValueError, match=r"epoch 1 of trial 0 takes 0\.0 seconds"):
        simulate(optimizer, curve, lambda trial, step: 0.0)
