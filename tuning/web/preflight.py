"""The panel of the checks before tuning: of a workload's newest preflight, or of a study's."""

from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe

from tuning.charts import check_plot_svg
from tuning.selectors.preflights import newest_preflight
from tuning.web.polling import tag_of

ORDER = {"failed": 0, "warning": 1, "info": 2, "passed": 3, "skipped": 4}
WORDS = {"failed": "failed", "warning": "warning", "info": "to know", "passed": "passed", "skipped": "left out"}

QUIET = ("passed", "skipped")  # they ask nothing of a reader


@dataclass(frozen=True)
class Row:
    """One check as the panel shows it."""

    rule: str
    title: str
    status: str
    word: str
    says: str
    means: str
    todo: str
    plot: SafeString
    evidence: dict[str, Any]
    seconds: float


def panel_of(preflight: Any) -> dict[str, Any]:
    """The context of the panel: rows, the worst first; while it runs, as they come."""
    if preflight is None:
        return {"preflight": None, "checks": [], "counts": []}
    rows = [_row(check) for check in preflight.checks]
    if preflight.state != "OPEN":
        rows.sort(key=lambda row: ORDER.get(row.status, 2))
    counts = [(WORDS[status], sum(row.status == status for row in rows), status) for status in ORDER]
    job = preflight.job
    return {
        "preflight": preflight,
        "checks": rows,
        "loud": [row for row in rows if row.status not in QUIET],
        "quiet": [row for row in rows if row.status in QUIET],
        "counts": [entry for entry in counts if entry[1]],
        "facts": preflight.facts,
        "waits": job is not None and job.state == "WAITING",
    }


def mark_of(preflight: Any) -> tuple[Any, ...]:
    """What a panel depends on, for the tag of a page that polls."""
    if preflight is None:
        return ()
    return preflight.pk, preflight.state, preflight.fence, len(preflight.checks), preflight.job and preflight.job.state


def _row(check: dict[str, Any]) -> Row:
    status = str(check.get("status", "info"))
    title = str(check.get("title", check.get("rule", "")))
    # Made of escaped text and numbers alone (charts.check_plot).
    plot = mark_safe(check_plot_svg(check.get("plot"), title))  # noqa: S308
    return Row(
        rule=str(check.get("rule", "")),
        title=title,
        status=status,
        word=WORDS.get(status, status),
        says=str(check.get("says", "")),
        means=str(check.get("means", "")),
        todo=str(check.get("todo", "")),
        plot=plot,
        evidence=dict(check.get("evidence") or {}),
        seconds=float(check.get("seconds") or 0.0),
    )


def preflight_panel(workload: dict[str, Any] | None) -> dict[str, Any]:
    """The panel on the form of a new study, which polls the workload's own page; empty for what is not checked."""
    if workload is None or workload.get("kind") != "pytorch":
        return {"checked": False}
    preflight = newest_preflight(workload["name"], workload.get("digest", ""))
    return {
        "checked": True,
        **panel_of(preflight),
        "live": preflight is not None and preflight.state == "OPEN",
        "tag": tag_of("preflight", workload["name"], workload.get("digest", ""), *mark_of(preflight)),
        "poll_url": f"{reverse('workload_preflight', args=[workload['name']])}?step=1",
    }
