"""Metric curves: packed chunks of points, and one summary per curve for lists and previews."""

from django.db import models

from tuning.models.fields import JSONTextField
from tuning.models.study import Study
from tuning.models.trial import Trial


class Metric(models.Model):
    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="metrics")
    name = models.CharField(max_length=120)  # "validation/loss": split, slash, name
    split = models.CharField(max_length=20, blank=True)
    goal = models.CharField(max_length=8, blank=True)  # minimize | maximize

    class Meta:
        constraints = [models.UniqueConstraint(fields=["study", "name"], name="metric_study_name")]


class MetricChunk(models.Model):
    """Up to 512 consecutive points that one attempt reported of one metric: int32 steps, float64 values and times."""

    trial = models.ForeignKey(Trial, on_delete=models.CASCADE, related_name="chunks")
    metric = models.ForeignKey(Metric, on_delete=models.CASCADE, related_name="chunks")
    fence = models.PositiveIntegerField()
    first_step = models.IntegerField()
    n = models.PositiveIntegerField()
    steps = models.BinaryField()
    values = models.BinaryField()
    wall_times = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["trial", "metric", "fence", "first_step"], name="metricchunk_unique")
        ]


class CurveSummary(models.Model):
    """What lists show of a curve without reading its chunks."""

    trial = models.ForeignKey(Trial, on_delete=models.CASCADE, related_name="curves")
    metric = models.ForeignKey(Metric, on_delete=models.CASCADE, related_name="curves")
    n = models.PositiveIntegerField(default=0)
    last_step = models.IntegerField(null=True)
    last = models.FloatField(null=True)  # NULL where the last value is not finite
    best = models.FloatField(null=True)  # best finite value in the metric's goal
    best_step = models.IntegerField(null=True)
    preview = JSONTextField(default=list)  # at most 64 [step, value] pairs

    class Meta:
        constraints = [models.UniqueConstraint(fields=["trial", "metric"], name="curvesummary_trial_metric")]
