"""What a study's learning curves say."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from tuning.api.endpoint import Endpoint, shown
from tuning.api.serializers.diagnostics import StudyDiagnosticsView
from tuning.selectors.advice_tests import records
from tuning.selectors.diagnostics import study_diagnostics
from tuning.selectors.studies import study_for


class StudyDiagnostics(Endpoint):
    """Verdicts on the training and validation losses of a study's trials."""

    @extend_schema(
        operation_id="study_diagnostics",
        summary="Diagnose the learning curves",
        description=(
            "A verdict on every complete or diverged trial by its training and validation loss, with its epoch, its "
            "numbers and what to change next; how many have which; and which regularisers go with a closed gap, by "
            "partial rank correlation over the trials; and whether the best strength of each moves with the size of "
            "the model or of the training set. Where there are no two curves to compare, `problem` says why."
        ),
        tags=["studies"],
        responses=StudyDiagnosticsView,
    )
    def get(self, request: Request, study_id: int) -> Response:
        self.query()
        study = study_for(self.person, study_id)
        found = study_diagnostics(study)
        document = {
            "study": study.pk,
            "history_version": study.history_version,
            "problem": found.problem,
            "counts": {rule: count for rule, _, count in found.counts},
            "cut": found.cut,
            "pending": found.pending,
            "base": found.yardstick.base if found.yardstick is not None else None,
            "regularisers": found.regularisers,
            "records": records().by_rule,
            "strengths": found.strengths,
            "trials": found.rows,
        }
        return Response(shown(StudyDiagnosticsView, document))
