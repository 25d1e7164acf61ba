"""Trials, the attempts to run them, and the files that they leave."""

from django.db import models
from django.db.models import Q

from tuning.models.fields import JSONTextField
from tuning.models.host import Slot
from tuning.models.study import SearchSpace, Study


class Trial(models.Model):
    """One configuration of a study and what came of it. State changes only in tuning.services."""

    class State(models.TextChoices):
        WAITING = "WAITING", "waiting"
        RUNNING = "RUNNING", "running"
        PAUSED = "PAUSED", "paused"
        COMPLETE = "COMPLETE", "complete"
        PRUNED = "PRUNED", "pruned"
        FAILED = "FAILED", "failed"

    class Reason(models.TextChoices):
        DIVERGED = "diverged", "diverged"
        OUT_OF_MEMORY = "out_of_memory", "out of memory"
        CODE_ERROR = "code_error", "error in the code"
        DEADLINE = "deadline", "deadline passed"
        CANCELLED = "cancelled", "cancelled"
        LOST_HOST = "lost_host", "process or host lost"
        DISK_FULL = "disk_full", "disk full"

    TERMINAL = (State.COMPLETE, State.PRUNED, State.FAILED)

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="trials")
    number = models.PositiveIntegerField()
    space = models.ForeignKey(SearchSpace, on_delete=models.PROTECT, null=True, related_name="trials")
    params = JSONTextField(default=dict)
    fixed_params = JSONTextField(null=True)  # enqueued by a person; the rest is sampled
    distributions = JSONTextField(default=dict)  # define-by-run: name -> digest of the Distribution used
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    reason_code = models.CharField(max_length=16, choices=Reason.choices, blank=True)
    reason = models.TextField(blank=True)
    traceback = models.TextField(blank=True)

    value = models.FloatField(null=True)  # finite, or NULL with value_kind "nan", "inf", "-inf"
    value_kind = models.CharField(max_length=4, blank=True)
    value_step = models.PositiveIntegerField(null=True)
    values = JSONTextField(null=True)
    constraints = JSONTextField(null=True)
    infeasible = models.BooleanField(default=False)
    resource = models.PositiveIntegerField(null=True)  # cumulative target, in the workload's unit (epochs)
    resource_done = models.PositiveIntegerField(default=0)
    bracket = models.PositiveIntegerField(null=True)
    cohort = models.ForeignKey("Cohort", on_delete=models.SET_NULL, null=True, related_name="trials")
    rung = models.PositiveIntegerField(null=True)

    origin = models.CharField(max_length=10, default="sampler")  # sampler | enqueued | script | made | retry
    clone_of = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, related_name="clones")
    why = models.CharField(max_length=300, blank=True)
    sampler_used = models.CharField(max_length=40, blank=True)
    asked_at = models.PositiveBigIntegerField(null=True)  # the history version that the suggestion saw
    finish_seq = models.PositiveBigIntegerField(null=True)
    seed = models.BigIntegerField(default=0)

    fence = models.PositiveIntegerField(default=0)  # rises with each claim; a write with an older one is refused
    retries = models.PositiveIntegerField(default=0)
    priority = models.IntegerField(default=0)
    turn = models.PositiveBigIntegerField(default=0)  # in the queue: the study's version when it was made or promoted
    slot = models.ForeignKey(Slot, on_delete=models.SET_NULL, null=True, related_name="trials")
    lease_until = models.DateTimeField(null=True)
    claimed = models.DateTimeField(null=True)  # when the present run began, by the database's clock
    run_seconds = models.FloatField(default=0.0)  # of earlier runs: from each claim until the trial was RUNNING no more
    deadline = models.DateTimeField(null=True)  # of the present run; NULL where the study has no time limit
    lease_hash = models.CharField(max_length=64, blank=True)  # SHA-256 of the lease of a script that runs the trial
    checkpoint = models.CharField(max_length=500, blank=True)  # the accepted one to resume from, below ARTIFACT_DIR
    checkpoint_step = models.PositiveIntegerField(null=True)
    best_checkpoint = models.CharField(max_length=500, blank=True)
    best_checkpoint_step = models.PositiveIntegerField(null=True)
    facts = JSONTextField(default=dict)  # from the runner: parameters, device, peak_memory, versions

    excluded_at = models.DateTimeField(null=True)  # a person has taken it out of best, leaderboard, charts, sampler
    excluded_by = models.CharField(max_length=150, blank=True)  # the name stays readable when the account is gone
    excluded_reason = models.TextField(blank=True)

    created = models.DateTimeField(auto_now_add=True)
    queued = models.DateTimeField(auto_now_add=True)
    started = models.DateTimeField(null=True)
    completed = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["study", "number"], name="trial_study_number"),
            models.UniqueConstraint(fields=["study", "finish_seq"], name="trial_study_finish_seq"),
            # a failed trial is retried once; what fails again is retried in its turn
            models.UniqueConstraint(fields=["clone_of"], condition=Q(origin="retry"), name="trial_retried_once"),
            # at most one running trial holds a device slot
            models.UniqueConstraint(
                fields=["slot"], condition=Q(state="RUNNING", slot__isnull=False), name="trial_slot_running"
            ),
        ]
        indexes = [
            # leaderboard: value, then number, of one study
            models.Index(fields=["study", "value", "number"], name="trial_study_value"),
            # counts, claims of waiting trials, filters by state
            models.Index(fields=["study", "state", "-priority", "turn", "number"], name="trial_study_state"),
            # checkpoints of trials that a scheduler has cut: they are to be deleted
            models.Index(fields=["id"], condition=Q(state="PRUNED") & ~Q(checkpoint=""), name="trial_dropped"),
            # the reaper: running trials by the end of their lease
            models.Index(fields=["lease_until"], condition=Q(state="RUNNING"), name="trial_lease"),
            # the reaper: trials by their deadline
            models.Index(fields=["deadline"], condition=Q(deadline__isnull=False), name="trial_deadline"),
        ]

    def __str__(self) -> str:
        return f"trial {self.number}"

    @property
    def is_open(self) -> bool:
        return self.state in (Trial.State.WAITING, Trial.State.RUNNING, Trial.State.PAUSED)

    @property
    def is_excluded(self) -> bool:
        return self.excluded_at is not None


