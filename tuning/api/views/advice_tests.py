"""Advice after a trial's verdict: read with what its tests have shown, and tried."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from tuning.api.endpoint import Endpoint, shown
from tuning.api.serializers.advice_tests import AdviceTrying, TrialAdviceView
from tuning.selectors.curves import trial_curves
from tuning.selectors.diagnostics import trial_verdict
from tuning.selectors.trials import trial_for
from tuning.selectors.tried_advice import advice_rows
from tuning.services.trying import try_advice


class TrialAdvice(Endpoint):
    """What to change after a trial, and whether that has helped."""

    @extend_schema(
        operation_id="trial_advice",
        summary="Read a trial's advice",
        description="Each advice of its verdict, what trying it costs, and what the newest test of it shows so far.",
        tags=["trials"],
        responses=TrialAdviceView,
    )
    def get(self, request: Request, trial_id: int) -> Response:
        self.query()
        return Response(self._document(trial_id))

    @extend_schema(
        operation_id="trial_advice_try",
        summary="Try an advice",
        description=(
            "Runs the trial's configuration with and without the change on the same fresh seeds, in a study of their "
            "own that workers run. While they run, the same again starts nothing. Answers with all advice as it is."
        ),
        tags=["trials"],
        request=AdviceTrying,
        responses={201: TrialAdviceView},
    )
    def post(self, request: Request, trial_id: int) -> Response:
        trial = trial_for(self.person, trial_id)
        try_advice(trial_id=trial.pk, actor=self.person, **self.body(AdviceTrying))
        return Response(self._document(trial_id), status=status.HTTP_201_CREATED)

    def _document(self, trial_id: int) -> Any:
        trial = trial_for(self.person, trial_id)
        curves = trial_curves(trial)
        verdict = trial_verdict(trial, curves)
        rows = advice_rows(trial, verdict, curves) if verdict is not None else []
        rule = verdict.rule if verdict is not None else None
        return shown(TrialAdviceView, {"trial": trial.pk, "rule": rule, "advice": rows})
