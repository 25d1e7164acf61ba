"""Studies and their states."""

from collections.abc import Callable
from typing import Any, TypeVar

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from tuning.api.endpoint import Endpoint, shown
from tuning.api.serializers.studies import StudyChange, StudyCreation, StudyDetail, StudyPage, StudyQuery, StudyStart
from tuning.selectors.studies import study_for, study_list
from tuning.services import lifecycle
from tuning.services.studies import create_study, delete_study, update_study

TAGS = ["studies"]
NEW_STUDY = OpenApiExample(
    "Trials run by a script",
    request_only=True,
    value={
        "name": "my net",
        "space": {
            "lr": {"type": "float", "low": 1e-5, "high": 0.1, "log": True},
            "optimizer": {"type": "categorical", "choices": ["sgd", "adamw"]},
            "momentum": {"type": "float", "low": 0.0, "high": 0.99, "when": {"optimizer": ["sgd"]}},
        },
        "metric": "validation/loss",
        "direction": "minimize",
        "n_trials": 50,
        "parallel": 2,
    },
)

Method = TypeVar("Method", bound=Callable[..., Response])


class Studies(Endpoint):
    """The list of studies."""

    @extend_schema(
        operation_id="studies_list",
        summary="List studies",
        description="The studies that you may look at, last activity first, in numbered pages.",
        tags=TAGS,
        parameters=[StudyQuery],
        responses=StudyPage,
    )
    def get(self, request: Request) -> Response:
        return Response(shown(StudyPage, study_list(self.person, **self.query(StudyQuery))))

    @extend_schema(
        operation_id="studies_create",
        summary="Create a study",
        description=(
            "A new study, READY to be started. With a workload, workers train its trials; without one, "
            "scripts ask for them. Everything that is wrong is named at once."
        ),
        tags=TAGS,
        request=StudyCreation,
        examples=[NEW_STUDY],
        responses={201: StudyDetail},
    )
    def post(self, request: Request) -> Response:
        study = create_study(owner=self.person, **self.body(StudyCreation))
        return Response(shown(StudyDetail, study), status=status.HTTP_201_CREATED)


class OneStudy(Endpoint):
    """One study."""

    @extend_schema(
        operation_id="studies_read",
        summary="Read a study",
        description="The study with its search space and settings.",
        tags=TAGS,
        responses=StudyDetail,
    )
    def get(self, request: Request, study_id: int) -> Response:
        self.query()
        return Response(shown(StudyDetail, study_for(self.person, study_id)))

    @extend_schema(
        operation_id="studies_change",
        summary="Change a study",
        description="Changes the fields that are sent. Sampler, space and seed stay as they were created.",
        tags=TAGS,
        request=StudyChange,
        responses=StudyDetail,
    )
    def patch(self, request: Request, study_id: int) -> Response:
        study = study_for(self.person, study_id)
        return Response(
            shown(StudyDetail, update_study(study=study, actor=self.person, **self.body(StudyChange)))
        )

    @extend_schema(
        operation_id="studies_delete",
        summary="Delete a study",
        description="Removes a study that is not running, with its trials, curves, checkpoints and logs. One that has "
        "looked at its test set is kept: archive it.",
        tags=TAGS,
        request=None,
        responses={204: None},
    )
    def delete(self, request: Request, study_id: int) -> Response:
        self.body()
        delete_study(study=study_for(self.person, study_id), actor=self.person)
        return Response(status=status.HTTP_204_NO_CONTENT)


def turn_schema(verb: str, description: str) -> Callable[[Method], Method]:
    """The schema of an endpoint that moves a study to another state."""
    decorate: Callable[[Method], Method] = extend_schema(
        operation_id=f"studies_{verb}",
        summary=f"{verb.capitalize()} a study",
        description=f"{description} The same again is no error and changes nothing.",
        tags=TAGS,
        request=None,
        responses=StudyDetail,
    )
    return decorate


class _Turn(Endpoint):
    """Moves a study that the person may look at by a service of `lifecycle`."""

    def turned(self, service: Callable[..., Any], study_id: int) -> Response:
        """The study after the service. Raises what the service raises."""
        self.body()
        study = study_for(self.person, study_id)
        return Response(shown(StudyDetail, service(study_id=study.pk, actor=self.person)))


class StartStudy(Endpoint):
    """READY to RUNNING."""

    @extend_schema(
        operation_id="studies_start",
        summary="Start a study",
        description="READY to RUNNING. A study of a PyTorch workload whose preflight has not passed stays READY: it is "
        "asked for, and the study starts by itself once it has passed (`starts_after_preflight`). Where it has failed "
        "the answer is 409, unless `despite` says why that does not matter. The same again is no error.",
        tags=TAGS,
        request=StudyStart,
        responses=StudyDetail,
    )
    def post(self, request: Request, study_id: int) -> Response:
        given = self.body(StudyStart)
        study = study_for(self.person, study_id)
        return Response(shown(StudyDetail, lifecycle.start_study(study_id=study.pk, actor=self.person, **given)))


class HoldStudy(_Turn):
    """READY, and does not start after its preflight."""

    @turn_schema("hold", "A READY study that would start after its preflight does not start by itself any more.")
    def post(self, request: Request, study_id: int) -> Response:
        return self.turned(lifecycle.hold_study, study_id)


class PauseStudy(_Turn):
    """RUNNING to PAUSED."""

    @turn_schema("pause", "RUNNING to PAUSED: running trials go back to waiting at their last checkpoint.")
    def post(self, request: Request, study_id: int) -> Response:
        return self.turned(lifecycle.pause_study, study_id)


class ResumeStudy(_Turn):
    """PAUSED to RUNNING."""

    @turn_schema("resume", "PAUSED to RUNNING: waiting trials go on.")
    def post(self, request: Request, study_id: int) -> Response:
        return self.turned(lifecycle.resume_study, study_id)


class StopStudy(_Turn):
    """To STOPPED."""

    @turn_schema(
        "stop",
        "To STOPPED: running and waiting trials are cancelled, trials that the scheduler paused are pruned.",
    )
    def post(self, request: Request, study_id: int) -> Response:
        return self.turned(lifecycle.stop_study, study_id)
