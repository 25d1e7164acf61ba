"""The tab Importance of a study: which parameters mattered, by which question, and how far that is to be believed."""

from typing import Any

from django.http import QueryDict

from tuning.charts import marginal_range, marginal_svg, share_svg
from tuning.services.importance import StudyImportance, importance_soon

TITLES = {"ped_anova": "PED-ANOVA", "permutation": "Permutation", "correlation": "Rank correlation"}
UNITS = {
    "ped_anova": "shares of the divergence, 100 % in all",
    "permutation": "shares of the variance, interactions counted for each that takes part",
    "correlation": "0 to 1, over all trials that have the parameter",
}
MOST_PAIRS, LEAST_PAIR = 5, 0.01
SIGNED = 0.05  # a correlation below this has no direction worth a word
WEAK = 0.4  # out-of-bag R² below which the shares are shown with a warning


def importance_ready(study: Any) -> bool:
    """Whether the page can show the complete trials as they are; asking begins the computation."""
    return importance_soon(study) is not None


def importance_tab(study: Any, query: QueryDict) -> dict[str, Any]:
    """Bars by method, pairs, remainder, small marginal curves; while they are computed, only that they are."""
    found = importance_soon(study)
    if found is None:
        return {"study": study, "computing": True}
    context: dict[str, Any] = {"study": study, "found": found, "problem": found.problem}
    if found.problem:
        return context
    fanova = found.methods["fanova"]
    pairs = _pairs(fanova)
    others = sum(fanova.pairs.values()) - sum(pair["share"] for pair in pairs)
    return context | {
        "fanova": fanova,
        "weak": not fanova.reason and fanova.r2 is not None and fanova.r2 < WEAK,
        "rows": _rows(fanova, 1.0),
        "pairs": pairs,
        "other_pairs": others if others >= LEAST_PAIR else None,
        "other_pairs_bar": share_svg(others),
        "remainder": fanova.remainder,
        "remainder_bar": share_svg(fanova.remainder or 0.0),
        "curves": _curves(fanova),
        "others": [_other(found, method) for method in TITLES],
    }


def _rows(result: Any, most: float) -> list[dict[str, Any]]:
    """The parameters of a method, the most important first."""
    return [
        {
            "name": name,
            "share": max(share, 0.0),  # shuffling what does not matter may help by chance
            "spread": result.std.get(name),
            "bar": share_svg(share, result.std.get(name), most),
            "active": result.active.get(name),
            "within": result.within.get(name),
            "sign": {1: "rises", -1: "falls"}.get(result.signs.get(name, 0), "") if share >= SIGNED else "",
        }
        for name, share in sorted(result.main.items(), key=lambda item: -item[1])
    ]


def _pairs(result: Any) -> list[dict[str, Any]]:
    strongest = [(names, share) for names, share in result.pairs.items() if share >= LEAST_PAIR]
    return [{"names": names, "share": share, "bar": share_svg(share)} for names, share in strongest[:MOST_PAIRS]]


def _other(found: StudyImportance, method: str) -> dict[str, Any]:
    result = found.methods[method]
    most = max([1.0, *result.main.values()])
    return {
        "id": method,
        "title": TITLES[method],
        "unit": UNITS[method],
        "result": result,
        "rows": _rows(result, most),
        "percent": method != "correlation",
    }


def _curves(fanova: Any) -> list[dict[str, Any]]:
    """The mean value along each parameter, the most important first, on one scale."""
    if not fanova.curves:
        return []
    within = marginal_range([(curve.mean, curve.std) for curve in fanova.curves])
    ranked = sorted(fanova.curves, key=lambda curve: -fanova.main.get(curve.name, 0.0))
    return [
        {
            "name": curve.name,
            "share": fanova.main.get(curve.name, 0.0),
            "drawing": marginal_svg(
                curve.name, curve.values, curve.mean, curve.std, within, numeric=curve.numeric, places=curve.places
            ),
            "rows": list(zip(curve.values, curve.mean, curve.std, strict=True)),
        }
        for curve in ranked
    ]
