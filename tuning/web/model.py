"""The tab Model of a study: a cut through its surrogate, where the next trial goes, and how far to believe it."""

import math
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict

from tuning.charts import (
    ACQUISITIONS,
    LANES,
    CutMark,
    IntentPoint,
    PredictedPoint,
    TrialPoint,
    common_range,
    intent_figure,
    plane_figure,
    relative_promise,
    slice_figure,
    slice_svg,
    validation_figure,
)
from tuning.selectors.budget import expected_trials
from tuning.selectors.intents import study_intents
from tuning.services.cuts import StudyCut
from tuning.services.surrogates import StudyModel, study_model
from tuning.web.polling import once, tag_of

SECOND = ("deviation", "promise")
MOST_CELLS = 9  # rows and columns of a map's table
ENDED = ("STOPPED", "FINISHED")


def model_tab(study: Any, query: QueryDict) -> dict[str, Any]:
    """?x= and ?y= (parameters), ?at= (what the others are held at: a trial's number, best or next), ?map=.

    Made once for each history version, not for each version: while trials run nothing here moves.
    """
    choice = {name: query.get(name, "") for name in ("x", "y", "at", "map")}
    version = ("model", study.pk, study.history_version, study.state, expected_trials(study), study.parallel)
    context = {"study": study, **once(tag_of(*version), lambda: _standing(study))}
    if not context["problem"]:
        context |= once(tag_of(*version, *choice.values()), lambda: _chosen(study, **choice))
    return context


def _standing(study: Any) -> dict[str, Any]:
    """What does not depend on the cut: the next trial, the intents, how good the model is."""
    model = study_model(study)
    intents = study_intents(study)
    points = [IntentPoint(mark.number, mark.intent, mark.state, mark.improved) for mark in intents.marks]
    return {
        "problem": model.problem,
        "ended": study.state in ENDED,
        "next": model.next,
        "next_rows": list(model.next.params.items()) if model.next is not None else [],
        "asks_model": model.sampler == "gp",
        "sampler_title": model.sampler_title,
        "n_model": model.n_model,
        "n_finished": model.n_finished,
        "known": [influence.name for influence in model.influences],
        "promise_words": ACQUISITIONS[model.acquisition],
        "intents": intent_figure(points, intents.counts, budget=expected_trials(study)),
        "intent_rows": [
            (words, intents.counts[intent], intents.improved.get(intent, 0))
            for intent, words in LANES.items()
            if intents.counts.get(intent)
        ],
        **_believed(study, model),
    }


def _chosen(study: Any, x: str, y: str, at: str, map: str) -> dict[str, Any]:
    model = study_model(study)
    kept = "" if at == "best" else at  # the best may become another one; a link to it follows
    return _drawn(study, model, model.cut(x, y, at), kept, map if map in SECOND else "deviation")


def _drawn(study: Any, model: StudyModel, made: StudyCut, at: str, second: str) -> dict[str, Any]:
    """The cut as figures and tables, and what stands around them."""
    cut, names = made.cut, made.names
    held_words = f"next: trial {made.held}" if made.is_next else f"trial {made.held}"
    names_in = all(name in made.held_params for name in names)
    own = [seen.value for seen in made.trials if seen.number == made.held and not made.is_next]
    held = CutMark(made.held_params, own[0], held_words) if own and names_in else None
    upcoming, band = None, None
    if model.next is not None and model.next.expected is not None:
        expected = model.next.expected
        upcoming = CutMark(model.next.params, float(expected.median[0]), f"next: trial {model.next.number}")
        band = float(expected.trial_low[0]), float(expected.trial_high[0])
    trials = [
        TrialPoint(seen.number, seen.params, seen.value, seen.state, seen.nearness)
        for seen in (*made.trials, *made.running)
    ]
    options: dict[str, Any] = {"direction": study.direction, "acquisition": model.acquisition}
    context: dict[str, Any] = {
        "made": made,
        "names": names,
        "parameters": _every_parameter(study, model, made, at),
        "at": at,
        "second": second,
        "others": [(name, value) for name, value in made.held_params.items() if name not in names],
        "links": {
            "best": _link(names, "", second),
            "next": _link(names, "next", second),
            "instead": _link(names, str(made.instead), second) if made.instead is not None else "",
            "deviation": _link(names, at, "deviation"),
            "promise": _link(names, at, "promise"),
        },
    }
    if made.missing:
        return context
    if cut.y is None:
        figure = slice_figure(cut, trials, held=held, next_trial=upcoming, next_band=band, **options)
        return context | {"slice": figure, "slice_rows": _slice_rows(made, model), "peak": _peak(made, model)}
    marks: dict[str, Any] = {"held": held, "next_trial": upcoming}
    return context | {
        "plane": plane_figure(cut, trials, shown="expected", **marks, **options),
        "second_plane": plane_figure(cut, trials, shown=second, **marks, **options),
        "plane_table": _plane_table(made, made.cut.expected.median.tolist()),
        "second_table": _plane_table(made, _second(made, second, model.acquisition)),
    }


