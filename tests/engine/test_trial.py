"""States, reasons, directions, and the random numbers of a trial."""

import numpy as np
import pytest

from tuning.engine import Direction, OptionError, Trial, TrialState, rng_for
from tuning.engine.trial import made_for


def test_states_are_their_names():
    assert [str(state) for state in TrialState] == [
        "WAITING",
        "RUNNING",
        "PAUSED",
        "COMPLETE",
        "PRUNED",
        "FAILED",
    ]
    assert TrialState("PRUNED") is TrialState.PRUNED
    assert TrialState.WAITING == "WAITING"
    assert [state for state in TrialState if state.open] == [
        TrialState.WAITING,
        TrialState.RUNNING,
        TrialState.PAUSED,
    ]


@pytest.mark.parametrize(
    ("reason", "deters"),
    [
        ("diverged", True),
        ("out_of_memory", True),
        ("code_error", True),
        ("deadline", True),
        ("cancelled", False),
        ("lost_host", False),
        ("disk_full", False),
    ],
)
def test_only_failures_of_the_configuration_deter(reason, deters):
    assert Trial(0, {}, TrialState.FAILED, reason_code=reason).deters is deters
    assert not Trial(0, {}, TrialState.PRUNED, reason_code=reason).deters


def test_directions_turn_values_into_losses():
    assert Direction.of("minimize").sign == 1
    assert Direction.of("maximize").sign == -1
    with pytest.raises(OptionError, match=r'^direction: "up" is not one of "minimize" and "maximize"$'):
        Direction.of("up")


def test_each_trial_has_random_numbers_of_its_own():
    assert rng_for(1, 2).random() == rng_for(1, 2).random()
    assert len({rng_for(seed, number).random() for seed in range(5) for number in range(5)}) == 25
    expected = np.random.default_rng(np.random.SeedSequence([4, 2])).random(3)
    np.testing.assert_array_equal(rng_for(4, 2).random(3), expected)


def test_random_numbers_know_whose_they_are_however_many_were_drawn():
    rng = rng_for(3, 7)
    rng.random(5)
    assert made_for(rng) == (3, 7)
    assert made_for(np.random.default_rng(3)) is None
    assert made_for(np.random.default_rng()) is None
