"""The final look at the test set: the choice that is sealed before it, and what was seen, for ever.

A study with a reveal cannot be deleted: PROTECT here, and in the database triggers and foreign keys.
"""

from typing import Any, NoReturn

from django.conf import settings
from django.db import models

from tuning.models.fields import JSONTextField
from tuning.models.job import Job
from tuning.models.study import Study
from tuning.models.trial import Trial


class KeptForEver(Exception):
    """A change, or the deletion, of what is written once."""


class SealedChoice(models.Model):
    """What a person has chosen to measure, written before anything is measured. Only `job` changes: a retry's."""

    class Retrain(models.TextChoices):
        TRAIN = "train", "the training split"
        BOTH = "train+validation", "the training and the validation split together"
        NONE = "none", "nothing: the trial's own test metrics are opened"

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="seals")
    trial = models.ForeignKey(Trial, on_delete=models.CASCADE, related_name="seals")
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.DO_NOTHING, null=True, related_name="+", db_constraint=False
    )
    actor_name = models.CharField(max_length=150)  # the name stays readable when the account is gone
    params: Any = JSONTextField(default=dict)
    params_digest = models.CharField(max_length=64)
    retrain = models.CharField(max_length=16, choices=Retrain.choices)
    seeds: Any = JSONTextField(default=list)
    epochs = models.PositiveIntegerField(null=True)  # of each training; NULL: nothing is trained
    validation: Any = JSONTextField(default=dict)  # what chose it: the trial's scores at the step of its value
    workload = models.CharField(max_length=120, blank=True)
    workload_digest = models.CharField(max_length=64, blank=True)
    data_digest = models.CharField(max_length=64, blank=True)
    version = models.CharField(max_length=64, blank=True)  # of hpweb: the commit of its code, where it is known
    n_trials = models.PositiveIntegerField()  # that have ended in the study
    n_trials_all = models.PositiveIntegerField()  # and in all studies that share its test set
    looks_before = models.PositiveIntegerField()  # at the test set, by any study, those that are under way among them
    reason = models.TextField(blank=True)  # of another look
    job = models.ForeignKey(Job, on_delete=models.SET_NULL, null=True, related_name="seals")
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [
            # earlier looks at the same test set
            models.Index(fields=["workload", "data_digest"], name="seal_test_set"),
        ]

    def __str__(self) -> str:
        return f"seal of {self.study}"


class Reveal(models.Model):
    """What a sealed choice scored on the test set. Triggers in the database refuse changes and deletions."""

    seal = models.OneToOneField(SealedChoice, on_delete=models.PROTECT, related_name="reveal")
    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="reveals")
    trial = models.ForeignKey(Trial, on_delete=models.PROTECT, related_name="reveals")
    test_digest = models.CharField(max_length=64, blank=True)  # of the test examples; empty: never seen here
    looks_before = models.PositiveIntegerField()  # as the seal's, and by what has turned out to be the same examples
    result: Any = JSONTextField()  # the runner's answer: scores by seed, their sampling errors, sizes, device
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]
        indexes = [
            # the same test examples under another workload's name
            models.Index(fields=["test_digest"], name="reveal_test_digest"),
        ]

    def __str__(self) -> str:
        return f"reveal of {self.study}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise KeptForEver("A reveal is written once; another look is another reveal.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise KeptForEver("A reveal is kept for ever; archive its study instead.")
