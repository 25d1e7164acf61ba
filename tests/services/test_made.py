"""Made trials for tests of scale look like run ones: counters, curves, summaries, the best trial."""

import pytest

from tests.factories import make_study
from tuning.models import CurveSummary, Trial
from tuning.selectors.curves import trial_curves
from tuning.services.errors import Conflict
from tuning.services.made import make_trials


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_made_trials_fit_together(alice, direction):
    study = make_study(alice, direction=direction)
    make_trials(study_id=study.pk, n=120, steps=6)
    make_trials(study_id=study.pk, n=30, steps=6, seed=1)
    study.refresh_from_db()
    states = {state: study.trials.filter(state=state).count() for state in ("COMPLETE", "PRUNED", "FAILED")}
    assert states == {"COMPLETE": study.n_complete, "PRUNED": study.n_pruned, "FAILED": study.n_failed}
    assert (sum(states.values()), study.next_number, study.finish_seq, study.budget_total) == (150, 150, 150, 150)
    complete = list(study.trials.filter(state="COMPLETE").order_by("number"))
    pick = min if direction == "minimize" else max
    assert study.best_trial.value == pick(trial.value for trial in complete)
    assert not study.trials.filter(state="FAILED", value__isnull=False).exists()
    trial = complete[0]
    curve = trial_curves(trial)["validation/loss"]
    assert len(curve.steps) == 6
    assert trial.value == pytest.approx(pick(curve.values))
    summary = CurveSummary.objects.get(trial=trial, metric__name="validation/loss")
    assert (summary.n, summary.best, summary.last) == (6, pick(curve.values), curve.values[-1])


def test_made_trials_never_go_into_a_running_study(alice):
    with pytest.raises(Conflict):
        make_trials(study_id=make_study(alice, started=True).pk, n=5)
    assert not Trial.objects.exists()
