"""A cut through the model along one parameter: what it expects, how sure it is, and where trying promises most."""

from collections.abc import Sequence

import numpy as np

from tuning.charts.rounding import finite, padded_range, significant, tick_format, worst_shown
from tuning.charts.sides import Coordinates, Mark, TrialPoint
from tuning.charts.theme import (
    ACTION,
    BEST,
    FAILED,
    QUIET,
    TEXT,
    Figure,
    axis,
    faint,
    label,
    layout,
    vertical_line,
)
from tuning.engine.surrogates.slices import Cut, Expectation

UPPER, LOWER = [0.3, 1.0], [0.0, 0.2]  # the domains of the two panels
ACQUISITIONS = {"ei": "expected improvement", "pi": "probability of improvement", "ucb": "confidence bound"}
FAINTEST = 0.1
REACH = 1.0  # less than a history shows: what lies near the best is what a slice is read for
KINDS = {"COMPLETE": "complete", "RUNNING": "running"}


def relative_promise(acquisition: Sequence[float], kind: str) -> list[float]:
    """An acquisition as shares of its largest value, 0 to 1: "ei" and "pi" are logarithms, "ucb" is not."""
    values = np.asarray(acquisition, dtype=np.float64)
    top = float(values.max())
    if kind in ("ei", "pi"):
        return [float(share) for share in np.exp(values - top)]
    length = top - float(values.min())
    return [float(share) for share in ((values - values.min()) / length if length > 0 else np.ones(len(values)))]


def slice_figure(
    cut: Cut,
    trials: Sequence[TrialPoint],
    *,
    direction: str,
    acquisition: str,
    held: Mark | None = None,
    next_trial: Mark | None = None,
    next_band: tuple[float, float] | None = None,
) -> Figure:
    """The expectation with its 95 % bands, the trials around it, below it the acquisition, and where the next goes.

    The strong band holds the function, the faint one a trial, noise included. held: the configuration that the cut goes
    through; next_trial: the next one, with the 95 % band of its value.
    """
    place = Coordinates(cut.x)
    expected = cut.expected
    y_range = _value_range(expected, trials, held, direction)
    data = _bars(place, expected) if place.categorical else _bands(place, expected)
    data += _trials(place, trials, y_range, direction)
    annotations, shapes = [], []
    if held is not None and held.value is not None:
        data.append(_ring(place.of(held.params[cut.x.name]), held))
    if next_trial is not None and cut.x.name in next_trial.params:
        x = place.on_axis(next_trial.params[cut.x.name])
        data.append(_next(place.of(next_trial.params[cut.x.name]), next_trial, next_band))
        # On a logarithmic axis a shape stands at its value, an annotation at its logarithm.
        shapes.append(vertical_line(place.of(next_trial.params[cut.x.name]) or 0.0, colour=TEXT))
        ends = [place.on_axis(value) for value in (cut.x.values[0], cut.x.values[-1])]
        late = x > ends[0] + 0.72 * (ends[1] - ends[0])
        annotations.append(
            label(next_trial.words, x, 1.0, yref="paper", yanchor="bottom", xanchor="right" if late else "left",
                  xshift=-4 if late else 4)
        )  # fmt: skip
    promise = relative_promise(expected.acquisition.tolist(), acquisition)
    data += _promise(place, promise)
    annotations.append(
        label(ACQUISITIONS[acquisition], 0, LOWER[1], colour=QUIET, xref="paper", yref="paper", yanchor="bottom")
    )
    drawn = layout(
        place.axis() | {"anchor": "y2"},
        axis(grid=True, range=y_range, tickformat=tick_format(*y_range), domain=UPPER),
        yaxis2=axis(range=[-0.04, 1.12], domain=LOWER, showticklabels=False, showline=False) | {"ticks": ""},
        annotations=annotations,
        shapes=shapes,
        barmode="overlay",
    )
    drawn["margin"] |= {"t": 24}
    return {"data": data, "layout": drawn}


