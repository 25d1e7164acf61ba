"""What other schedulers would have made of a study's trials."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from tuning.api.endpoint import Endpoint, shown
from tuning.api.serializers.what_if import WhatIfView
from tuning.selectors.studies import study_for
from tuning.selectors.what_if import WhatIf, what_if


class StudyWhatIf(Endpoint):
    """The recorded curves of an ended study through other schedulers and settings."""

    @extend_schema(
        operation_id="study_what_if",
        summary="Replay through other schedulers",
        description=(
            "What other schedulers and settings would have made of the recorded curves of an ended study: the steps, "
            "whether the recorded winner is kept, and the best that each ends with. Nothing is predicted: where a "
            "setting would have trained a trial further than it was, its `gap` says so and nothing is claimed. Where "
            "there is nothing to replay, `problem` says why."
        ),
        tags=["studies"],
        responses=WhatIfView,
    )
    def get(self, request: Request, study_id: int) -> Response:
        study = study_for(self.person, study_id)
        found = what_if(study)
        document = {
            "study": study.pk,
            "history_version": study.history_version,
            "problem": found.problem,
            "record": _record(found),
            "alternatives": [_alternative(found, one) for one in found.alternatives],
        }
        return Response(shown(WhatIfView, document))


def _record(found: WhatIf) -> dict[str, Any] | None:
    record = found.record
    if record is None:
        return None
    return {
        "trials": len(record.trials),
        "left_out": found.left_out,
        "steps": record.steps,
        "seconds": record.seconds if found.timed else None,
        "workers": record.workers,
        "winner": record.winner,
    }


def _alternative(found: WhatIf, one: Any) -> dict[str, Any]:
    setting, made = one.setting, one.replay
    gap = made.gap
    known = gap is None
    return {
        "scheduler": setting.scheduler,
        "scheduler_options": setting.all_options,
        "min_resource": setting.min_resource,
        "max_resource": setting.max_resource,
        "reduction_factor": setting.reduction_factor,
        "steps": made.steps if known else None,
        "share": made.share,
        "seconds": made.seconds if known and found.timed else None,
        "winner_kept": made.kept,
        "winner_cut_at": made.cut_at,
        "best": made.best,
        "regret": made.regret,
        "gap": None if gap is None else {"trial": gap.number, "step": gap.step, "wanted": gap.wanted},
    }
