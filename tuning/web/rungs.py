"""The tab of a study with a scheduler that shows its rungs."""

from typing import Any

from django.http import QueryDict

from tuning.charts import RungPoint, ladder_figure
from tuning.selectors.ladder import DRAWN, PER_PAGE, drawn_standings, ladder, standings


def rungs_tab(study: Any, query: QueryDict, unit: str) -> dict[str, Any]:
    """One bracket at a time: ?bracket=, ?rung= whose trials are listed, ?first= the place of the first of them."""
    found = ladder(study)
    asked = {name: int(text) if (text := query.get(name, "")).isdecimal() else None for name in ("bracket", "rung")}
    bracket = next((one for one in found.brackets if one.number == asked["bracket"]), None)
    bracket = bracket or (found.brackets[0] if found.brackets else None)
    context: dict[str, Any] = {"study": study, "ladder": found, "bracket": bracket, "unit": unit}
    if bracket is None:
        return context
    rung = bracket.at(asked["rung"]) if asked["rung"] is not None else None
    rung = rung or bracket.steps[0]
    first = int(text) if (text := query.get("first", "")).isdecimal() else 0
    rows = standings(study, bracket.number, rung.number, first=first)
    drawn = drawn_standings(study, bracket.number)
    points = [
        RungPoint(row.number, row.step, row.value, row.state)
        for row in drawn
        if row.value is not None and row.step is not None
    ]
    return {
        **context,
        "rung": rung,
        "figure": ladder_figure(points, direction=study.direction, unit=unit),
        "thinned": sum(step.came for step in bracket.steps) > DRAWN,
        "standings": rows,
        "per_page": PER_PAGE,
        "previous_first": max(first - PER_PAGE, 0) if first else None,
        "next_first": first + PER_PAGE if first + len(rows) < rung.came else None,
    }
