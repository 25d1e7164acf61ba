"""The tab Diagnosis of a study: how many trials have which verdict, gap against score, and what closes the gap."""

from collections import defaultdict
from typing import Any

from django.http import QueryDict

from tuning.charts import GapPoint, gap_figure
from tuning.selectors.advice_tests import Record, records, records_mark
from tuning.selectors.diagnostics import Diagnosis, StudyDiagnostics
from tuning.selectors.tried_advice import record_words
from tuning.services.diagnostics import diagnosis_soon
from tuning.web.strengths import strength_panels

NAMED = 5  # trials beside each verdict


def diagnosis_tab(study: Any, query: QueryDict) -> dict[str, Any]:
    """The sentence, a row per verdict with its best trials and its first advice, the figure, the regularisers; while
    they are computed, only that they are."""
    found = diagnosis_soon(study)
    if found is None:
        return {"study": study, "computing": True}
    if found.problem:
        return {"study": study, "found": found}
    best = study.best_trial.number if study.best_trial else None
    points = [
        GapPoint(row.number, row.gap, row.value, row.verdict.rule, row.verdict.title)
        for row in found.rows
        if row.gap is not None and row.value is not None
    ]
    return {
        "study": study,
        "found": found,
        "sentence": sentence(found),
        "verdicts": _verdicts(found, study.direction),
        "figure": gap_figure(points, direction=study.direction, metric=study.metric, best=best),
        "gap_rows": sorted(points, key=lambda point: point.value, reverse=study.direction == "maximize")[:200],
        "base": found.yardstick.base if found.yardstick is not None else None,
        **strength_panels(study, found.strengths),
        "closing": [row for row in found.regularisers if row.closes and not row.hurts],
    }


def diagnosis_mark(found: StudyDiagnostics | None) -> tuple[Any, ...]:
    """What else than the study's version the tab shows."""
    return (found is None, found.pending if found is not None else 0, records_mark())


def sentence(found: StudyDiagnostics) -> str:
    """What most trials have."""
    _, title, count = found.counts[0]
    return f"{title}: {count:,} of {len(found.rows):,} trials"


def _verdicts(found: StudyDiagnostics, direction: str) -> list[dict[str, Any]]:
    """A row per verdict, the most frequent first."""
    by_rule: dict[str, list[Diagnosis]] = defaultdict(list)
    for row in found.rows:
        by_rule[row.verdict.rule].append(row)
    sign = 1.0 if direction == "minimize" else -1.0
    rows, known = [], records().by_rule
    for rule, title, count in found.counts:
        members = sorted(by_rule[rule], key=lambda row: (row.value is None, sign * (row.value or 0.0), row.number))
        rows.append(
            {
                "title": title,
                "count": count,
                "share": round(100 * count / len(found.rows)),
                "best": members[:NAMED],
                "advice": members[0].verdict.advice[:2],
                "record": record_words(known.get(rule, Record())),
            }
        )
    return rows
