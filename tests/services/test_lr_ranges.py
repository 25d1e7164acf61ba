"""Learning-rate tests: what is asked for, what is refused and with which remedy, what of an answer is kept."""

import copy

import pytest

from tests.factories import SPACE, make_slot, make_study, make_workload
from tuning.models import Job
from tuning.selectors.lr_ranges import (
    curves_of,
    learning_rate_of,
    lr_range_job,
    lr_range_jobs,
    middle_of,
    suggested_entry,
)
from tuning.services.errors import Invalid, NotFound
from tuning.services.job_endings import complete_job
from tuning.services.jobs import claim_job
from tuning.services.lr_ranges import plan_lr_range, request_lr_range
from tuning.training.defaults import defaults
from tuning.training.workloads.digits_cnn import DigitsCNN
from tuning.training.workloads.digits_mlp import DigitsMLP
from tuning.workers.specs import job_start

pytestmark = pytest.mark.django_db
CURVE = {
    "label": "", "params": {"lr": 1e-3}, "lrs": [1e-5, 1e-3, 0.1], "losses": [2.0, 1.0, 3.0],
    "smoothed": [2.0, 1.5, 2.0], "bracket": [4e-3, 2e-2], "reason": "", "note": "", "lowest": 0.05,
    "ended": "diverged", "device": "CPU", "seconds": 0.5,
}  # fmt: skip
NO_BRACKET = {**CURVE, "bracket": None, "reason": "The curve is flat.", "lowest": None}
ANSWER = {"type": "result", "curves": [CURVE], "device": "CPU", "seconds": 1.5, "stopped": False}


@pytest.fixture
def tiny(db):
    return make_workload("tiny")


def answered(actor, answer=None, **wanted):
    """A test that a worker has answered."""
    job = request_lr_range(actor=actor, workload="tiny", **wanted)
    claimed = claim_job(slot=make_slot())
    assert claimed.pk == job.pk
    complete_job(job_id=job.pk, fence=claimed.fence, answer=copy.deepcopy(answer or ANSWER))
    return Job.objects.get(pk=job.pk)


def refused(workload, **wanted):
    with pytest.raises(Invalid) as caught:
        plan_lr_range(workload, **wanted)
    return caught.value.fields


# --- asking ------------------------------------------------------------------------------------------------------
def test_a_test_is_a_job_for_a_device_with_whole_configurations(alice, tiny):
    job = request_lr_range(actor=alice, workload="tiny")
    assert (job.kind, job.state, job.requested_by) == ("lr_range", "WAITING", alice)
    params = {"lr": 0.001, "optimizer": "sgd", "momentum": 0.495}
    assert job.args["curves"] == [{"label": "", "params": params}]
    claimed = claim_job(slot=make_slot())
    assert claimed.deadline is not None
    start = job_start(claimed, claimed.slot)
    assert (start["kind"], start["spec"]["workload"], start["spec"]["parameter"]) == ("lr_range", "tiny", "lr")
    assert {name: start["spec"][name] for name in ("low", "high", "steps", "seed", "device", "threads")} == {
        "low": 1e-6, "high": 10.0, "steps": 100, "seed": 0, "device": "cpu", "threads": 1,
    }  # fmt: skip
    assert start["spec"]["digest"] == tiny.digest


def test_the_same_test_twice_is_one_and_anothers_is_another(alice, bob, tiny):
    first = request_lr_range(actor=alice, workload="tiny", seed=3)
    assert request_lr_range(actor=alice, workload="tiny", seed=3).pk == first.pk
    assert request_lr_range(actor=alice, workload="tiny", seed=4).pk != first.pk
    assert request_lr_range(actor=bob, workload="tiny", seed=3).pk != first.pk


def test_values_are_laid_over_and_children_follow_them(tiny):
    plan = plan_lr_range(tiny, params={"momentum": 0.9}, overlay={"optimizer": ["adamw", "sgd"]})
    assert plan["curves"] == [
        {"label": "optimizer adamw", "params": {"lr": 0.001, "optimizer": "adamw"}},
        {"label": "optimizer sgd", "params": {"lr": 0.001, "optimizer": "sgd", "momentum": 0.9}},
    ]
    assert plan["overlay"] == {"name": "optimizer", "values": ["adamw", "sgd"]}


