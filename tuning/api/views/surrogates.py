"""The model of a study: a cut through it, and where the next trial goes."""

import math
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from tuning.api.endpoint import Endpoint, shown
from tuning.api.serializers.surrogates import SurrogateQuery, SurrogateView
from tuning.selectors.studies import study_for
from tuning.services.surrogates import StudyModel, study_model


class Surrogate(Endpoint):
    """What the model of a study expects along one or two parameters."""

    @extend_schema(
        operation_id="surrogate",
        summary="Look into the model",
        description=(
            "What a Gaussian process, fitted to the study's trials, expects along one or two parameters: mean, bands, "
            "acquisition, and the next suggestion. Where there is no model, `problem` says why. Nothing is changed."
        ),
        tags=["studies"],
        parameters=[SurrogateQuery],
        responses=SurrogateView,
    )
    def get(self, request: Request, study_id: int) -> Response:
        study = study_for(self.person, study_id)
        query = self.query(SurrogateQuery)
        model = study_model(study)
        document = {
            "study": study.pk,
            "history_version": study.history_version,
            "n_finished": model.n_finished,
            "problem": model.problem,
            "model": None if model.problem else _cut(model, **query),
            "next": _next(model),
        }
        return Response(shown(SurrogateView, document))


def _cut(model: StudyModel, at: str, x: str = "", y: str = "") -> dict[str, Any]:
    made = model.cut(x, y, at)
    expected, present = made.cut.expected, made.cut.present.tolist()

    def column(values: Any) -> list[float | None]:
        return [_finite(value) if here else None for value, here in zip(values.tolist(), present, strict=True)]

    sides = made.cut.columns()
    return {
        "n_model": model.n_model,
        "acquisition": model.acquisition,
        "parameters": model.influences,
        "quality": model.validation,
        "x": made.names[0],
        "y": made.names[1] if len(made.names) > 1 else None,
        "held": {"trial": made.held, "params": made.held_params},
        "grid": {
            "x": sides[0],
            "y": sides[1] if len(sides) > 1 else None,
            "mean": column(expected.median),
            "sd": column(expected.sd),
            "low": column(expected.low),
            "high": column(expected.high),
            "trial_low": column(expected.trial_low),
            "trial_high": column(expected.trial_high),
            "acquisition": column(expected.acquisition),
        },
    }


def _next(model: StudyModel) -> dict[str, Any] | None:
    suggestion = model.next
    if suggestion is None:
        return None
    expected = suggestion.expected
    return {
        "number": suggestion.number,
        "params": suggestion.params,
        "why": suggestion.why,
        "problem": suggestion.problem,
        "uses_model": model.sampler == "gp",
        "mean": _finite(float(expected.median[0])) if expected is not None else None,
        "low": _finite(float(expected.trial_low[0])) if expected is not None else None,
        "high": _finite(float(expected.trial_high[0])) if expected is not None else None,
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
