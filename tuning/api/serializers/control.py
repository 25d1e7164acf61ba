"""What is sent to change a study, a trial or a host that is at work, and the versions of a search space."""

from typing import Any

from rest_framework import serializers

from tuning.api.serializers.strict import Document, Flag, Integer, StrictSerializer, Text
from tuning.api.serializers.studies import SPACE_HELP, StudyCreation


class StudyExtension(StrictSerializer):
    """New limits; at least one of them."""

    n_trials = Integer(required=False, min_value=1, help_text="Trials in all, those that there are among them.")
    total_resource = Integer(required=False, min_value=1, help_text="Steps of all trials, those trained among them.")
    device_seconds = Integer(required=False, min_value=1, help_text="On slots, with what is spent.")
    study_seconds = Integer(required=False, min_value=1, help_text="From its start.")
    parallel = Integer(required=False, min_value=1, help_text="How many trials may run at once.")


class StudyClone(StudyCreation):
    """What is to be different from the source; what is left out is the source's."""

    name = Text(
        required=False, max_length=120, help_text='Unique among your studies. Left out: the source\'s with ", clone".'
    )


class SpaceChange(StrictSerializer):
    """Another search space for the study."""

    space = Document(help_text=SPACE_HELP)
    assumed = Document(
        required=False,
        help_text="What earlier trials ran with of parameters that only this version varies, by name; without it "
        "they no longer count for the sampler.",
    )
    reason = Text(required=False, allow_blank=True, max_length=500)


class SpaceVersionRow(serializers.Serializer[Any]):
    """One version of a search space."""

    number = serializers.IntegerField(source="row.number")
    is_current = serializers.BooleanField()
    space = Document(source="row.document")
    assumed = Document(source="row.assumed")
    reason = serializers.CharField(source="row.reason", allow_blank=True)
    author = serializers.CharField(source="row.author.username", default=None, allow_null=True)
    first_trial = serializers.IntegerField(
        source="row.first_trial", help_text="The number of the first trial that could be proposed in it."
    )
    n_trials = serializers.IntegerField(help_text="Trials that were proposed in it.")
    created = serializers.DateTimeField(source="row.created")


class Fit(serializers.Serializer[Any]):
    """What of the finished trials counts for the sampler in the newest version."""

    n_finished = serializers.IntegerField()
    n_fitting = serializers.IntegerField()
    left_out = serializers.DictField(
        child=serializers.IntegerField(), source="fitting.left_out", help_text="Trials that do not fit, by reason."
    )


class SpaceVersions(serializers.Serializer[Any]):
    """All versions, the newest first."""

    results = SpaceVersionRow(many=True)
    fit = Fit(allow_null=True, help_text="Null where the objective suggests its parameters itself.")


class TrialExclusion(StrictSerializer):
    """Why a trial is not to count."""

    reason = Text(max_length=500)


class HostDrain(StrictSerializer):
    """How a host is taken out of service."""

    now = Flag(required=False, help_text="Send its trials back to waiting at their next checkpoint, too.")
