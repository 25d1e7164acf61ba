"""Changing what is at work: studies, trials and hosts. Each call may be repeated: the same again changes nothing."""

from collections.abc import Callable
from typing import Any, TypeVar

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from tuning.api.endpoint import Endpoint, shown
from tuning.api.serializers.catalogue import WorkerHost
from tuning.api.serializers.control import (
    HostDrain,
    SpaceChange,
    SpaceVersions,
    StudyClone,
    StudyExtension,
    TrialExclusion,
)
from tuning.api.serializers.studies import StudyDetail
from tuning.api.serializers.trials import TrialDetail
from tuning.selectors.errors import NotFound
from tuning.selectors.hosts import hosts_overview
from tuning.selectors.spaces import fit_of, space_versions
from tuning.selectors.studies import study_for
from tuning.selectors.trials import trial_for
from tuning.services.cloning import clone_study
from tuning.services.draining import end_drain, start_drain
from tuning.services.exclusion import exclude_trial, include_trial
from tuning.services.extending import extend_study
from tuning.services.lifecycle import cancel_trial
from tuning.services.ranges import change_ranges
from tuning.services.retrying import retry_trial

AGAIN = "The same again is no error and changes nothing."
Method = TypeVar("Method", bound=Callable[..., Response])


def control_schema(
    operation: str, summary: str, description: str, *, request: Any = None, responses: Any, examples: Any = None
) -> Callable[[Method], Method]:
    """The schema of an operation that may be repeated."""
    decorate: Callable[[Method], Method] = extend_schema(
        operation_id=operation,
        summary=summary,
        description=f"{description} {AGAIN}",
        tags=[operation.partition("_")[0]],
        request=request,
        responses=responses,
        examples=examples,
    )
    return decorate


class ExtendStudy(Endpoint):
    """More trials."""

    @control_schema(
        "studies_extend",
        "Extend a study",
        "Sets the number of trials in all, or how many run at once; a FINISHED study with trials to come is RUNNING "
        "again.",
        request=StudyExtension,
        responses=StudyDetail,
    )
    def post(self, request: Request, study_id: int) -> Response:
        study = study_for(self.person, study_id)
        extend_study(study_id=study.pk, actor=self.person, **self.body(StudyExtension))
        return Response(shown(StudyDetail, study_for(self.person, study_id)))


class CloneStudy(Endpoint):
    """The same settings once more."""

    @control_schema(
        "studies_clone",
        "Clone a study",
        "A new study of your own, READY, with the settings of this one and those that are sent. Without changes send "
        "an empty object.",
        request=StudyClone,
        responses={201: StudyDetail},
    )
    def post(self, request: Request, study_id: int) -> Response:
        study = study_for(self.person, study_id)
        clone = clone_study(study_id=study.pk, actor=self.person, **self.body(StudyClone))
        return Response(shown(StudyDetail, clone), status=status.HTTP_201_CREATED)


class Spaces(Endpoint):
    """The versions of the search space."""

    @extend_schema(
        operation_id="studies_spaces",
        summary="List the versions of a study's search space",
        description="The newest first, and how many of the finished trials fit it.",
        tags=["studies"],
        responses=SpaceVersions,
    )
    def get(self, request: Request, study_id: int) -> Response:
        self.query()
        return self._versions(study_id)

    @control_schema(
        "studies_change_ranges",
        "Change the ranges of a study",
        "Makes another version of the search space. Finished trials that fit it keep counting for the sampler, "
        "waiting trials that do not are cancelled, and what runs goes on.",
        request=SpaceChange,
        responses=SpaceVersions,
        examples=[
            OpenApiExample(
                "Another range, and a new parameter",
                request_only=True,
                value={
                    "space": {
                        "lr": {"type": "float", "low": 1e-4, "high": 0.03, "log": True},
                        "dropout": {"type": "float", "low": 0.0, "high": 0.5},
                    },
                    "assumed": {"dropout": 0.0},
                    "reason": "rates below 1e-4 learn nothing",
                },
            )
        ],
    )
    def post(self, request: Request, study_id: int) -> Response:
        study = study_for(self.person, study_id)
        change_ranges(study_id=study.pk, actor=self.person, **self.body(SpaceChange))
        return self._versions(study_id)

    def _versions(self, study_id: int) -> Response:
        study = study_for(self.person, study_id)
        return Response(shown(SpaceVersions, {"results": space_versions(study), "fit": fit_of(study)}))