def _value_range(expected: Expectation, trials: Sequence[TrialPoint], held: Mark | None, direction: str) -> list[float]:
    """The range that shows the line, most of its band and most trials; what lies far off is cut."""
    line = finite(expected.median.tolist())
    seen = finite([trial.value for trial in trials if trial.state not in ("FAILED", "RUNNING")])
    seen += [held.value] if held is not None and held.value is not None else []
    worst = worst_shown([*line, *seen], direction, REACH) or 0.0
    best = min([*line, *seen]) if direction == "minimize" else max([*line, *seen])
    low, high = sorted((best, worst))
    room = high - low
    low = max(min([low, *finite(expected.low.tolist())]), low - 0.3 * room)
    high = min(max([high, *finite(expected.high.tolist())]), high + 0.3 * room)
    return [significant(end) or 0.0 for end in padded_range(low, high, 0.05)]


def _bands(place: Coordinates, expected: Expectation) -> list[Figure]:
    line = {"shape": "hvh"} if place.side.stepped else {}
    data: list[Figure] = []
    for low, high, opacity, name in (
        (expected.trial_low, expected.trial_high, 0.09, "95 % band of a trial"),
        (expected.low, expected.high, 0.2, "95 % band"),
    ):
        for values, fill in ((low, {}), (high, {"fill": "tonexty", "fillcolor": faint(ACTION, opacity)})):
            data.append(
                {
                    "type": "scatter",
                    "mode": "lines",
                    "name": name,
                    "x": place.at,
                    "y": [significant(value) for value in values.tolist()],
                    "line": line | {"width": 0},
                    "hoverinfo": "skip",
                    **fill,
                }
            )
    return [*data, _middle(place, expected, {"mode": "lines", "line": line | {"color": ACTION, "width": 2}})]


def _bars(place: Coordinates, expected: Expectation) -> list[Figure]:
    """The bands of choices: bars from the lower to the upper end, the expectation a bar across."""
    data: list[Figure] = []
    for low, high, width, opacity, name in (
        (expected.trial_low, expected.trial_high, 0.64, 0.09, "95 % band of a trial"),
        (expected.low, expected.high, 0.5, 0.2, "95 % band"),
    ):
        data.append(
            {
                "type": "bar",
                "name": name,
                "x": place.at,
                "base": [significant(value) for value in low.tolist()],
                "y": [significant(value) for value in (high - low).tolist()],
                "width": width,
                "marker": {"color": faint(ACTION, opacity)},
                "hoverinfo": "skip",
            }
        )
    stroke = {"symbol": "line-ew", "size": 26, "line": {"width": 3, "color": ACTION}}
    return [*data, _middle(place, expected, {"mode": "markers", "marker": stroke})]


def _middle(place: Coordinates, expected: Expectation, style: Figure) -> Figure:
    bands = zip(expected.low.tolist(), expected.high.tolist(), strict=True)
    return {
        "type": "scatter",
        "name": "expected",
        "x": place.at,
        "y": [significant(value) for value in expected.median.tolist()],
        "customdata": [f"{low:.4g} to {high:.4g}" for low, high in bands],
        "hovertemplate": "expected %{y:.4g}<br>95 %: %{customdata}<extra></extra>",
        **style,
    }


