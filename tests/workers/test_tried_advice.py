"""Advice tried by real trial processes: a change that does nothing gives the same curves on the same seeds."""

from tests.factories import make_slot
from tuning.models import Trial
from tuning.selectors.curves import trial_curves
from tuning.selectors.diagnostics import trial_verdict
from tuning.services.lifecycle import start_study
from tuning.services.studies import create_study
from tuning.services.trying import try_advice
from tuning.workers.describing import describe_here
from tuning.workers.tasks import work

NOISE = '''
import torch
from torch import nn
from torch.nn import functional as F

from tuning.training import Splits, TensorDataset, Workload


class Noise(Workload):
    """Targets that have nothing to do with their points: all that can be learnt is by heart."""

    name = "noise"
    max_epochs = 12
    space = {"dropout": {"type": "float", "low": 0.0, "high": 0.5}}  # which the model does not have

    def data(self):
        draw = torch.Generator().manual_seed(0)
        x, y = torch.randn(80, 4, generator=draw), torch.randn(80, generator=draw)
        return Splits(TensorDataset(x[:20], y[:20]), TensorDataset(x[20:], y[20:]))

    def build_model(self, params):
        return nn.Sequential(nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 1), nn.Flatten(0))

    def build_optimizer(self, model, params):
        return torch.optim.Adam(model.parameters(), lr=0.03)

    def loss(self, output, target):
        return F.mse_loss(output, target)
'''


def losses(trial: Trial) -> tuple[list[float], list[float]]:
    curves = trial_curves(trial)
    return curves["train/loss"].values, curves["validation/loss"].values


def test_a_change_that_does_nothing_gives_the_same_curves_on_the_same_seeds(alice, settings, tmp_path, db):
    settings.WORKLOADS, settings.WORKLOAD_DIR = "", str(tmp_path)
    settings.FLUSH_SECONDS, settings.WARM_SECONDS, settings.HOST_NAME = 0.05, 0.1, "host-1"
    slot = make_slot()
    (tmp_path / "noise.py").write_text(NOISE)
    describe_here()
    study = create_study(owner=alice, name="by heart", workload="noise", n_trials=1, seed=5)
    start_study(study_id=study.pk, actor=alice, despite="it is about something else")
    assert work(slot.pk) >= 1
    trial = Trial.objects.select_related("study", "space").get(study=study)
    assert trial.state == "COMPLETE", trial.reason
    assert "more_dropout" in [one.action for one in trial_verdict(trial).advice]
    test = try_advice(trial_id=trial.pk, actor=alice, action="more_dropout", pairs=2)
    assert test.study.state == "RUNNING", "started despite the same as its study"
    assert work(slot.pk) == 4
    test.refresh_from_db()
    runs = list(test.study.trials.order_by("number"))
    assert [run.state for run in runs] == ["COMPLETE"] * 4
    assert runs[0].params != runs[1].params
    assert losses(runs[0]) == losses(runs[1])
    assert losses(runs[2]) == losses(runs[3])
    assert losses(runs[0]) != losses(runs[2])
    assert (test.differences, test.outcome) == ([0.0, 0.0], "undecided")
