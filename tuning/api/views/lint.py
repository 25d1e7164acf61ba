"""The lint of search spaces, before a study is made and while it runs."""

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from tuning.api.endpoint import Endpoint, shown
from tuning.api.serializers.lint import LintRequest, LintView
from tuning.selectors.lint import space_findings
from tuning.selectors.studies import study_for
from tuning.services.linting import range_findings

LINEAR = OpenApiExample(
    "a learning rate on a linear scale",
    value={"space": {"lr": {"type": "float", "low": 0.0001, "high": 0.1}}, "n_trials": 50, "sampler": "auto"},
    request_only=True,
)


class Lint(Endpoint):
    """What is likely to waste trials."""

    @extend_schema(
        operation_id="lint",
        summary="Lint a search space",
        description=(
            "What in a search space is likely to waste trials, each finding with its evidence and, where one is known, "
            "a fix: the parameter's new entry. Nothing is stored, and no finding forbids to create the study. A space "
            "that cannot be used is answered with findings, too: LOG-ZERO, LOG-STEP, DUP-CAT and UNREADABLE are what "
            "POST studies/ refuses, in its own words."
        ),
        tags=["studies"],
        request=LintRequest,
        examples=[LINEAR],
        responses=LintView,
    )
    def post(self, request: Request) -> Response:
        given = self.body(LintRequest)
        findings = space_findings(given.pop("space"), budget=given.pop("n_trials", None), **given)
        return Response(shown(LintView, {"findings": [finding.to_json() for finding in findings]}))


class StudyLint(Endpoint):
    """What a study's trials say about its ranges."""

    @extend_schema(
        operation_id="study_lint",
        summary="Read what the trials say of the ranges",
        description=(
            "EDGE: the best trials lie near an end of a range, beyond which the optimum may lie. TOO-WIDE: half of the "
            "trials diverged or broke a constraint. FREEZE: a parameter matters neither alone nor together with "
            "others; it rests on studies/{id}/importance/ and appears once that has been computed. The fix is the "
            "parameter's new entry for POST studies/{id}/spaces/."
        ),
        tags=["studies"],
        responses=LintView,
    )
    def get(self, request: Request, study_id: int) -> Response:
        self.query()
        findings = range_findings(study_for(self.person, study_id))
        return Response(shown(LintView, {"findings": [finding.to_json() for finding in findings]}))
