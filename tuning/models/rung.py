"""Who competes with whom in a study with a scheduler, and who has come how far."""

from django.db import models

from tuning.models.study import Study
from tuning.models.trial import Trial


class Cohort(models.Model):
    """Trials of one bracket that are compared with each other; how many there are to be is fixed when it opens."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="cohorts")
    number = models.PositiveIntegerField()  # 0, 1, 2, … within the study
    bracket = models.PositiveIntegerField()
    planned = models.PositiveIntegerField()
    started = models.PositiveIntegerField(default=0)
    n_open = models.PositiveIntegerField(default=0)  # members WAITING, RUNNING or PAUSED

    class Meta:
        constraints = [models.UniqueConstraint(fields=["study", "number"], name="cohort_study_number")]

    def __str__(self) -> str:
        return f"cohort {self.number}"


class Rung(models.Model):
    """The counts at one rung of a cohort, kept so that no decision has to count 10,000 entries."""

    cohort = models.ForeignKey(Cohort, on_delete=models.CASCADE, related_name="rungs")
    number = models.PositiveIntegerField()
    busy = models.PositiveIntegerField(default=0)  # waiting or running towards it
    reached = models.PositiveIntegerField(default=0)
    promoted = models.PositiveIntegerField(default=0)
    cut = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    complete = models.PositiveIntegerField(default=0)
    best_number = models.PositiveIntegerField(null=True)  # the trial that is the best of those that wait for a decision
    best_loss = models.FloatField(null=True)
    # an entry and its rank from 0 (services.rung_marks): among all with a value, or among complete trials; "": none
    mark_among = models.CharField(max_length=8, blank=True)
    mark_rank = models.PositiveIntegerField(default=0)
    mark_loss = models.FloatField(null=True)
    mark_number = models.PositiveIntegerField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["cohort", "number"], name="rung_cohort_number")]


class RungEntry(models.Model):
    """A trial that has come to a rung, with its metric at the rung's step; without one where it ended before."""

    class State(models.TextChoices):
        REACHED = "reached", "waits for a decision"
        PROMOTED = "promoted", "went on"
        CUT = "cut", "was cut"
        FAILED = "failed", "ended without a value"
        COMPLETE = "complete", "has run to its end"

    # Without an index of its own: a planner without statistics would prefer it to the longer ones below.
    cohort = models.ForeignKey(Cohort, on_delete=models.CASCADE, related_name="entries", db_index=False)
    rung = models.PositiveIntegerField()
    trial = models.ForeignKey(Trial, on_delete=models.CASCADE, related_name="rung_entries")
    number = models.PositiveIntegerField()  # the trial's: ties go to the lower one
    step = models.PositiveIntegerField(null=True)  # of the rung
    loss = models.FloatField(null=True)  # the metric there, turned so that smaller is better
    state = models.CharField(max_length=8, choices=State.choices)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["trial", "rung"], name="rungentry_trial_rung")]
        indexes = [
            # a rank, and the best of a rung
            models.Index(fields=["cohort", "rung", "loss", "number"], name="rungentry_ranking"),
            # the best that waits for a decision; the median of complete trials
            models.Index(fields=["cohort", "rung", "state", "loss", "number"], name="rungentry_waiting"),
        ]
