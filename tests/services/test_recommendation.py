"""What the budget advisor recommends is what a study can be created with, and plans the same."""

import pytest

from tests.factories import make_study, make_user, make_workload
from tuning.engine import SearchSpace
from tuning.engine.agreement import Agreement
from tuning.engine.purse import Budget
from tuning.engine.recommendation import recommend
from tuning.engine.speed import Speed
from tuning.selectors.budget import expected_trials

pytestmark = pytest.mark.django_db
SPACE = {"lr": {"type": "float", "low": 1e-4, "high": 0.1, "log": True}, "k": {"type": "int", "low": 1, "high": 4}}
GRID = {"k": {"type": "int", "low": 1, "high": 6}, "j": {"type": "int", "low": 1, "high": 6}}


@pytest.mark.parametrize("space", [SPACE, GRID])
@pytest.mark.parametrize("slots", [1, 8])
@pytest.mark.parametrize("budget", [Budget(trials=30), Budget(device_seconds=5000.0), Budget(seconds=900.0)])
@pytest.mark.parametrize("agreements", [(), (Agreement(-0.5, -0.9, 0.3, 8, 1), Agreement(0.9, 0.5, 1.0, 8, 3))])
def test_every_offer_creates_a_study_with_as_many_trials(space, slots, budget, agreements):
    make_workload()
    alice = make_user("alice")
    found = recommend(
        SearchSpace.from_json(space), budget, max_resource=27, speed=Speed(2.0), slots=slots, agreements=agreements
    )
    for number, one in enumerate((found.choice, *found.alternatives)):
        study = make_study(alice, name=f"s{number}", workload="tiny", space=space, **one.method.to_json())
        if one.method.scheduler != "median":  # whose trials nobody knows beforehand
            assert expected_trials(study) == one.forecast.trials
