"""Whether another hour of a study is worth it."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from tuning.api.endpoint import Endpoint, shown
from tuning.api.serializers.worth import WorthView
from tuning.selectors.studies import study_for
from tuning.selectors.worth import worth_document


class StudyWorth(Endpoint):
    """What the next hour promises."""

    @extend_schema(
        operation_id="study_worth",
        summary="Ask whether to go on",
        description=(
            "By how much the trials that one more hour of device time pays would better the best true value, against "
            "what a seed alone moves. Supervisors look at running studies from 20 complete trials on, every 5 trials."
        ),
        tags=["studies"],
        responses=WorthView,
    )
    def get(self, request: Request, study_id: int) -> Response:
        self.query()
        return Response(shown(WorthView, worth_document(study_for(self.person, study_id))))
