"""Regularisation against size on the tab Diagnosis: panels, and the studies that measure it."""

from collections.abc import Iterable
from typing import Any

from tuning.charts import StrengthPoint, strength_figure

WORDS = {"parameters": "parameters of the model", "examples": "training examples"}


def strength_panels(study: Any, findings: Iterable[Any]) -> dict[str, Any]:
    """Those that have something to show, and those of which there is only why nothing is claimed."""
    panels = [strength_panel(study, finding) for finding in findings]
    return {
        "strengths": [panel for panel in panels if panel["figures"]],
        "untold": [panel for panel in panels if not panel["figures"]],
    }


def strength_panel(study: Any, finding: Any) -> dict[str, Any]:
    """Title, sentence, a figure for each axis, the table's rows, and which sizes a study could still vary."""
    found = finding.found
    return {
        "finding": finding,
        "title": finding.title or f"No claim about {finding.parameter} and size",
        "figures": [_figure(finding, place) for place in range(len(found.axes))] if len(found.sizes) > 1 else [],
        "axes": [WORDS[axis] for axis in found.axes],
        "rows": [{"size": size, "sizes": [size.sizes[axis] for axis in found.axes]} for size in found.sizes],
        "measures": [
            axis
            for axis in WORDS
            if study.workload and study.best_trial_id and not any(one.axis == axis for one in finding.claims)
        ],
    }


def _figure(finding: Any, place: int) -> dict[str, Any]:
    """Along one axis; where another varies too, the line is that of its middle."""
    found, axis = finding.found, finding.found.axes[place]
    points = [
        StrengthPoint(size.sizes[axis], size.best, size.low, size.high, size.edge, size.told, size.trials)
        for size in found.sizes
    ]
    name = f"strength-{finding.parameter}-{axis}".replace(".", "-")
    drawn = strength_figure(
        points,
        parameter=finding.parameter,
        across=WORDS[axis],
        log=found.scale == "log",
        line=found.line(axis),
    )
    label = f"The best {finding.parameter} against the {WORDS[axis]}"
    return {"id": name, "data_id": f"{name}-data", "figure": drawn, "label": label}