def _second(made: StudyCut, second: str, acquisition: str) -> list[float]:
    expected = made.cut.expected
    if second == "promise":
        return relative_promise(expected.acquisition.tolist(), acquisition)
    deviations: list[float] = expected.sd.tolist()
    return deviations


def _link(names: Sequence[str], at: str, second: str) -> str:
    """The address of another cut on this page."""
    chosen = dict(zip(("x", "y"), names, strict=False))
    if at:
        chosen["at"] = at
    if second != "deviation" and len(names) == 2:
        chosen["map"] = second
    return "?" + urlencode(chosen)


def _every_parameter(study: Any, model: StudyModel, made: StudyCut, at: str) -> list[dict[str, Any]]:
    """A small slice for each parameter on one scale, the strongest first, with the link to the large one."""
    slices = model.slices(at)
    low, high = common_range([cut for _, cut in slices if cut is not None], study.direction)
    upcoming = model.next.params if model.next is not None else {}
    return [
        {
            "name": influence.name,
            "effect": influence.effect,
            "chosen": influence.name in made.names,
            "link": _link([influence.name], at, ""),
            "drawing": slice_svg(
                cut,
                low,
                high,
                held=made.held_params,
                upcoming=upcoming,
            )
            if cut is not None
            else "",
        }
        for influence, cut in slices
    ]


def _slice_rows(made: StudyCut, model: StudyModel) -> list[tuple[Any, ...]]:
    expected = made.cut.expected
    promise = relative_promise(expected.acquisition.tolist(), model.acquisition)
    columns = (expected.median, expected.low, expected.high, expected.trial_low, expected.trial_high)
    numbers = zip(*(column.tolist() for column in columns), promise, strict=True)
    return [(value, *row) for value, row in zip(made.cut.x.values, numbers, strict=True)]


def _peak(made: StudyCut, model: StudyModel) -> dict[str, Any]:
    """Where the acquisition is highest in the slice, and how many times as much the next trial promises."""
    acquisition = made.cut.expected.acquisition
    place = int(acquisition.argmax())
    times = None
    if model.next is not None and model.next.expected is not None and model.acquisition != "ucb":
        times = math.exp(min(float(model.next.expected.acquisition[0] - acquisition[place]), 20.0))
    return {"value": made.cut.x.values[place], "times": times if times is not None and times >= 1.5 else None}


def _plane_table(made: StudyCut, values: Sequence[float]) -> dict[str, Any]:
    """The values of a map as a table of at most MOST_CELLS rows and columns, evenly chosen."""
    cut = made.cut
    if cut.y is None:
        raise ValueError("a table of a plane needs two parameters")
    wide = len(cut.x.values)
    columns, rows = _spread(wide), _spread(len(cut.y.values))
    present = cut.present.tolist()
    return {
        "columns": [cut.x.values[i] for i in columns],
        "rows": [
            (cut.y.values[j], [values[j * wide + i] if present[j * wide + i] else None for i in columns])
            for j in reversed(rows)
        ],
        "thinned": len(columns) < wide or len(rows) < len(cut.y.values),
    }


def _spread(count: int) -> list[int]:
    if count <= MOST_CELLS:
        return list(range(count))
    return [round(place * (count - 1) / (MOST_CELLS - 1)) for place in range(MOST_CELLS)]


def _believed(study: Any, model: StudyModel) -> dict[str, Any]:
    """How well the model predicts trials that it does not know."""
    found = model.validation
    if found is None:
        return {}
    rows = list(
        zip(
            found.numbers.tolist(),
            found.predicted.tolist(),
            found.low.tolist(),
            found.high.tolist(),
            found.observed.tolist(),
            found.inside.tolist(),
            strict=True,
        )
    )
    points = [PredictedPoint(number, predicted, seen, inside) for number, predicted, _, _, seen, inside in rows]
    return {
        "validation": found,
        "coverage_percent": round(100 * (found.coverage or 0.0)),
        "validation_figure": validation_figure(points, direction=study.direction),
        "validation_rows": rows,
    }
