"""Which parameters of a study mattered."""

from typing import Any

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from tuning.api.endpoint import Endpoint, computed, shown
from tuning.api.serializers.importance import ImportanceQuery, ImportanceView
from tuning.selectors.studies import study_for
from tuning.services.importance import StudyImportance, importance_now


class Importance(Endpoint):
    """What mattered, by four methods."""

    @extend_schema(
        operation_id="importance",
        summary="See which parameters mattered",
        description=(
            "For the score (`target=score`), the training time (`seconds`) or the stability (`stability`): by fANOVA "
            "(raw shares of the variance over the whole space, pairs, and a remainder), PED-ANOVA (what decides about "
            "the best tenth), permutation (what prediction rests on) and rank correlation, each with the question that "
            "it answers, its number of trials, and how many of them a sampler chose that learns. `basis` says what was "
            "measured of each trial. A method that can say nothing gives its `reason`. Workers compute it in the "
            "background: 202 with `ready` false until they have; ask again then."
        ),
        tags=["studies"],
        parameters=[ImportanceQuery],
        responses={200: ImportanceView, 202: OpenApiResponse(ImportanceView, "It is being computed.")},
    )
    def get(self, request: Request, study_id: int) -> Response:
        target = self.query(ImportanceQuery)["target"]
        study = study_for(self.person, study_id)
        found = importance_now(study, target)
        return computed(shown(ImportanceView, _document(study, target, found)))


def _document(study: Any, target: str, found: StudyImportance | None) -> dict[str, Any]:
    return {
        "study": study.pk,
        "target": target,
        "ready": found is not None,
        "history_version": study.history_version,
        "n_complete": study.n_complete,
        "basis": found.basis if found else "",
        "n_trials": found.n_trials if found else 0,
        "n_left_out": found.n_left_out if found else 0,
        "n_adaptive": found.n_adaptive if found else 0,
        "adaptive": found.adaptive if found else False,
        "problem": found.problem if found else "",
        "methods": [_method(result, found) for result in found.methods.values()] if found else [],
    }


def _method(result: Any, found: StudyImportance) -> dict[str, Any]:
    ranked = sorted(result.main, key=lambda name: -result.main[name])
    return {
        "method": result.method,
        "question": result.question,
        "n": result.n,
        "n_adaptive": found.n_adaptive,
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
        "maps": [{"parameters": list(each.names), "x": each.x, "y": each.y, "mean": each.mean} for each in result.maps],
    }
