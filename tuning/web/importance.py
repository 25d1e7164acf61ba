"""The tab Importance of a study: which parameters mattered, by which question, and how far that is to be believed."""

from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict

from tuning.charts import MapSide, marginal_range, marginal_svg, pair_map_figure, share_svg
from tuning.services.importance import TARGET_TITLES, StudyImportance, importance_soon

TITLES = {"ped_anova": "PED-ANOVA", "permutation": "Permutation", "correlation": "Rank correlation"}
UNITS = {
    "ped_anova": "shares of the divergence, 100 % in all",
    "permutation": "shares of the variance, interactions counted for each that takes part",
    "correlation": "0 to 1, over all trials that have the parameter",
}
AXES = {"seconds": "seconds", "stability": "unsteadiness, 0 the steadiest"}
MOST_PAIRS, LEAST_PAIR = 5, 0.01
MOST_CELLS = 9  # rows and columns of a map's table
SIGNED = 0.05  # a correlation below this has no direction worth a word
WEAK, POOR = 0.4, 0.1  # out-of-bag R² below which the shares are shown with a warning, and with a stronger one


def chosen_target(query: QueryDict) -> str:
    """The target that ?target= names, else the score."""
    return query.get("target", "score") if query.get("target") in TARGET_TITLES else "score"


def importance_ready(study: Any, query: QueryDict) -> bool:
    """Whether the page can show something that the workers have found."""
    return importance_soon(study, chosen_target(query)) is not None


def importance_tab(study: Any, query: QueryDict) -> dict[str, Any]:
    """?target= (what is to be explained), ?pair= (which map is drawn): bars by method, pairs, remainder, the mean along
    each parameter and over pairs; while they are computed, only that they are."""
    target = chosen_target(query)
    context: dict[str, Any] = {
        "study": study,
        "targets": [(_link(name), title, name == target) for name, title in TARGET_TITLES.items()],
    }
    found = importance_soon(study, target)
    if found is None:
        return context | {"computing": True}
    context |= {"found": found, "problem": found.problem}
    if found.problem:
        return context
    fanova = found.methods["fanova"]
    pairs = _pairs(fanova)
    others = sum(fanova.pairs.values()) - sum(pair["share"] for pair in pairs)
    value = study.metric if target == "score" else AXES[target]
    direction = study.direction if target == "score" else "minimize"
    return context | {
        "value": value,
        "fanova": fanova,
        "weak": _weakness(fanova),
        "chosen": f", {found.n_adaptive:,} of them chosen by a sampler that learns"
        if found.adaptive
        else ", none chosen by a sampler that learns",
        "rows": _rows(fanova, 1.0),
        "pairs": pairs,
        "other_pairs": others if others >= LEAST_PAIR else None,
        "other_pairs_bar": share_svg(others),
        "remainder": fanova.remainder,
        "remainder_bar": share_svg(fanova.remainder or 0.0),
        "curves": _curves(fanova),
        "maps": _maps(fanova, target, query.get("pair", ""), value, direction),
        "others": [_other(found, method) for method in TITLES],
    }


def _weakness(fanova: Any) -> str:
    """What to say of a forest that explains little; empty where it explains enough, or where no shares are shown."""
    if fanova.reason or fanova.r2 is None or fanova.r2 >= WEAK:
        return ""
    part = "hardly predicts trials that it has not seen" if fanova.r2 < POOR else ""
    return part or "predicts trials that it has not seen only in part"


def _link(target: str, pair: str = "") -> str:
    """The address of this page for another target or pair; "?" is the page as it opens."""
    return "?" + urlencode({**({"target": target} if target != "score" else {}), **({"pair": pair} if pair else {})})


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
            "active": fanova.active.get(curve.name),
            "drawing": marginal_svg(
                curve.name,
                curve.values,
                curve.mean,
                curve.std,
                within,
                numeric=curve.numeric,
                places=curve.places,
                log=curve.log,
            ),
            "rows": list(zip(curve.values, curve.mean, curve.std, strict=True)),
        }
        for curve in ranked
    ]


def _maps(fanova: Any, target: str, chosen: str, value: str, direction: str) -> dict[str, Any] | None:
    """The map of the chosen pair, or of the strongest, its table, and the links to the others."""
    if not fanova.maps:
        return None
    worth = [each for each in fanova.maps if fanova.pairs[each.names] >= LEAST_PAIR] or fanova.maps[:1]
    named = {" × ".join(each.names): each for each in worth}
    name = chosen if chosen in named else next(iter(named))
    drawn = named[name]
    kinds = {curve.name: curve for curve in fanova.curves}
    x, y = (
        MapSide(side, values, kinds[side].numeric, kinds[side].log)
        for side, values in zip(drawn.names, (drawn.x, drawn.y), strict=True)
    )
    columns, rows = _spread(len(drawn.x)), _spread(len(drawn.y))
    return {
        "names": drawn.names,
        "figure": pair_map_figure(x, y, drawn.mean, value=value, direction=direction),
        "links": [
            (_link(target, other), other, fanova.pairs[each.names], other == name) for other, each in named.items()
        ],
        "columns": [drawn.x[i] for i in columns],
        "rows": [(drawn.y[j], [drawn.mean[i][j] for i in columns]) for j in reversed(rows)],
        "thinned": len(columns) < len(drawn.x) or len(rows) < len(drawn.y),
    }


def _spread(count: int) -> list[int]:
    if count <= MOST_CELLS:
        return list(range(count))
    return [round(place * (count - 1) / (MOST_CELLS - 1)) for place in range(MOST_CELLS)]
