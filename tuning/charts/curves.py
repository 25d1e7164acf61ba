"""Learning curves: training and validation together, by epoch."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import chain, zip_longest
from typing import Any

from tuning.charts.rounding import (
    CURVE_REACH,
    finite,
    padded_range,
    quantile,
    significant,
    tick_format,
    worst_shown,
)
from tuning.charts.theme import (
    BAND,
    BEST,
    QUIET,
    TEXT,
    TRAIN,
    VALIDATION,
    Figure,
    axis,
    blank,
    faint,
    label,
    layout,
    spread_labels,
    vertical_line,
)
from tuning.charts.thinning import thinned

PLOT_HEIGHT = 212
LABEL_HEIGHT = 15
LABEL_WIDTH = 0.25  # of the x axis, where it is at its narrowest
MAX_LINES = 200


@dataclass(frozen=True)
class Series:
    """One metric of one trial: values (NaN and None are gaps) at rising steps; the two have one length."""

    steps: Sequence[int]
    values: Sequence[float | None]

    def __post_init__(self) -> None:
        if len(self.steps) != len(self.values):
            raise ValueError(f"steps and values must have one length, not {len(self.steps)} and {len(self.values)}")


@dataclass(frozen=True)
class TrialCurves:
    """The curves of one trial; either may be missing (a script may report one metric only)."""

    number: int
    train: Series | None = None
    validation: Series | None = None


@dataclass(frozen=True)
class Band:
    """The middle of many curves: at each step the values between which they lie."""

    steps: Sequence[int]
    low: Sequence[float]
    high: Sequence[float]


@dataclass(frozen=True)
class Mark:
    """A remark about a step, drawn as a dashed line with its text."""

    step: int
    text: str


def middle_band(curves: Sequence[Series], share: float = 0.8) -> Band:
    """The middle `share` (0 to 1) of the finite values, at each step that at least 3 curves reach."""
    by_step: dict[int, list[float]] = {}
    for curve in curves:
        for step, value in zip(curve.steps, curve.values, strict=True):
            if value is not None and math.isfinite(value):
                by_step.setdefault(step, []).append(value)
    steps = [step for step in sorted(by_step) if len(by_step[step]) >= 3]
    ordered = [sorted(by_step[step]) for step in steps]
    outside = (1 - share) / 2
    return Band(steps, [quantile(v, outside) for v in ordered], [quantile(v, 1 - outside) for v in ordered])


def learning_curves_figure(
    best: Sequence[TrialCurves],
    *,
    direction: str = "minimize",
    resource_unit: str = "epochs",
    band: Band | None = None,
    max_step: int | None = None,
    marks: Sequence[Mark] = (),
    named: int = 3,
) -> Figure:
    """The few `best` trials (best first; at most 200 are drawn) over the band of all, each named at its end.

    Training is dashed, validation solid. max_step: the x axis reaches at least this far. named: how many get
    their number written beside them.
    """
    drawn = list(best)[:MAX_LINES]
    data = _band_traces(band) if band is not None and band.steps else []
    for rank in range(len(drawn) - 1, -1, -1):
        data += _trial_lines(drawn[rank], strong=rank == 0, strength=1.0 if rank == 0 else 0.75)
    if not data:
        return blank("no trial has reported a curve yet")
    values = finite(chain.from_iterable(series.values for curves in drawn for series in _series(curves)))
    reach = finite(chain(band.low, band.high)) if band is not None else []
    y_range = _range(values, reach, direction)
    last = max([max_step or 1, *(s.steps[-1] for c in drawn for s in _series(c) if len(s.steps))], default=1)
    labelled = [curves for curves in drawn[:named] if _end(curves) is not None]
    figure_layout = _curve_layout(last, y_range, resource_unit, right=_label_margin(labelled))
    figure_layout["annotations"] = [
        *_end_labels(labelled, y_range, last),
        *(_mark_label(mark) for mark in marks),
    ]
    figure_layout["shapes"] = [vertical_line(mark.step) for mark in marks]
    return {"data": data, "layout": figure_layout}


def trial_curves_figure(
    curves: TrialCurves,
    *,
    direction: str = "minimize",
    resource_unit: str = "epochs",
    best_step: int | None = None,
    max_step: int | None = None,
    marks: Sequence[Mark] = (),
    name: str = "validation",
) -> Figure:
    """One trial's training and validation curve, the best step ringed and named, each mark a dashed line.

    name: what the scored curve is called, where a script's or an objective's metric belongs to no split.
    """
    data = _trial_lines(curves, strong=True, strength=1.0)
    if not data:
        return blank("this trial has reported no curve yet")
    values = finite(chain.from_iterable(series.values for series in _series(curves)))
    y_range = _range(values, [], direction)
    last = max([max_step or 1, *(s.steps[-1] for s in _series(curves) if len(s.steps))])
    figure_layout = _curve_layout(last, y_range, resource_unit, right=80)
    annotations = [_mark_label(mark) for mark in marks]
    ends = [(text, colour, _last_value(series)) for text, colour, series in _named(curves) if finite(series.values)]
    heights = _spread([end for _, _, end in ends], y_range, last)
    for (text, colour, end), height in zip(ends, heights, strict=True):
        text = escape(name) if text == "validation" else text
        annotations.append(label(text, end[0], significant(height) or 0.0, colour=colour, xshift=6))
    scored = curves.validation or curves.train
    if best_step is not None and scored is not None and best_step in scored.steps:
        value = significant(scored.values[list(scored.steps).index(best_step)])
        if value is not None:
            data.append(_ring(best_step, value))
            # On the side where the curves come from, there is room. Near the right end of the axis, only to the
            # left; where a running trial's curve ends before, its own label is there, and the room is beyond.
            above, late = direction == "minimize", best_step > 0.8 * last
            at_end = best_step > 0.8 * scored.steps[-1] and scored.steps[-1] <= 0.6 * last
            place = {"xanchor": "right" if late else "left" if at_end else "center", "yshift": 18 if above else -18}
            text = f"best {value:.4g} at {best_step}"
            annotations.append(label(text, best_step, value, colour=BEST, **place))
    figure_layout["annotations"] = annotations
    figure_layout["shapes"] = [vertical_line(mark.step) for mark in marks]
    return {"data": data, "layout": figure_layout}


def curve_table(curves: Mapping[str, Series]) -> list[list[float | int | None]]:
    """The same numbers as a table: a row per step of any curve, the step first, then a value per curve."""
    columns = [dict(zip(series.steps, series.values, strict=True)) for series in curves.values()]
    steps = sorted(set(chain.from_iterable(columns)))
    return [[step, *(significant(column.get(step)) for column in columns)] for step in steps]


def _series(curves: TrialCurves) -> list[Series]:
    return [series for series in (curves.train, curves.validation) if series is not None]


def _named(curves: TrialCurves) -> list[tuple[str, str, Series]]:
    named = (("training", TRAIN, curves.train), ("validation", VALIDATION, curves.validation))
    return [(name, colour, series) for name, colour, series in named if series is not None]


def _range(values: list[float], reach: list[float], direction: str) -> list[float]:
    """The y range that shows the curves; the band may widen it, but to no more than twice its length."""
    if not values and not reach:
        return [0.0, 1.0]
    shown = values or reach
    worst = worst_shown(shown, direction, CURVE_REACH)
    best = min(shown) if direction == "minimize" else max(shown)
    low, high = sorted((best, best if worst is None else worst))
    length = high - low
    low = max(min([low, *reach]), low - length)
    high = min(max([high, *reach]), high + length)
    ends = padded_range(low, high, 0.04)
    if low >= 0:
        ends[0] = max(ends[0], 0.0)  # nothing lies below: the axis of a loss begins at 0
    return [significant(end) or 0.0 for end in ends]


def _curve_layout(last: int, y_range: list[float], unit: str, right: int) -> Figure:
    ticks: dict[str, Any] = {"dtick": 1, "tick0": 0} if last <= 10 else {"nticks": 12}
    return layout(
        axis(title=unit, range=[0 if last > 1 else 0.5, last if last > 1 else 1.5], tickformat="d", **ticks),
        axis(grid=True, range=y_range, tickformat=tick_format(*y_range)),
        right=right,
    )


def _trial_lines(curves: TrialCurves, *, strong: bool, strength: float) -> list[Figure]:
    traces = []
    for name, colour, series in _named(curves):
        pairs = list(zip(series.steps, (significant(value) for value in series.values), strict=True))
        heights = [value if value is not None else 0.0 for _, value in pairs]
        pairs = thinned(pairs, heights, 400)
        line = {
            "color": colour if strength >= 1 else faint(colour, strength),
            "width": 2.25 if strong else 1.5,
        }
        if name == "training":
            line |= {"dash": "5px,3px", "width": 1.75 if strong else 1.25}
        alone = len(pairs) == 1
        traces.append(
            {
                "type": "scatter",
                "mode": "markers" if alone else "lines",
                "name": f"trial {curves.number}, {name}",
                "x": [step for step, _ in pairs],
                "y": [value for _, value in pairs],
                "line": line,
                **({"marker": {"size": 7, "color": colour}} if alone else {}),
                "hovertemplate": f"trial {curves.number}, {name}<br>%{{y:.4g}} at %{{x}}<extra></extra>",
            }
        )
    return [trace for trace in traces if any(value is not None for value in trace["y"])]


def _band_traces(band: Band) -> list[Figure]:
    edges = [[significant(value) for value in edge] for edge in (band.low, band.high)]
    shared = {
        "type": "scatter",
        "mode": "lines",
        "x": list(band.steps),
        "line": {"width": 0},
        "hoverinfo": "skip",
    }
    return [
        {**shared, "name": "middle, lower edge", "y": edges[0]},
        {**shared, "name": "middle", "y": edges[1], "fill": "tonexty", "fillcolor": BAND},
    ]


def _last_value(series: Series) -> tuple[int, float]:
    pairs = zip(reversed(series.steps), reversed(series.values), strict=True)
    return next((step, value) for step, value in pairs if value is not None and math.isfinite(value))


def _end(curves: TrialCurves) -> tuple[int, float] | None:
    for series in (curves.validation, curves.train):
        if series is not None and finite(series.values):
            return _last_value(series)
    return None


def _label_room(y_range: list[float]) -> tuple[float, float, float]:
    """The least distance between labels, and the lowest and highest place for one, in the axis' unit."""
    line = LABEL_HEIGHT / PLOT_HEIGHT * (y_range[1] - y_range[0])
    return line, y_range[0] + line / 3, y_range[1] - line / 3


