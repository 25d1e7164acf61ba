"""A learning-rate test on a worker, and `manage.py lr_find`, which needs none: real processes."""

import json
from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from tests.factories import make_slot, make_user
from tuning.models import Job, Workload
from tuning.selectors.lr_ranges import curves_of
from tuning.services.jobs import claim_job
from tuning.services.lr_ranges import request_lr_range
from tuning.workers.describing import describe_here
from tuning.workers.job_run import JobRun
from tuning.workers.lr_finding import RangeTestFailed, find_here
from tuning.workers.warm import WarmLauncher

pytestmark = pytest.mark.django_db(transaction=True)

BROKEN = """
from tuning.training.workloads.digits_mlp import DigitsMLP

class Broken(DigitsMLP):
    name = "broken_step"
    def train_step(self, model, inputs, targets, params):
        raise RuntimeError("the third layer is missing")
"""


@pytest.fixture(autouse=True)
def _no_others(settings, tmp_path):
    settings.WORKLOADS, settings.WORKLOAD_DIR = "", str(tmp_path / "workloads")
    (tmp_path / "workloads").mkdir()


def found(*arguments, **options):
    out = StringIO()
    call_command("lr_find", *arguments, stdout=out, **options)
    return out.getvalue()


def test_a_worker_runs_a_test_and_its_curves_are_there():
    describe_here()
    job = request_lr_range(actor=make_user("alice"), workload="digits_mlp", overlay={"batch_size": [32, 256]})
    slot = make_slot()
    launcher = WarmLauncher()
    try:
        assert JobRun(claim_job(slot=slot), slot, launcher).run() == "answered"
    finally:
        launcher.close()
    job = Job.objects.get(pk=job.pk)
    assert (job.state, job.error) == ("COMPLETE", "")
    curves = curves_of(job)
    assert [curve.label for curve in curves] == ["batch_size 32", "batch_size 256"]
    assert all(5e-4 <= curve.bracket[0] < curve.bracket[1] <= 0.2 for curve in curves)


def test_the_command_needs_no_worker_and_finds_the_workload_itself():
    assert not Workload.objects.exists()
    text = found("digits_mlp", "--param", "dropout=0", "--steps", "60")
    assert "trains from 0.00" in text and "search lr from 0.00" in text and "on a log scale" in text
    assert "60 steps a curve" in text
    assert not Job.objects.exists()
    document = json.loads(found("digits_cnn", "--overlay", "optimizer=sgd,adamw", "--json"))
    assert [curve["label"] for curve in document["curves"]] == ["optimizer sgd", "optimizer adamw"]
    assert len(document["curves"][0]["losses"]) == len(document["curves"][0]["lrs"]) > 60
    assert document["curves"][1]["entry"]["log"] is True
    assert json.loads(found("digits_cnn", "--optimizer", "adamw", "--steps", "20", "--json"))["curves"][0]["params"][
        "optimizer"
    ] == "adamw"  # fmt: skip


def test_the_command_says_what_is_wrong(tmp_path):
    (tmp_path / "workloads" / "broken_step.py").write_text(BROKEN)
    describe_here()
    for arguments, sentence in (
        (["none_such"], "no workload named 'none_such'"),
        (["digits_mlp", "--param", "dropout"], "write it like --param dropout=0.2"),
        (["digits_mlp", "--overlay", "batch_size"], "write it like --overlay batch_size=16,64,256"),
        (["digits_mlp", "--param", "layers=9"], "9 is not a whole number from 1 to 3"),
        (["digits_mlp", "--low", "0"], "give a number above 0"),
        (["broken_step"], "the third layer is missing"),
    ):
        with pytest.raises(CommandError, match=sentence):
            found(*arguments)


def test_a_test_that_takes_too_long_is_given_up(settings, tmp_path):
    settings.JOB_SECONDS = {**settings.JOB_SECONDS, "lr_range": 0.5}
    plan = {"workload": "digits_mlp", "digest": "", "parameter": "lr", "low": 1e-6, "high": 1.0, "steps": 50, "seed": 0}
    with pytest.raises(RangeTestFailed, match=r"had not ended after 0.5 s.*raise HPWEB_LR_RANGE_SECONDS"):
        find_here({**plan, "curves": [{"label": "", "params": {}}]}, cpu=True)
