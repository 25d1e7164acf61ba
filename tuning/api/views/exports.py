"""Taking results away: the best configuration, or every trial as a table."""

import csv
import json
from collections.abc import Iterator
from typing import Any

import yaml
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request

from tuning.api.endpoint import Endpoint
from tuning.api.serializers.exports import BestConfiguration, ExportQuery
from tuning.api.serializers.strict import finite_json
from tuning.selectors.exports import best_configuration
from tuning.selectors.studies import study_for
from tuning.selectors.trials import leaderboard

PAGE = 500
COLUMNS = (
    "number",
    "state",
    "value",
    "value_step",
    "reason_code",
    "resource",
    "resource_done",
    "started",
    "completed",
    "seed",
    "infeasible",
)


class Export(Endpoint):
    """A study's results as a file."""

    @extend_schema(
        operation_id="export",
        summary="Export results",
        description=(
            "`json` and `yaml`: the best configuration with all that is needed to train it again. `csv`: "
            "every trial, by number, with a column for each parameter; the file is written while it is read."
        ),
        tags=["studies"],
        parameters=[ExportQuery],
        responses={
            (200, "application/json"): BestConfiguration,
            (200, "application/yaml"): OpenApiResponse(OpenApiTypes.STR),
            (200, "text/csv"): OpenApiResponse(OpenApiTypes.STR),
        },
    )
    def get(self, request: Request, study_id: int) -> HttpResponseBase:
        study = study_for(self.person, study_id)
        form = self.query(ExportQuery)["format"]
        name = f"study-{study.pk}-{'trials' if form == 'csv' else 'best'}.{form}"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        if form == "csv":
            return StreamingHttpResponse(
                trial_table(study), content_type="text/csv; charset=utf-8", headers=headers
            )
        configuration = finite_json(best_configuration(study))
        if form == "yaml":
            text = yaml.safe_dump(configuration, sort_keys=False, allow_unicode=True)
            return HttpResponse(text, content_type="application/yaml; charset=utf-8", headers=headers)
        text = json.dumps(configuration, indent=2, ensure_ascii=False)
        return HttpResponse(text, content_type="application/json", headers=headers)


class _Line:
    """What csv.writer writes to: it hands the line back."""

    def write(self, line: str) -> str:
        return line


def trial_table(study: Any) -> Iterator[str]:
    """The study's trials as lines of CSV, read in pages: fixed columns, then "params.<name>" in the space's
    order.

    Parameters that only define-by-run suggestions added come in a last column "params", as JSON.
    """
    names = list(study.space.document) if study.space else []
    writer: Any = csv.writer(_Line())
    yield writer.writerow([*COLUMNS, *(f"params.{name}" for name in names), "params"])
    cursor = ""
    while True:
        page = leaderboard(study, ordering="number", limit=PAGE, cursor=cursor)
        for trial in page.rows:
            yield writer.writerow(_cells(trial, names))
        cursor = page.next_cursor
        if not cursor:
            return


def _cells(trial: Any, names: list[str]) -> list[Any]:
    fixed = [getattr(trial, column) for column in COLUMNS]
    fixed[COLUMNS.index("value")] = trial.value if trial.value is not None else trial.value_kind
    moments = [cell.isoformat() if hasattr(cell, "isoformat") else cell for cell in fixed]
    own = [_cell(trial.params[name]) if name in trial.params else "" for name in names]
    others = {name: value for name, value in trial.params.items() if name not in names}
    return [*moments, *own, json.dumps(finite_json(others), ensure_ascii=False) if others else ""]


def _cell(value: Any) -> Any:
    """Text and numbers as they are; true, false, null and lists as JSON."""
    if value is None or isinstance(value, bool | list | dict):
        return json.dumps(finite_json(value), ensure_ascii=False)
    return value
