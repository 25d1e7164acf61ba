"""A study's trials: lists, the leaderboard, one trial, its curves."""

from dataclasses import asdict
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from tuning.api.endpoint import Endpoint, shown
from tuning.api.serializers.trials import (
    Curves,
    Leaderboard,
    LeaderboardQuery,
    TrialDetail,
    TrialPage,
    TrialQuery,
    TrialRow,
)
from tuning.selectors.curves import trial_curves
from tuning.selectors.studies import study_for
from tuning.selectors.trials import leaderboard, trial_for

TAGS = ["trials"]


class Trials(Endpoint):
    """A study's trials."""

    @extend_schema(
        operation_id="trials_list",
        summary="List trials",
        description="A study's trials in pages that stay right while trials are added: follow `next_cursor`.",
        tags=TAGS,
        parameters=[TrialQuery],
        responses=TrialPage,
    )
    def get(self, request: Request, study_id: int) -> Response:
        study = study_for(self.person, study_id)
        query = self.query(TrialQuery)
        states = sorted(query.pop("state", ()))
        return Response(shown(TrialPage, leaderboard(study, states=states, **query)))


class BestTrials(Endpoint):
    """The leaderboard."""

    @extend_schema(
        operation_id="leaderboard",
        summary="The best trials",
        description="Complete trials that count, the best first, with their rank.",
        tags=TAGS,
        parameters=[LeaderboardQuery],
        responses=Leaderboard,
    )
    def get(self, request: Request, study_id: int) -> Response:
        study = study_for(self.person, study_id)
        query = self.query(LeaderboardQuery)
        page = leaderboard(study, states=["COMPLETE"], ordering="value", counted=True, **query)
        rows: list[dict[str, Any]] = shown(TrialRow, page.rows, many=True)
        return Response({"results": [{**row, "rank": rank} for rank, row in enumerate(rows, start=1)]})


class OneTrial(Endpoint):
    """One trial."""

    @extend_schema(
        operation_id="trials_read",
        summary="Read a trial",
        description="The trial with its parameters, why they were proposed, and what came of it.",
        tags=TAGS,
        responses=TrialDetail,
    )
    def get(self, request: Request, trial_id: int) -> Response:
        self.query()
        return Response(shown(TrialDetail, trial_for(self.person, trial_id)))


class TrialCurves(Endpoint):
    """A trial's metric curves."""

    @extend_schema(
        operation_id="trials_curves",
        summary="Read a trial's curves",
        description=(
            'Every metric by step. Values that are not finite come as the strings "nan", "inf" and "-inf". '
            "Steps that a lost attempt reported beyond the checkpoint of the next one are left out."
        ),
        tags=TAGS,
        responses=Curves,
    )
    def get(self, request: Request, trial_id: int) -> Response:
        self.query()
        trial = trial_for(self.person, trial_id)
        curves = {name: asdict(curve) for name, curve in trial_curves(trial).items()}
        return Response(shown(Curves, {"trial": trial.pk, "curves": curves}))
