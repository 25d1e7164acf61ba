"""The final look at the test set: sealed, measured, kept; and studies that leave the list instead of being deleted."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from tuning.api.endpoint import Endpoint, shown
from tuning.api.serializers.final import Finalisation, FinalStanding, Reveals
from tuning.api.views.studies import _Turn, turn_schema
from tuning.selectors.reveals import reveals_of, standing_before_test
from tuning.selectors.studies import study_for
from tuning.services.archiving import archive_study, unarchive_study
from tuning.services.finalising import finalise_study

TAGS = ["studies"]


class Finalise(Endpoint):
    """The sealed choice."""

    @extend_schema(
        operation_id="studies_finalise",
        summary="Take the final look",
        description="Seals a choice and has it measured on the test set: a worker trains a PyTorch workload's "
        "configuration with fresh seeds and opens the test split last; of other trials the sealed test metrics are "
        "opened. The same choice again, before anything was revealed, is the same seal; another look needs a reason.",
        tags=TAGS,
        request=Finalisation,
        responses=FinalStanding,
    )
    def post(self, request: Request, study_id: int) -> Response:
        given = self.body(Finalisation)
        study = study_for(self.person, study_id)
        finalise_study(study_id=study.pk, actor=self.person, **given)
        return Response(shown(FinalStanding, standing_before_test(study_for(self.person, study_id))))

    @extend_schema(
        operation_id="studies_final",
        summary="See how a study stands before its test set",
        description="The newest sealed choice and how far it is. No number of the test set is in it.",
        tags=TAGS,
        responses=FinalStanding,
    )
    def get(self, request: Request, study_id: int) -> Response:
        self.query()
        return Response(shown(FinalStanding, standing_before_test(study_for(self.person, study_id))))


class StudyReveals(Endpoint):
    """What was seen of the test set."""

    @extend_schema(
        operation_id="studies_reveals",
        summary="Read the test scores of a study",
        description="Every reveal of the study, the newest first: the choice, who sealed it, and what it scored.",
        tags=TAGS,
        responses=Reveals,
    )
    def get(self, request: Request, study_id: int) -> Response:
        self.query()
        return Response(shown(Reveals, {"reveals": reveals_of(study_for(self.person, study_id))}))


class ArchiveStudy(_Turn):
    """Out of the list."""

    @turn_schema("archive", "Takes a study that does not run out of the list of studies; all that it has is kept.")
    def post(self, request: Request, study_id: int) -> Response:
        return self.turned(archive_study, study_id)


class UnarchiveStudy(_Turn):
    """Back into the list."""

    @turn_schema("unarchive", "Brings an archived study back into the list of studies.")
    def post(self, request: Request, study_id: int) -> Response:
        return self.turned(unarchive_study, study_id)
