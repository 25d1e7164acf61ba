"""Studies and their versioned search spaces."""

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q

from tuning.models.fields import JSONTextField


def minimize() -> list[str]:
    return ["minimize"]


class Study(models.Model):
    """One question put to the workers: which configuration of this workload gives the best objective value?"""

    class State(models.TextChoices):
        DRAFT = "DRAFT", "draft"
        READY = "READY", "ready"
        RUNNING = "RUNNING", "running"
        PAUSED = "PAUSED", "paused"
        STOPPED = "STOPPED", "stopped"
        FINISHED = "FINISHED", "finished"

    class Visibility(models.TextChoices):
        TEAM = "team", "everyone who can sign in may look"
        PRIVATE = "private", "only the owner and administrators"

    class Objective(models.TextChoices):
        BEST = "best", "best step"
        LAST = "last", "last step"

    PAIRED = "paired"  # the kind of a study whose runs were all known when it was made: advice put to the test

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="studies")
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True)
    visibility = models.CharField(max_length=8, choices=Visibility.choices, default=Visibility.TEAM)
    kind = models.CharField(max_length=10, default="tune")
    state = models.CharField(max_length=10, choices=State.choices, default=State.DRAFT)
    state_reason = models.TextField(blank=True)
    # READY, and starts by itself for this person once its preflight has passed
    starts_for = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    waiver = models.TextField(blank=True)  # why it was started without a passed preflight
    forecast: Any = JSONTextField(default=dict)  # what it was to take when it started (services.forecasts)

    workload = models.CharField(max_length=120, blank=True)  # empty: trials are run by scripts over REST
    workload_digest = models.CharField(max_length=64, blank=True)  # the code that its trials run, on every host
    data_digest = models.CharField(max_length=64, blank=True)  # the data; empty until the first count or trial
    metric = models.CharField(max_length=120)
    directions = JSONTextField(default=minimize)
    objective = models.CharField(max_length=5, choices=Objective.choices, default=Objective.BEST)
    space = models.ForeignKey("SearchSpace", on_delete=models.PROTECT, null=True, related_name="+")
    clone_of = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, related_name="clones")

    sampler = models.CharField(max_length=40, default="auto")
    sampler_options = JSONTextField(default=dict)
    scheduler = models.CharField(max_length=40, default="none")
    scheduler_options = JSONTextField(default=dict)
    min_resource = models.PositiveIntegerField(default=1)
    max_resource = models.PositiveIntegerField(null=True)
    reduction_factor = models.PositiveIntegerField(default=3)
    seed = models.BigIntegerField(default=0)
    deterministic = models.BooleanField(default=False)

    constraints = JSONTextField(default=dict)  # limits on the model: parameters, memory (bytes), flops, as far as given

    # What ends the study, whichever is used up first; NULL: no such limit.
    budget_total = models.PositiveIntegerField(null=True)  # trials
    total_resource = models.PositiveBigIntegerField(null=True)  # steps of all trials together
    device_seconds = models.PositiveBigIntegerField(null=True)  # that its trials hold slots
    study_seconds = models.PositiveBigIntegerField(null=True)  # from its start to its end
    stop_when_not_worth = models.BooleanField(default=False)  # ends once another hour is not worth it
    parallel = models.PositiveIntegerField(default=1)
    priority = models.IntegerField(default=0)
    max_retries = models.PositiveIntegerField(default=3)
    trial_seconds = models.PositiveIntegerField(null=True)  # how long a trial may run over all its attempts

    next_number = models.PositiveIntegerField(default=0)
    version = models.PositiveBigIntegerField(default=0)  # rises with anything that a page shows
    history_version = models.PositiveBigIntegerField(default=0)  # created, terminal, paused, promoted trials only
    history_epoch = models.PositiveBigIntegerField(default=0)  # rises when the past itself changes: exclusions
    finish_seq = models.PositiveBigIntegerField(default=0)
    steps_settled = models.PositiveBigIntegerField(default=0)  # of trials not at work, each at least 1: the budget's
    n_infeasible = models.PositiveIntegerField(default=0)  # of n_pruned: before their first step, so of no budget
    infeasible_in_a_row = models.PositiveIntegerField(default=0)  # of these, since a trial came to a rung or to its end
    failed_in_a_row = models.PositiveIntegerField(default=0)  # by an error, since one came to a rung or to its end
    n_waiting = models.PositiveIntegerField(default=0)
    n_running = models.PositiveIntegerField(default=0)
    n_paused = models.PositiveIntegerField(default=0)
    n_complete = models.PositiveIntegerField(default=0)
    n_pruned = models.PositiveIntegerField(default=0)
    n_failed = models.PositiveIntegerField(default=0)
    best_trial = models.ForeignKey("Trial", on_delete=models.SET_NULL, null=True, related_name="+")

    created = models.DateTimeField(auto_now_add=True)
    started = models.DateTimeField(null=True)
    finished = models.DateTimeField(null=True)
    last_activity = models.DateTimeField(auto_now_add=True)
    archived = models.DateTimeField(null=True)  # left out of the list of studies since then

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["owner", "name"], name="study_owner_name"),
            models.CheckConstraint(condition=Q(parallel__gte=1), name="study_parallel_positive"),
        ]
        indexes = [
            # claims: running studies by priority
            models.Index(fields=["state", "-priority"], name="study_state_priority"),
            # the list of studies: last activity first
            models.Index(fields=["-last_activity"], name="study_last_activity"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def direction(self) -> str:
        return str(self.directions[0])

    @property
    def n_created(self) -> int:
        return self.n_waiting + self.n_running + self.n_paused + self.n_complete + self.n_pruned + self.n_failed

    @property
    def n_counted(self) -> int:
        """The trials that count against the budget."""
        return self.n_created - self.n_infeasible

    @property
    def n_done(self) -> int:
        """Those of them that have ended."""
        return self.n_ended - self.n_infeasible

    @property
    def n_open(self) -> int:
        return self.n_waiting + self.n_running + self.n_paused

    @property
    def n_ended(self) -> int:
        return self.n_complete + self.n_pruned + self.n_failed


class SearchSpace(models.Model):
    """One version of a study's space. A version that a trial used never changes: a change makes the next version."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="spaces")
    number = models.PositiveIntegerField()
    document: Any = JSONTextField()  # the JSON form of tuning.engine.SearchSpace
    digest = models.CharField(max_length=64)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    reason = models.TextField(blank=True)
    assumed: Any = JSONTextField(default=dict)  # what trials of earlier versions ran with of parameters they lack
    first_trial = models.PositiveIntegerField(default=0)  # the number of the first trial proposed in this version
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["study", "number"], name="searchspace_study_number")]


class Parameter(models.Model):
    """One row of a space, for pages and queries; the document of the space is what the engine reads."""

    space = models.ForeignKey(SearchSpace, on_delete=models.CASCADE, related_name="parameters")
    position = models.PositiveIntegerField()
    name = models.CharField(max_length=200)  # as long as the engine lets a name be
    kind = models.CharField(max_length=12)
    low = models.FloatField(null=True)
    high = models.FloatField(null=True)
    log = models.BooleanField(default=False)
    step = models.FloatField(null=True)
    choices = JSONTextField(null=True)
    condition = JSONTextField(null=True)
    annotation = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["space", "name"], name="parameter_space_name")]


class Distribution(models.Model):
    """A name that a define-by-run objective suggested, with the distribution it asked for."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="distributions")
    name = models.CharField(max_length=200)
    digest = models.CharField(max_length=64)
    document = JSONTextField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["study", "name", "digest"], name="distribution_unique")]
