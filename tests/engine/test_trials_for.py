"""How many trials so many steps pay, by the plans of the schedulers."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuning.engine import registry
from tuning.engine.schedulers.base import MOST_TRIALS

NAMES = ["none", "successive_halving", "hyperband", "asha", "median"]


def made(name, top=81, least=1, eta=3):
    return registry.make_scheduler(
        name, {}, min_resource=least, max_resource=top, reduction_factor=eta, direction="minimize"
    )


@pytest.mark.parametrize(
    ("name", "steps", "trials"),
    [("none", 162, 2), ("none", 161, 1), ("none", 80, 0), ("hyperband", 1581, 143), ("hyperband", 0, 0)],
)
def test_known_answers(name, steps, trials):
    assert made(name).trials_for(steps) == trials


@given(st.sampled_from(NAMES), st.integers(1, 60), st.integers(1, 4), st.integers(2, 5), st.integers(0, 400))
@settings(deadline=None)
def test_one_more_trial_would_be_too_many(name, top, least, eta, steps):
    scheduler = made(name, max(top, least), least, eta)
    found = scheduler.trials_for(steps)
    assert found == 0 or scheduler.plan(found).resource <= steps
    assert scheduler.plan(found + 1).resource > steps
    uses = [scheduler.plan(n).resource for n in range(1, found + 3)]
    assert uses == sorted(uses), "more trials never use fewer steps"


@pytest.mark.parametrize("name", NAMES)
def test_it_comes_to_an_end_for_any_number(name):
    assert made(name).trials_for(10**18) == MOST_TRIALS


def test_without_an_end_of_a_trial_nobody_knows():
    with pytest.raises(ValueError, match="without max_resource nobody knows"):
        registry.make_scheduler("none", {}, direction="minimize").trials_for(10)
