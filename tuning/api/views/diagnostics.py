"""What a study's learning curves say."""

from typing import Any

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from tuning.api.endpoint import Endpoint, computed, shown
from tuning.api.serializers.diagnostics import StudyDiagnosticsView
from tuning.selectors.advice_tests import records
from tuning.selectors.diagnostics import StudyDiagnostics as Found
from tuning.selectors.studies import study_for
from tuning.services.diagnostics import diagnosis_now

NOTHING = Found()


class StudyDiagnostics(Endpoint):
    """Verdicts on the training and validation losses of a study's trials."""

    @extend_schema(
        operation_id="study_diagnostics",
        summary="Diagnose the learning curves",
        description=(
            "A verdict on every complete or diverged trial by its training and validation loss, with its epoch, its "
            "numbers and what to change next; how many have which; and which regularisers go with a closed gap, by "
            "partial rank correlation over the trials; and whether the best strength of each moves with the size of "
            "the model or of the training set. Where there are no two curves to compare, `problem` says why. "
            "Workers look at them in the background: 202 with `ready` false until they have; ask again then."
        ),
        tags=["studies"],
        responses={200: StudyDiagnosticsView, 202: OpenApiResponse(StudyDiagnosticsView, "It is being computed.")},
    )
    def get(self, request: Request, study_id: int) -> Response:
        self.query()
        study = study_for(self.person, study_id)
        found = diagnosis_now(study)
        return computed(shown(StudyDiagnosticsView, _document(study, found)))


def _document(study: Any, found: Found | None) -> dict[str, Any]:
    told = found or NOTHING
    return {
        "study": study.pk,
        "ready": found is not None,
        "history_version": study.history_version,
        "problem": told.problem,
        "counts": {rule: count for rule, _, count in told.counts},
        "cut": told.cut,
        "pending": told.pending,
        "base": told.yardstick.base if told.yardstick is not None else None,
        "regularisers": told.regularisers,
        "records": records().by_rule,
        "strengths": told.strengths,
        "trials": told.rows,
    }
