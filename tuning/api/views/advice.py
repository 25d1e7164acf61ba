"""How a budget is best spent on a space."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from tuning.api.endpoint import Endpoint, shown
from tuning.api.serializers.advice import AdviceAnswer, AdviceQuestion
from tuning.selectors.hosts import live_slots
from tuning.selectors.workloads import workload_named
from tuning.services.advising import Budget, advice_for, early_order
from tuning.services.errors import Invalid, NotFound


class Advice(Endpoint):
    """The budget advisor."""

    @extend_schema(
        operation_id="advice",
        summary="Ask how to spend a budget",
        description="Method, number of trials, how far each runs, what that takes with a range, and what is kept back "
        "to confirm the answer; beside it what else could be chosen. `method` holds the fields of a new study. How "
        "long a step takes is known once the workload's checks have run: a budget of time needs it. Whether trials "
        "may be judged early is known from the newest study of the workload without a scheduler, whose trials run to "
        "as many steps: create one of eight trials where there is none.",
        tags=["advice"],
        request=AdviceQuestion,
        responses=AdviceAnswer,
    )
    def post(self, request: Request) -> Response:
        asked = self.body(AdviceQuestion)
        document = _document(asked.get("workload", ""))
        space = asked.get("space") or (document or {}).get("space")
        if not space:
            raise Invalid({"space": ["Give the search space: the workload has no default one, or none was named."]})
        steps = asked.get("max_resource") or (document or {}).get("max_resource")
        early = early_order(self.person, asked.get("workload", ""), steps)
        found = advice_for(
            space,
            Budget(asked.get("trials"), asked.get("device_seconds"), asked.get("seconds")),
            workload=document,
            max_resource=steps,
            slots=asked.get("slots") or max(1, live_slots().count()),
            early=early,
        )
        return Response(shown(AdviceAnswer, {**found.to_json(), "early": early}))


def _document(name: str) -> dict[str, Any] | None:
    """What a worker found out about the workload; None for scripts. Raises Invalid."""
    try:
        document: dict[str, Any] | None = workload_named(name).document if name else None
    except NotFound as error:  # of a field in the body, not of the address
        raise Invalid({"workload": [error.message]}) from error
    return document