def test_a_studys_space_takes_the_place_of_the_workloads(alice, tiny):
    space = {"eta": {"type": "float", "low": 1e-3, "high": 0.1, "log": True}, "width": {"type": "constant", "value": 7}}
    study = make_study(alice, workload="tiny", space=space)
    job = request_lr_range(actor=alice, workload="tiny", study_id=study.pk)
    assert job.args["curves"][0]["params"] == {"eta": 0.01, "width": 7}
    assert (job.args["parameter"], job.args["study"]) == ("eta", study.pk)


def test_a_study_of_another_workload_or_that_nobody_may_see_is_refused(alice, bob, tiny):
    script = make_study(alice)
    with pytest.raises(Invalid, match="does not train tiny, but a script"):
        request_lr_range(actor=alice, workload="tiny", study_id=script.pk)
    private = make_study(alice, workload="tiny", visibility="private")
    with pytest.raises(NotFound):
        request_lr_range(actor=bob, workload="tiny", study_id=private.pk)
    with pytest.raises(NotFound, match="Refresh on the workloads page"):
        request_lr_range(actor=alice, workload="none_such")


@pytest.mark.parametrize(
    ("wanted", "field", "words"),
    [
        ({"low": 0}, "low", "0 is no learning rate; give a number above 0"),
        ({"low": float("nan")}, "low", "nan is no learning rate"),
        ({"high": True}, "high", "True is no learning rate"),
        ({"low": 0.1, "high": 0.5}, "high", "at least a factor of 10: from 0.1 up to 1."),
        ({"steps": 10}, "steps", "give a whole number from 20 to 1,000"),
        ({"steps": 1001}, "steps", "from 20 to 1,000"),
        ({"seed": -1}, "seed", "whole number from 0"),
        ({"params": {"momentum": 2.0}}, "params.momentum", "2.0 is not a number from 0.0 to 0.99"),
        ({"params": {"optimizer": "adamw", "momentum": 0.9}}, "params.momentum", "takes part only when optimizer"),
        ({"params": {"optimiser": "sgd"}}, "params.optimiser", "did you mean optimizer?"),
        ({"overlay": {"lr": [0.1, 0.2]}}, "overlay", "lr is what the test changes"),
        ({"overlay": {"batch": [1, 2]}}, "overlay", "choose one of lr, optimizer, momentum"),
        ({"overlay": {"optimizer": ["sgd"]}}, "overlay", "Give 2 to 6 values of optimizer"),
        ({"overlay": {"momentum": [0.1 * n for n in range(7)]}}, "overlay", "Give 2 to 6 values"),
        ({"overlay": {"momentum": "0.1, 0.2"}}, "overlay", "Give 2 to 6 values"),
        ({"overlay": {"momentum": [0.1, 0.1]}}, "overlay", "Give each value of momentum once"),
        ({"overlay": {"optimizer": ["sgd", "lion"]}}, "overlay", 'optimizer: "lion" is not one of'),
        ({"overlay": {"optimizer": ["sgd"], "momentum": [0.1]}}, "overlay", "of one parameter"),
    ],
)
def test_what_cannot_be_tested_is_refused_with_the_remedy(tiny, wanted, field, words):
    fields = refused(tiny, **wanted)
    assert words in " ".join(fields[field])


@pytest.mark.parametrize("kind", ["objective", "command"])
def test_only_pytorch_workloads_have_a_learning_rate_to_move(kind):
    workload = make_workload("other", kind=kind)
    assert "needs a PyTorch workload" in refused(workload)["workload"][0]
    assert "on a log scale instead" in refused(workload)["workload"][0]


def test_a_broken_workload_is_refused():
    assert "cannot be loaded" in refused(make_workload("broken", error="SyntaxError"))["workload"][0]


# --- the middle --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("space", [SPACE, DigitsMLP.space, DigitsCNN.space])
def test_the_middle_is_that_of_the_trial_process_in_three_digits(space):
    ours, theirs = middle_of(space), defaults(space)
    assert list(ours) == list(theirs)
    for name, value in theirs.items():
        assert ours[name] == (pytest.approx(value, rel=5e-3) if isinstance(value, float) else value)