class Attempt(models.Model):
    """One process (or one script) that ran a trial, from its claim to its end."""

    trial = models.ForeignKey(Trial, on_delete=models.CASCADE, related_name="attempts")
    fence = models.PositiveIntegerField()
    host = models.CharField(max_length=120, blank=True)
    device = models.CharField(max_length=120, blank=True)
    slot = models.ForeignKey(Slot, on_delete=models.SET_NULL, null=True, related_name="+")
    pid = models.PositiveIntegerField(null=True)
    boot_id = models.CharField(max_length=36, blank=True)
    process_started = models.CharField(max_length=32, blank=True)  # start time in clock ticks: a pid may be reused
    start_step = models.PositiveIntegerField(default=0)  # steps up to here come from earlier attempts
    started = models.DateTimeField(auto_now_add=True)
    ended = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=120, blank=True)
    exit_code = models.IntegerField(null=True)
    peak_memory = models.PositiveBigIntegerField(null=True)  # bytes, on its device
    utilisation = models.FloatField(null=True)  # busy share of its device (GPU) or of its slot's threads (CPU), 0 to 1
    log = models.CharField(max_length=500, blank=True)  # below ARTIFACT_DIR

    class Meta:
        ordering = ["fence"]
        constraints = [models.UniqueConstraint(fields=["trial", "fence"], name="attempt_trial_fence")]
        indexes = [
            # after a crash the supervisor looks for what its host left running
            models.Index(fields=["host"], condition=Q(ended__isnull=True), name="attempt_host_open"),
        ]
