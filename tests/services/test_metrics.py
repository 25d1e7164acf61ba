"""Metric points in packed chunks: nothing lost, nothing twice, in order, whatever order they come in."""

import math
import random

import pytest

from tests.factories import make_running, make_study, make_workload
from tuning.models import CurveSummary, Metric, MetricChunk
from tuning.selectors.curves import trial_curves
from tuning.services.errors import Invalid
from tuning.services.metrics import CHUNK_POINTS, MAX_METRICS, MAX_STEP, PREVIEW_POINTS, Point, goal_of, thin, unpack
from tuning.services.reporting import record_points

NAME = "validation/loss"


@pytest.fixture
def trial(alice):
    return make_running(make_study(alice, started=True))


def store(trial, steps, name=NAME, value=lambda step: step / 1000):
    record_points(trial_id=trial.pk, fence=trial.fence, points=[Point(s, {name: value(s)}, float(s)) for s in steps])


def check(trial, steps, name=NAME, value=lambda step: step / 1000):
    """The stored curve is exactly this, and its chunks and summary are what they promise."""
    curve = trial_curves(trial)[name]
    assert curve.steps == sorted(steps)
    assert curve.values == [value(step) for step in sorted(steps)]
    assert curve.wall_times == [float(step) for step in sorted(steps)]
    chunks = MetricChunk.objects.filter(trial=trial, metric__name=name).order_by("first_step")
    together = []
    for chunk in chunks:
        own = unpack(chunk.steps, "i")
        assert 1 <= chunk.n == len(own) <= CHUNK_POINTS
        assert chunk.first_step == own[0]
        together += own
    assert together == sorted(steps), "no step in two chunks, and chunks do not overlap"
    summary = CurveSummary.objects.get(trial=trial, metric__name=name)
    assert (summary.n, summary.last_step) == (len(steps), max(steps))
    assert len(summary.preview) <= PREVIEW_POINTS
    assert summary.preview == sorted(summary.preview)
    assert summary.preview[-1] == [max(steps), value(max(steps))]


@pytest.mark.parametrize("batch", [1, 50, 511, 512, 513, 1300])
def test_more_points_than_a_chunk_takes(trial, batch):
    n = 1300 if batch > 1 else 70
    for start in range(1, n + 1, batch):
        store(trial, range(start, min(start + batch, n + 1)))
    check(trial, range(1, n + 1))
    assert MetricChunk.objects.count() == -(-n // CHUNK_POINTS)


def test_the_same_points_again_change_nothing(trial):
    store(trial, range(1, 601))
    store(trial, range(1, 601))
    store(trial, [600], value=lambda _: 99.0)
    store(trial, [3, 3, 3], value=lambda _: 99.0)
    check(trial, range(1, 601))


def test_duplicates_within_one_report_keep_the_first(trial):
    points = [Point(1, {NAME: 0.5}, 1.0), Point(1, {NAME: 0.1}, 1.0), Point(2, {NAME: 0.4}, 2.0)]
    record_points(trial_id=trial.pk, fence=1, points=points)
    assert trial_curves(trial)[NAME].values == [0.5, 0.4]


@pytest.mark.parametrize("seed", range(4))
def test_any_order_gives_the_same_curve(trial, seed):
    shuffled = list(range(1, 1201))
    random.Random(seed).shuffle(shuffled)
    for start in range(0, 1200, 97):
        batch = shuffled[start : start + 97]
        store(trial, batch)
        store(trial, batch[:5])
    check(trial, range(1, 1201))


def test_a_late_step_between_and_beyond_is_stored_once(trial):
    for steps in ([10], [5, 12], [11], [12], [5], [20], [15], [20], [1]):
        store(trial, steps)
    check(trial, [1, 5, 10, 11, 12, 15, 20])


def test_each_metric_has_its_own_curve(trial):
    points = [Point(1, {NAME: 0.5, "train/loss": 0.4}, 1.0), Point(2, {"train/loss": 0.3}, 2.0)]
    record_points(trial_id=trial.pk, fence=1, points=points)
    curves = trial_curves(trial)
    assert (curves[NAME].steps, curves["train/loss"].steps) == ([1], [1, 2])


def test_values_that_are_not_finite_are_kept_and_summarised_as_null(trial):
    values = {1: 0.5, 2: math.inf, 3: -math.inf, 4: math.nan}
    store(trial, values, value=values.get)
    curve = trial_curves(trial)[NAME]
    assert curve.values[:3] == [0.5, math.inf, -math.inf]
    assert math.isnan(curve.values[3])
    summary = CurveSummary.objects.get()
    assert (summary.last, summary.best, summary.best_step, summary.n) == (None, 0.5, 1, 4)
    assert math.isnan(summary.preview[-1][1])


@pytest.mark.parametrize("step", [-1, MAX_STEP + 1, 2**63])
def test_a_step_outside_of_the_range_is_refused_and_nothing_stored(trial, step):
    with pytest.raises(Invalid) as caught:
        store(trial, [1, step])
    assert list(caught.value.fields) == ["step"]
    assert not MetricChunk.objects.exists()


def test_the_largest_step_is_taken(trial):
    store(trial, [0, MAX_STEP])
    assert trial_curves(trial)[NAME].steps == [0, MAX_STEP]


@pytest.mark.parametrize("name", ["", "n" * 121, "with \x00 in it", "half \ud800"])
def test_a_name_that_cannot_be_kept_is_refused(trial, name):
    with pytest.raises(Invalid) as caught:
        store(trial, [1], name=name)
    assert list(caught.value.fields) == ["metrics"]


def test_too_many_metrics_are_refused(trial):
    names = [f"count/{i}" for i in range(MAX_METRICS)]
    record_points(trial_id=trial.pk, fence=1, points=[Point(1, dict.fromkeys(names, 1.0), 1.0)])
    with pytest.raises(Invalid, match="200"):
        store(trial, [1], name="one/more")
    assert Metric.objects.count() == MAX_METRICS


def test_the_goal_is_the_studys_the_workloads_or_read_from_the_name(alice):
    make_workload("tiny")
    study = make_study(alice, started=True, workload="tiny", metric="validation/accuracy", direction="maximize")
    make_workload("tiny", metrics=[{"name": "validation/perplexity", "split": "validation", "goal": "minimize"}])
    names = {"validation/accuracy": "maximize", "validation/perplexity": "minimize", "train/mse": "minimize",
             "speed": "maximize"}  # fmt: skip
    trial = make_running(study)
    record_points(trial_id=trial.pk, fence=1, points=[Point(1, dict.fromkeys(names, 1.0), 1.0)])
    assert dict(Metric.objects.values_list("name", "goal")) == names
    assert Metric.objects.get(name="train/mse").split == "train"
    assert Metric.objects.get(name="speed").split == ""
    assert goal_of(study, "validation/accuracy") == "maximize"


def test_thinning_keeps_the_newest_and_the_limit():
    preview = []
    for step in range(1000):
        preview = thin([*preview, [step, float(step)]])
        assert len(preview) <= PREVIEW_POINTS
        assert preview[-1][0] == step
        assert preview == sorted(preview)
    assert preview[0] == [0, 0.0]