def _end_labels(labelled: list[TrialCurves], y_range: list[float], last: int) -> list[Figure]:
    ends = [end for end in (_end(curves) for curves in labelled) if end is not None]
    heights = _spread(ends, y_range, last)
    return [
        label(
            f"trial {curves.number}",
            step,
            significant(height) or 0.0,
            colour=TEXT if rank == 0 else QUIET,
            xshift=6,
        )
        for rank, (curves, (step, _), height) in enumerate(zip(labelled, ends, heights, strict=True))
    ]


def _label_margin(labelled: list[TrialCurves]) -> int:
    """Pixels at the right: room for the longest "trial N"."""
    return max((22 + 7 * len(f"trial {curves.number}") for curves in labelled), default=16)


def _spread(ends: list[tuple[int, float]], y_range: list[float], last: int) -> list[float]:
    """The heights of labels beside `ends`: only those that stand side by side make room for each other."""
    placed = [0.0] * len(ends)
    order = sorted(range(len(ends)), key=lambda index: ends[index][0])
    beside: list[int] = []
    for index, following in zip_longest(order, order[1:]):
        beside.append(index)
        if following is None or ends[following][0] - ends[index][0] > LABEL_WIDTH * last:
            for member, height in zip(
                beside, spread_labels([ends[member][1] for member in beside], *_label_room(y_range)), strict=True
            ):
                placed[member] = height
            beside = []
    return placed


def _mark_label(mark: Mark) -> Figure:
    return label(mark.text, mark.step, 1, yref="paper", yanchor="top", xshift=4, colour=TEXT)


def _ring(step: int, value: float) -> Figure:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "best step",
        "x": [step],
        "y": [value],
        "cliponaxis": False,
        "marker": {"symbol": "circle-open", "size": 11, "color": BEST, "line": {"width": 2}},
        "hoverinfo": "skip",
    }
