"""The tab Final test: before the look what would be sealed, after it the result and its record."""

from typing import Any

from django.http import QueryDict

from tuning.charts import final_figure
from tuning.selectors.reveals import (
    SEEDS,
    Retrain,
    candidates,
    findings_of,
    reveals_of,
    scores_of,
    seconds_per_seed,
    standing_before_test,
)
from tuning.selectors.seal import seal_of
from tuning.selectors.sealed import sealed_counts


def final_tab(study: Any, query: QueryDict) -> dict[str, Any]:
    """How the study stands before its test set, and every look that it has taken, the newest first."""
    standing = standing_before_test(study)
    best = next(iter(candidates(study)), None)
    return {
        "study": study,
        "standing": standing,
        "seal_state": seal_of(study),
        "best": best,
        "seeds": SEEDS,
        "seconds": seconds_per_seed(best, Retrain.TRAIN) if best is not None and standing.trains else None,
        "sealed": sealed_counts(best) if best is not None and not standing.trains else {},
        "progress": _progress(standing.seal) if standing.state == "runs" else None,
        "looks": [_look(reveal, place) for place, reveal in enumerate(reveals_of(study))],
    }


def final_mark(study: Any) -> tuple[Any, ...]:
    """What the tab depends on beside the study, for the tag of a page that polls."""
    standing = standing_before_test(study)
    seal = standing.seal
    job = seal.job if seal is not None else None
    return standing.state, standing.looks, standing.hindrance, seal and seal.pk, job and (job.state, job.result)


def _progress(seal: Any) -> dict[str, int] | None:
    """The seed that is trained (from 1) and its finished epochs; None before the first."""
    told = seal.job.result if seal.job is not None else None
    return {"seed": told["number"] + 1, "step": told["step"]} if told and told.get("step") else None


def _look(reveal: Any, place: int) -> dict[str, Any]:
    scores = scores_of(reveal)
    first = scores[0]
    figure = final_figure(
        chosen=first.chosen, validation=first.validation, test=first.test, low=first.low, high=first.high
    )
    rows = [
        {
            "seed": row["seed"],
            "step": row["step"],
            "diverged": row.get("diverged", False),
            "values": [row["test"].get(score.name) for score in scores],
        }
        for row in reveal.result["seeds"]
    ]
    return {
        "id": f"final-{place + 1}",
        "data_id": f"final-{place + 1}-data",
        "reveal": reveal,
        "seal": reveal.seal,
        "first": first,
        "scores": scores,
        "findings": findings_of(reveal, scores),
        "figure": figure,
        "rows": rows,
        "sizes": reveal.result.get("sizes") or {},
    }