def test_the_learning_rate_is_found_by_name_and_by_annotation():
    number = {"type": "float", "low": 1e-3, "high": 1.0}
    assert learning_rate_of(SPACE) == "lr"
    assert learning_rate_of({"size": {**number, "annotation": "learning_rate"}}) == "size"
    assert learning_rate_of({"lr": {**number, "annotation": "none"}, "x": number}) is None
    assert learning_rate_of({"head_lr": {"type": "constant", "value": 1.0}, "lr": number}) == "lr"


# --- answers -----------------------------------------------------------------------------------------------------
def test_the_curves_stay_with_the_job(alice, tiny):
    job = answered(alice)
    assert (job.state, job.error) == ("COMPLETE", "")
    (curve,) = curves_of(job)
    assert (curve.bracket, curve.lrs, curve.ended) == ((4e-3, 2e-2), [1e-5, 1e-3, 0.1], "diverged")
    assert job.result["device"] == "CPU"


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {**ANSWER, "curves": []},
        {**ANSWER, "curves": [CURVE, CURVE]},
        {**ANSWER, "curves": ["text"]},
        {**ANSWER, "curves": [{**CURVE, "losses": [1.0]}]},
        {**ANSWER, "curves": [{**CURVE, "losses": [1.0, "2", 3.0]}]},
        {**ANSWER, "curves": [{**CURVE, "losses": [1.0, float("nan"), 3.0]}]},
        {**ANSWER, "curves": [{**CURVE, "bracket": [1.0]}]},
        {**ANSWER, "curves": [{**CURVE, "bracket": [2.0, 1.0]}]},
        {**ANSWER, "curves": [{**CURVE, "bracket": ["a", "b"]}]},
        {**ANSWER, "curves": [{**CURVE, "reason": None}]},
        {**ANSWER, "curves": [{key: value for key, value in CURVE.items() if key != "ended"}]},
    ],
)
def test_an_answer_that_no_page_can_show_fails_the_job(alice, tiny, answer):
    job = request_lr_range(actor=alice, workload="tiny")
    claimed = claim_job(slot=make_slot())
    complete_job(job_id=job.pk, fence=claimed.fence, answer=copy.deepcopy(answer))
    job.refresh_from_db()
    assert (job.state, job.result) == ("FAILED", None)
    assert "cannot be read" in job.error


def test_a_stopped_test_may_have_fewer_curves(alice, tiny):
    answer = {**ANSWER, "curves": [NO_BRACKET], "stopped": True}
    job = answered(alice, answer, overlay={"optimizer": ["sgd", "adamw"]})
    assert job.state == "COMPLETE" and curves_of(job)[0].bracket is None


# --- reading -----------------------------------------------------------------------------------------------------
def test_a_test_is_its_askers_and_the_administrators(alice, bob, admin, tiny):
    job = answered(alice)
    assert lr_range_job(alice, job.pk).pk == lr_range_job(admin, job.pk).pk == job.pk
    with pytest.raises(NotFound):
        lr_range_job(bob, job.pk)
    make_workload("other")
    newer = request_lr_range(actor=alice, workload="tiny", seed=2)
    request_lr_range(actor=alice, workload="other")
    request_lr_range(actor=bob, workload="tiny")
    assert [row.pk for row in lr_range_jobs(alice, "tiny")] == [newer.pk, job.pk]


def test_a_bracket_becomes_the_entry_of_a_space(alice, tiny):
    job = answered(alice, {**ANSWER, "curves": [CURVE, NO_BRACKET]}, overlay={"optimizer": ["sgd", "adamw"]})
    name, entry, curve = suggested_entry(SPACE, job, 0)
    assert (name, entry) == ("lr", {"type": "float", "low": 0.001, "high": 0.07, "log": True})
    assert curve.bracket == (4e-3, 2e-2)
    other = {"eta": {"type": "float", "low": 1e-3, "high": 1.0, "when": {"a": [1]}}}
    assert suggested_entry(other, job, 0)[:2] == ("eta", {**entry, "when": {"a": [1]}})
    for space, index in ((SPACE, 1), (SPACE, 2), ({"x": SPACE["momentum"]}, 0)):
        with pytest.raises(NotFound):
            suggested_entry(space, job, index)
