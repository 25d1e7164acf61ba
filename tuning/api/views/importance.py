"""Which parameters of a study mattered."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from tuning.api.endpoint import Endpoint, shown
from tuning.api.serializers.importance import ImportanceView
from tuning.selectors.studies import study_for
from tuning.services.importance import study_importance


class Importance(Endpoint):
    """What mattered, by four methods."""

    @extend_schema(
        operation_id="importance",
        summary="See which parameters mattered",
        description=(
            "By fANOVA (raw shares of the variance over the whole space, pairs, and a remainder), PED-ANOVA (what "
            "decides about the best tenth), permutation (what prediction rests on) and rank correlation, each with "
            "the question that it answers. Complete trials with a finite value count; `adaptive` says that a sampler "
            "which learns chose where they lie. A method that can say nothing gives its `reason`."
        ),
        tags=["studies"],
        responses=ImportanceView,
    )
    def get(self, request: Request, study_id: int) -> Response:
        self.query()
        study = study_for(self.person, study_id)
        found = study_importance(study)
        document = {
            "study": study.pk,
            "history_version": study.history_version,
            "n_complete": found.n_complete,
            "n_left_out": found.n_left_out,
            "n_adaptive": found.n_adaptive,
            "adaptive": found.adaptive,
            "problem": found.problem,
            "methods": [_method(result) for result in found.methods.values()],
        }
        return Response(shown(ImportanceView, document))


def _method(result: Any) -> dict[str, Any]:
    ranked = sorted(result.main, key=lambda name: -result.main[name])
    return {
        "method": result.method,
        "question": result.question,
        "n": result.n,
        "r2": result.r2,
        "reason": result.reason,
        "parameters": [
            {
                "parameter": name,
                "importance": result.main[name],
                "std": result.std.get(name),
                "active": result.active.get(name, 1.0),
                "within": result.within.get(name),
                "sign": result.signs.get(name),
            }
            for name in ranked
        ],
        "pairs": [{"parameters": list(pair), "importance": share} for pair, share in result.pairs.items()],
        "remainder": result.remainder,
        "hidden": [{"parameter": name, "trials": count} for name, count in result.hidden.items()],
        "curves": [{"parameter": curve.name, **vars(curve)} for curve in result.curves],
    }