def _trials(place: Coordinates, trials: Sequence[TrialPoint], y_range: list[float], direction: str) -> list[Figure]:
    """A trace of markers for each kind of trial; nearer ones are stronger, failed ones stand at the worse edge.

    Running ones stand where the model expects them.
    """
    edge = y_range[1] if direction == "minimize" else y_range[0]
    off = "triangle-up" if direction == "minimize" else "triangle-down"
    styles: dict[str, Figure] = {
        "complete": {"symbol": "circle", "size": 7, "color": TEXT},
        "pruned": {"symbol": "circle-open", "size": 7, "color": TEXT, "line": {"width": 1.5}},
        "running": {"symbol": "circle-open", "size": 8, "color": ACTION, "line": {"width": 2}},
        "off the axis": {"symbol": off, "size": 8, "color": TEXT},
        "failed": {"symbol": "x-thin", "size": 7, "line": {"width": 1.5, "color": FAILED}},
    }
    groups: dict[str, list[TrialPoint]] = {name: [] for name in styles}
    for trial in trials:
        outside = not y_range[0] <= trial.value <= y_range[1]
        kind = "failed" if trial.state == "FAILED" else "off the axis" if outside else ""
        groups[kind or KINDS.get(trial.state, "pruned")].append(trial)
    data: list[Figure] = []
    for name, group in groups.items():
        if group:
            at_edge = name in ("failed", "off the axis")
            data.append(
                {
                    "type": "scatter",
                    "mode": "markers",
                    "name": name,
                    "x": [_jittered(place, trial) for trial in group],
                    "y": [significant(edge if at_edge else trial.value) for trial in group],
                    "customdata": [
                        f"trial {trial.number}<br>{trial.value:.4g}{' expected' if name == 'running' else ''}, {name}"
                        for trial in group
                    ],
                    "marker": styles[name] | {"opacity": [strength(trial.nearness) for trial in group]},
                    "cliponaxis": False,
                    "hovertemplate": "%{customdata}<extra></extra>",
                }
            )
    return data


def strength(nearness: float) -> float:
    """The opacity of a trial at this nearness to a cut."""
    return round(FAINTEST + (0.85 - FAINTEST) * nearness, 2)


def _jittered(place: Coordinates, trial: TrialPoint) -> float | None:
    """A trial's place; those of one choice are moved apart by their number, the same on every page."""
    x = place.of(trial.params[place.side.name])
    if x is None or not place.categorical:
        return x
    return round(x + 0.36 * ((trial.number * 0.618034) % 1.0 - 0.5), 3)


def _ring(x: float | None, mark: Mark) -> Figure:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": mark.words,
        "x": [x],
        "y": [significant(mark.value)],
        "marker": {"symbol": "circle-open", "size": 13, "color": BEST, "line": {"width": 2}},
        "hovertemplate": f"{mark.words}<br>%{{y:.4g}}<extra></extra>",
    }


def _next(x: float | None, mark: Mark, band: tuple[float, float] | None) -> Figure:
    value = significant(mark.value)
    drawn: Figure = {
        "type": "scatter",
        "mode": "markers",
        "name": "next",
        "x": [x],
        "y": [value],
        "marker": {"symbol": "diamond", "size": 11, "color": TEXT},
        "hovertemplate": f"{mark.words}<br>expected %{{y:.4g}}<extra></extra>",
    }
    if band is not None and value is not None:
        drawn["error_y"] = {
            "type": "data",
            "symmetric": False,
            "array": [significant(band[1] - value)],
            "arrayminus": [significant(value - band[0])],
            "color": TEXT,
            "thickness": 1.5,
            "width": 5,
        }
    return drawn


def _promise(place: Coordinates, promise: Sequence[float]) -> list[Figure]:
    shares = [significant(share) for share in promise]
    shared: Figure = {"name": "promise", "x": place.at, "y": shares, "yaxis": "y2", "xaxis": "x"}
    hover = {"hovertemplate": "%{y:.0%} of the highest here<extra></extra>"}
    top = max(range(len(promise)), key=promise.__getitem__)
    if place.categorical:
        return [{"type": "bar", "width": 0.5, "marker": {"color": faint(QUIET, 0.45)}, **shared, **hover}]
    shape = {"shape": "hvh"} if place.side.stepped else {}
    area = {"fill": "tozeroy", "fillcolor": faint(QUIET, 0.22), "line": shape | {"color": QUIET, "width": 1.5}}
    peak = {"symbol": "triangle-down", "size": 8, "color": QUIET}
    return [
        {"type": "scatter", "mode": "lines", **shared, **area, **hover},
        {
            "type": "scatter",
            "mode": "markers",
            **shared,
            "name": "highest",
            "x": [place.at[top]],
            "y": [1.08],
            "marker": peak,
            "hoverinfo": "skip",
        },
    ]
