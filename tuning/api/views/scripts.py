"""Trials that a script runs in its own process, each held by a lease token."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, PolymorphicProxySerializer, extend_schema
from rest_framework import status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from tuning.api.endpoint import Endpoint, shown
from tuning.api.serializers.scripts import (
    AskedTrials,
    AskRequest,
    Decision,
    EnqueueRequest,
    HeartbeatRequest,
    ReportRequest,
    Suggestion,
    SuggestRequest,
    TellRequest,
)
from tuning.api.serializers.trials import TrialRow
from tuning.selectors.studies import may_edit, study_for
from tuning.selectors.trials import trial_for
from tuning.services import scripts
from tuning.services.errors import Forbidden
from tuning.services.trials import enqueue_trial

TAGS = ["scripts"]
LEASE = "the lease that ask gave"


def example(title: str, /, **body: Any) -> OpenApiExample:
    """A body as the page shows it."""
    return OpenApiExample(title, value=body, request_only=True)


class Ask(Endpoint):
    """Trials to run."""

    @extend_schema(
        operation_id="ask",
        summary="Ask for trials to run",
        description=(
            "Up to `n` trials for the caller's own process, each with a lease token that its reports must "
            "carry. Fewer, or none, where `parallel` or the number of trials is reached."
        ),
        tags=TAGS,
        request=AskRequest,
        responses=AskedTrials,
    )
    def post(self, request: Request, study_id: int) -> Response:
        study = study_for(self.person, study_id)
        asked = scripts.ask_trials(study_id=study.pk, actor=self.person, **self.body(AskRequest))
        return Response(shown(AskedTrials, {"trials": asked}))


class Enqueue(Endpoint):
    """A configuration to try next."""

    @extend_schema(
        operation_id="enqueue",
        summary="Queue a configuration",
        description=(
            "The study tries these parameters before it asks its sampler. It counts as one of its trials."
        ),
        tags=TAGS,
        request=EnqueueRequest,
        examples=[example("Part of a configuration", params={"lr": 0.01, "optimizer": "adamw"})],
        responses={201: TrialRow},
    )
    def post(self, request: Request, study_id: int) -> Response:
        study = study_for(self.person, study_id)
        trial = enqueue_trial(study_id=study.pk, actor=self.person, **self.body(EnqueueRequest))
        return Response(shown(TrialRow, trial), status=status.HTTP_201_CREATED)


class _HeldTrial(Endpoint):
    """Base of what the holder of a lease may do."""

    def trial_id_of(self, trial_id: int) -> int:
        """The trial's id, if this person may run trials of its study. Raises NotFound, Forbidden."""
        trial = trial_for(self.person, trial_id)
        if not may_edit(self.person, trial.study):
            owner = trial.study.owner.get_username()
            raise Forbidden(f"Only {owner} and administrators may run trials of {trial.study.name!r}.")
        return int(trial.pk)


class Suggest(_HeldTrial):
    """Define-by-run."""

    @extend_schema(
        operation_id="suggest",
        summary="Ask for one more parameter",
        description=(
            "The value of a parameter that the study's space does not have; the same name gives the same "
            "value."
        ),
        tags=TAGS,
        request=SuggestRequest,
        examples=[
            example(
                "An integer", lease=LEASE, name="warmup", distribution={"type": "int", "low": 0, "high": 1000}
            )
        ],
        responses=Suggestion,
    )
    def post(self, request: Request, trial_id: int) -> Response:
        held = self.trial_id_of(trial_id)
        return Response({"value": scripts.suggest(trial_id=held, **self.body(SuggestRequest))})


class Report(_HeldTrial):
    """Metrics."""

    @extend_schema(
        operation_id="report",
        summary="Report metrics",
        description=(
            "What a step measured, or a list of such reports under one lease. Renews the lease; the same "
            'report again changes nothing. A metric that is not finite is sent as "nan", "inf" or "-inf" (or '
            '{"$f": "nan"}). The decision: continue, pause (keep the checkpoint, the trial may come again) '
            "or stop."
        ),
        tags=TAGS,
        request=PolymorphicProxySerializer(
            component_name="ReportOrReports",
            serializers=[ReportRequest, ReportRequest(many=True)],
            resource_type_field_name=None,
            many=False,
        ),
        examples=[
            example("One step", lease=LEASE, step=3, metrics={"train/loss": 0.31, "validation/loss": "nan"}),
        ],
        responses=Decision,
    )
    def post(self, request: Request, trial_id: int) -> Response:
        held = self.trial_id_of(trial_id)
        points = self.bodies(ReportRequest)
        leases = {point["lease"] for point in points}
        if len(leases) > 1:
            raise ValidationError(
                {"lease": ["All reports of one call carry the same lease; send a call for each trial."]}
            )
        return Response({"decision": scripts.report(trial_id=held, lease=leases.pop(), points=points)})


class Heartbeat(_HeldTrial):
    """Renewing a lease."""

    @extend_schema(
        operation_id="heartbeat",
        summary="Renew a trial's lease",
        description=(
            "Send it at least every `lease_seconds` while nothing is reported; otherwise the trial goes back "
            "to waiting and is given to the next who asks."
        ),
        tags=TAGS,
        request=HeartbeatRequest,
        responses={204: None},
    )
    def post(self, request: Request, trial_id: int) -> Response:
        held = self.trial_id_of(trial_id)
        scripts.heartbeat(trial_id=held, **self.body(HeartbeatRequest))
        return Response(status=status.HTTP_204_NO_CONTENT)


class Tell(_HeldTrial):
    """The end of a trial."""

    @extend_schema(
        operation_id="tell",
        summary="End a trial",
        description=(
            "With `value` the trial is COMPLETE; with a state, failed or pruned; with neither, COMPLETE by "
            "the metric that it reported. A value that is not finite makes it FAILED (diverged). The same "
            "again changes nothing."
        ),
        tags=TAGS,
        request=TellRequest,
        examples=[
            example("A value", lease=LEASE, value=0.31),
            example("A failure", lease=LEASE, state="failed", reason="out_of_memory"),
        ],
        responses=TrialRow,
    )
    def post(self, request: Request, trial_id: int) -> Response:
        held = self.trial_id_of(trial_id)
        return Response(shown(TrialRow, scripts.tell(trial_id=held, **self.body(TellRequest))))
