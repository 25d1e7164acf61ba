"""The checks before tuning on a real worker: of a healthy and of a broken workload, of a program, of a function."""

import pytest

from tests.factories import make_slot
from tests.runner.programs import allow
from tests.workers.scripts import SHELL
from tuning.models import Preflight, Study, Trial, Workload
from tuning.services.lifecycle import start_study
from tuning.services.preflights import request_preflight
from tuning.services.studies import create_study
from tuning.workers.describing import describe_here
from tuning.workers.tasks import work

TINY = '''
import torch
from torch import nn
from torch.nn import functional as F

from tuning.training import Splits, TensorDataset, Workload

FAULT = False


class Tiny(Workload):
    """Points on a plane, and where their sum lies."""

    name = "tiny"
    max_epochs = 2
    space = {"lr": {"type": "float", "low": 0.01, "high": 0.1, "log": True}}

    def data(self):
        x = torch.randn(200, 2, generator=torch.Generator().manual_seed(0))
        y = x.sum(1)
        if FAULT:
            x[3, 1] = float("nan")
        return Splits(TensorDataset(x[:120], y[:120]), TensorDataset(x[120:], y[120:]))

    def build_model(self, params):
        return nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 1), nn.Flatten(0))

    def build_optimizer(self, model, params):
        return torch.optim.Adam(model.parameters(), lr=params["lr"])

    def loss(self, output, target):
        return F.mse_loss(output, target)
'''
FUNCTION = '''
def objective(trial):
    return trial.suggest_float("x", 0.0, 1.0) ** 2
'''


@pytest.fixture
def slot(settings, tmp_path, db):
    settings.WORKLOADS, settings.WORKLOAD_DIR = "", str(tmp_path)
    settings.FLUSH_SECONDS, settings.WARM_SECONDS = 0.05, 0.1
    settings.HOST_NAME = "host-1"
    return make_slot()


def asked(alice, name="tiny", **settings) -> Study:
    study = create_study(owner=alice, name="first", workload=name, n_trials=1, seed=5, **settings)
    return start_study(study_id=study.pk, actor=alice)


def statuses(preflight) -> dict[str, str]:
    return {check["rule"]: check["status"] for check in preflight.checks}


def test_a_study_trains_as_soon_as_its_checks_have_passed(alice, slot, tmp_path):
    (tmp_path / "tiny.py").write_text(TINY)
    describe_here()
    study = asked(alice)
    assert study.state == "READY"
    assert work(slot.pk) == 2, "the checks, then the trial"
    preflight = Preflight.objects.get()
    assert (preflight.state, preflight.error) == ("PASSED", "")
    assert preflight.facts["parameters"] == 33
    assert 0 < preflight.facts["seconds_per_epoch"] < 5
    study.refresh_from_db()
    assert (study.state, Trial.objects.get().state) == ("FINISHED", "COMPLETE")
    assert preflight.data_digest == study.data_digest != ""
    assert study.forecast["device_seconds"]["expected"] > 0


def test_a_broken_one_is_mended_and_starts_with_the_next_click(alice, slot, tmp_path):
    (tmp_path / "tiny.py").write_text(TINY.replace("FAULT = False", "FAULT = True"))
    describe_here()
    study = asked(alice)
    assert work(slot.pk) == 1
    assert statuses(Preflight.objects.get())["FINITE"] == "failed"
    study.refresh_from_db()
    assert (study.state, study.starts_for) == ("READY", None)
    (tmp_path / "tiny.py").write_text(TINY)
    describe_here()
    assert start_study(study_id=study.pk, actor=alice).state == "READY"
    assert work(slot.pk) == 2
    study.refresh_from_db()
    assert (study.state, study.workload_digest) == ("FINISHED", Workload.objects.get(name="tiny").digest)
    assert Trial.objects.get().state == "COMPLETE"


@pytest.mark.parametrize("kind", ["objective", "command"])
def test_what_is_no_training_of_ours_is_checked_as_far_as_it_can_be_and_not_held_up(alice, slot, tmp_path, kind):
    if kind == "objective":
        (tmp_path / "bowl.py").write_text(FUNCTION)
    else:
        (tmp_path / "curve.sh").write_text(SHELL)
        rate = {"type": "float", "low": 0.01, "high": 1.0, "log": True}
        allow(tmp_path, "bowl", command=["sh", "curve.sh", "{lr}"], space={"lr": rate}, metrics_from="stdout")
    describe_here()
    assert Workload.objects.get(name="bowl").document["kind"] == kind
    request_preflight(actor=alice, workload="bowl")
    assert asked(alice, "bowl").state == "RUNNING"
    assert work(slot.pk) == 2
    preflight = Preflight.objects.get()
    assert (preflight.state, preflight.error) == ("PASSED", "")
    assert statuses(preflight)["RUNS"] in ("passed", "info", "skipped")
    assert Trial.objects.get().state == "COMPLETE"
