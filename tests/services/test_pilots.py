"""Whether early results rank as late ones do: measured on a handful of whole trials, and heeded by the advisor."""

import pytest

from tests.factories import SPACE, make_running, make_study, make_workload, report
from tuning.models import Study
from tuning.services.advising import Budget, advice_for, early_order
from tuning.services.endings import complete_trial
from tuning.services.errors import Invalid
from tuning.services.pilots import TRIALS, start_pilot

pytestmark = pytest.mark.django_db
STEPS = 27


@pytest.fixture(autouse=True)
def _workload(db):
    make_workload("tiny", max_resource=STEPS)


def pilot(alice, **more) -> Study:
    return start_pilot(owner=alice, workload="tiny", space=SPACE, parallel=TRIALS, max_resource=STEPS, **more)


def run(study, losses, steps=STEPS):
    """Every trial to its end, with the loss losses(number, step)."""
    for number in range(study.budget_total):
        trial = make_running(study)
        report(trial, [losses(number, step) for step in range(1, steps + 1)])
        complete_trial(trial_id=trial.pk, fence=trial.fence)


def asked(early):
    return advice_for(SPACE, Budget(trials=100), workload=None, max_resource=STEPS, slots=1, early=early)


def test_a_pilot_is_a_study_of_a_handful_of_whole_trials(alice):
    study = pilot(alice)
    assert (study.state, study.budget_total, study.sampler, study.scheduler) == ("RUNNING", 8, "qmc", "none")
    assert study.name.startswith("pilot of tiny, ")
    assert early_order(alice, "tiny", STEPS) is None, "nothing is known before its trials are"
    with pytest.raises(Invalid, match="nobody"):
        start_pilot(owner=alice, workload="nobody", space=SPACE, parallel=1, max_resource=STEPS)


def test_an_order_that_holds_from_the_first_step_lets_trials_be_judged_early(alice):
    run(study := pilot(alice), lambda number, step: 1.0 + number - 0.01 * step)
    early = early_order(alice, "tiny", STEPS)
    assert early is not None
    assert (early.study, early.n_trials) == (study, TRIALS)
    assert [one.step for one in early.agreements] == [1, 3, 9]
    assert all(one.rho == pytest.approx(1.0) for one in early.agreements)
    assert asked(early).method.scheduler == asked(None).method.scheduler == "hyperband"


def test_an_order_that_turns_round_ends_nobody_early(alice):
    run(pilot(alice), lambda number, step: 1.0 + (number if step > 20 else -number))
    early = early_order(alice, "tiny", STEPS)
    assert early is not None
    assert all(one.rho == pytest.approx(-1.0) for one in early.agreements)
    assert asked(early).method.scheduler == "none"


def test_only_whole_trials_of_as_many_steps_that_the_person_may_see_tell(alice, bob):
    run(pilot(alice), lambda number, step: float(number))
    assert early_order(alice, "tiny", 9) is None
    assert early_order(alice, "other", STEPS) is None
    assert early_order(bob, "tiny", STEPS) is not None
    Study.objects.update(visibility="private")
    assert early_order(bob, "tiny", STEPS) is None
    Study.objects.update(scheduler="asha")
    assert early_order(alice, "tiny", STEPS) is None


def test_the_newest_that_has_enough_whole_trials_tells(alice):
    first = pilot(alice)
    run(first, lambda number, step: float(number))
    second = make_study(alice, workload="tiny", max_resource=STEPS, n_trials=3, started=True)
    run(second, lambda number, step: float(number))
    early = early_order(alice, "tiny", STEPS)
    assert early is not None
    assert early.study == first, "three are too few"