class _TrialTurn(Endpoint):
    """Changes a trial that the person may look at by a service."""

    def turned(self, service: Callable[..., Any], trial_id: int, **arguments: Any) -> Response:
        """The trial that the service answers with. Raises what the service raises."""
        trial = trial_for(self.person, trial_id)
        answer = service(trial_id=trial.pk, actor=self.person, **arguments)
        return Response(shown(TrialDetail, trial_for(self.person, answer.pk)))


class CancelTrial(_TrialTurn):
    """The end of an open trial."""

    @control_schema(
        "trials_cancel",
        "Cancel a trial",
        "A waiting, running or paused trial ends as FAILED (cancelled); one that has ended is left as it is.",
        responses=TrialDetail,
    )
    def post(self, request: Request, trial_id: int) -> Response:
        self.body()
        return self.turned(cancel_trial, trial_id)


class RetryTrial(_TrialTurn):
    """A failed trial once more."""

    @control_schema(
        "trials_retry",
        "Retry a failed trial",
        "Answers with a new trial of the same configuration, which goes on from the last checkpoint, or starts anew "
        "where there is none or the training diverged. It counts as one of the study's trials; a FINISHED study runs "
        "again for it.",
        responses=TrialDetail,
    )
    def post(self, request: Request, trial_id: int) -> Response:
        self.body()
        return self.turned(retry_trial, trial_id)


class ExcludeTrial(_TrialTurn):
    """A trial that does not count."""

    @control_schema(
        "trials_exclude",
        "Exclude a trial",
        "It no longer counts for the best, the leaderboard, the charts and the sampler, and stays visible with the "
        "reason. An open trial is cancelled first.",
        request=TrialExclusion,
        responses=TrialDetail,
        examples=[OpenApiExample("A reason", request_only=True, value={"reason": "trained on the wrong data"})],
    )
    def post(self, request: Request, trial_id: int) -> Response:
        return self.turned(exclude_trial, trial_id, **self.body(TrialExclusion))


class IncludeTrial(_TrialTurn):
    """A trial that counts again."""

    @control_schema(
        "trials_include", "Include an excluded trial", "The trial counts again as it was.", responses=TrialDetail
    )
    def post(self, request: Request, trial_id: int) -> Response:
        self.body()
        return self.turned(include_trial, trial_id)


class DrainHost(Endpoint):
    """A host out of service."""

    @control_schema(
        "workers_drain",
        "Drain a host",
        "The host claims nothing more, until it is undrained; its trials run to their end or, with `now`, go back to "
        "waiting at their next checkpoint. For administrators.",
        request=HostDrain,
        responses=WorkerHost,
    )
    def post(self, request: Request, host_id: int) -> Response:
        start_drain(host_id=host_id, actor=self.person, **self.body(HostDrain))
        return host_shown(host_id)


class UndrainHost(Endpoint):
    """A host back in service."""

    @control_schema(
        "workers_undrain",
        "Let a drained host work again",
        "The host claims work again. For administrators.",
        responses=WorkerHost,
    )
    def post(self, request: Request, host_id: int) -> Response:
        self.body()
        end_drain(host_id=host_id, actor=self.person)
        return host_shown(host_id)


def host_shown(host_id: int) -> Response:
    """The host as the list of workers shows it. Raises NotFound."""
    row = next((row for row in hosts_overview() if row.host.pk == host_id), None)
    if row is None:
        raise NotFound(f"There is no host {host_id}.")
    return Response(shown(WorkerHost, row))
