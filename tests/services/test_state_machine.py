"""runtime.md's invariants over random sequences of everything that people, workers, scripts and machines do.

The machine (tests/services/machine) drives the real services on the real database beside a model in plain Python.
"""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.services.machine.drain import RuntimeMachine
from tests.services.machine.scheduler import Rungs
from tuning.engine import registry

pytestmark = pytest.mark.django_db
# The same examples on every run; settings(PROFILE, max_examples=1200, derandomize=False) searches longer.
PROFILE = settings(
    max_examples=12,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(autouse=True)
def _a_scheduler_that_parks(monkeypatch):
    monkeypatch.setattr(registry, "SCHEDULERS", (*registry.SCHEDULERS, Rungs))


def test_nothing_that_people_workers_and_machines_do_breaks_a_promise():
    run_state_machine_as_test(RuntimeMachine, settings=PROFILE)
