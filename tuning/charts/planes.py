"""A cut through the model along two parameters, as a map: of what it expects, how unsure it is, or what it promises."""

import math
from collections.abc import Sequence
from html import escape

from tuning.charts.rounding import finite, significant, tick_format, worst_shown
from tuning.charts.sides import Coordinates, Mark, TrialPoint
from tuning.charts.slices import relative_promise, strength
from tuning.charts.theme import ACTION, BEST, PANEL, QUIET, TEXT, Figure, faint, label, layout
from tuning.engine.surrogates.slices import Cut, Side

MAPS = ("expected", "deviation", "promise")
KINDS = {"FAILED": "failed", "RUNNING": "running"}
SMOOTH = 12  # values on both sides from which on lines of equal height say more than cells


def plane_figure(
    cut: Cut,
    trials: Sequence[TrialPoint],
    *,
    shown: str,
    direction: str,
    acquisition: str,
    held: Mark | None = None,
    next_trial: Mark | None = None,
) -> Figure:
    """A map over two parameters; blank where one of them takes no part.

    shown: "expected" (deep where it is good), "deviation" (deep where the model is unsure) or "promise" (deep where the
    acquisition is large), else ValueError. Raises ValueError for a cut along one parameter.
    """
    if shown not in MAPS:
        raise ValueError(f"a map of {shown!r}: it must be one of {', '.join(MAPS)}")
    if cut.y is None:
        raise ValueError("a map needs two parameters; one has a slice")
    across, up = Coordinates(cut.x), Coordinates(cut.y)
    surface = _surface(cut, across, up, shown, direction, acquisition)
    data = [surface, *_trials(across, up, trials)]
    marked: list[tuple[str, float, float, bool]] = []
    for mark, symbol, above in ((held, "circle-open", False), (next_trial, "diamond", True)):
        if mark is not None and cut.x.name in mark.params and cut.y.name in mark.params:
            data.append(_mark(across, up, mark, symbol))
            x, y = across.on_axis(mark.params[cut.x.name]), up.on_axis(mark.params[cut.y.name])
            marked.append((mark.words, x, y, above))
    leftmost = min((x for _, x, _, _ in marked), default=0.0)
    annotations = [_words(across, *one, before=len(marked) > 1 and one[1] == leftmost) for one in marked]
    drawn = layout(
        across.axis(padded=False), up.axis(padded=False) | {"showline": True}, right=8, annotations=annotations
    )
    return {"data": data, "layout": drawn}


def _surface(cut: Cut, across: Coordinates, up: Coordinates, shown: str, direction: str, acquisition: str) -> Figure:
    expected = cut.expected
    if shown == "expected":
        values = expected.median.tolist()
    elif shown == "deviation":
        values = expected.sd.tolist()
    else:
        values = relative_promise(expected.acquisition.tolist(), acquisition)
    heights = [significant(value) if here else None for value, here in zip(values, cut.present.tolist(), strict=True)]
    wide = len(across.at)
    rows = [heights[start : start + wide] for start in range(0, len(heights), wide)]
    low, high = _limits(finite(heights), shown, direction)
    best = shown == "expected"
    deep, shallow = (faint(BEST, 0.9), faint(BEST, 0.02)) if best else (faint(ACTION, 0.85), faint(ACTION, 0.02))
    ramp = [shallow, deep] if not best or direction == "maximize" else [deep, shallow]
    words = {"expected": "expected", "deviation": "standard deviation", "promise": "promise"}[shown]
    surface: Figure = {
        "name": words,
        "x": across.at,
        "y": up.at,
        "z": rows,
        "zmin": low,
        "zmax": high,
        "colorscale": [[0, ramp[0]], [1, ramp[1]]],
        "colorbar": {
            "thickness": 8,
            "outlinewidth": 0,
            "xpad": 6,
            "ypad": 0,
            "nticks": 5,
            "tickfont": {"size": 11, "color": QUIET},
            "tickformat": ".0%" if shown == "promise" else tick_format(low, high),
        },
        "hovertemplate": f"{escape(cut.x.name)} %{{x}}<br>{escape(up.side.name)} %{{y}}<br>"
        f"{words} %{{z:.4g}}<extra></extra>",
    }
    smooth = len(across.at) >= SMOOTH and len(up.at) >= SMOOTH and not (across.categorical or up.categorical)
    if not smooth:
        return surface | {"type": "heatmap", "xgap": _gap(across.side), "ygap": _gap(up.side)}
    step = _round_step((high - low) / 8)
    return surface | {
        "type": "contour",
        "connectgaps": False,
        "autocontour": False,
        "contours": {"coloring": "heatmap", "start": math.ceil(low / step) * step, "end": high, "size": step},
        "line": {"color": faint(TEXT, 0.16), "width": 0.75},
    }


def _gap(side: Side) -> int:
    """Pixels between cells: those of a few values stand apart, those of a continuous parameter do not."""
    return int(side.stepped and len(side.values) <= SMOOTH)


def _round_step(step: float) -> float:
    """The next of 1, 2, 5, 10, ... times a power of ten above a positive step."""
    power = 10.0 ** math.floor(math.log10(step)) if step > 0 else 1.0
    return next((times * power for times in (1, 2, 5) if times * power >= step), 10 * power)


def _limits(values: list[float], shown: str, direction: str) -> tuple[float, float]:
    """The ends of the colours: a few very bad values do not make all others look alike."""
    if not values:
        return 0.0, 1.0
    if shown == "promise":
        return 0.0, 1.0
    if shown == "deviation":
        return 0.0, max(values) or 1.0
    best = min(values) if direction == "minimize" else max(values)
    worst = worst_shown(values, direction)
    low, high = sorted((best, best if worst is None else worst))
    return low, high if high > low else low + (abs(low) or 1.0) * 1e-6


def _trials(across: Coordinates, up: Coordinates, trials: Sequence[TrialPoint]) -> list[Figure]:
    data: list[Figure] = []
    outline = {"width": 1, "color": PANEL}
    styles: dict[str, Figure] = {
        "trials": {"symbol": "circle", "size": 7, "color": TEXT, "line": outline},
        "running": {"symbol": "circle-open", "size": 8, "color": TEXT, "line": {"width": 1.5}},
        "failed": {"symbol": "x", "size": 7, "color": TEXT, "line": outline},
    }
    for name, style in styles.items():
        group = [trial for trial in trials if KINDS.get(trial.state, "trials") == name]
        if group:
            data.append(
                {
                    "type": "scatter",
                    "mode": "markers",
                    "name": name,
                    "x": [_moved(across, trial, 0.618034) for trial in group],
                    "y": [_moved(up, trial, 0.754878) for trial in group],
                    "customdata": [f"trial {trial.number}<br>{trial.value:.4g}, {name}" for trial in group],
                    "marker": style | {"opacity": [max(0.3, strength(trial.nearness)) for trial in group]},
                    "cliponaxis": False,
                    "hovertemplate": "%{customdata}<extra></extra>",
                }
            )
    return data


def _moved(place: Coordinates, trial: TrialPoint, share: float) -> float | None:
    """A trial's place; those of one choice are moved apart by their number."""
    at = place.of(trial.params[place.side.name])
    if at is None or not place.categorical:
        return at
    return round(at + 0.5 * ((trial.number * share) % 1.0 - 0.5), 3)


def _mark(across: Coordinates, up: Coordinates, mark: Mark, symbol: str) -> Figure:
    hollow = symbol.endswith("-open")
    line = {"width": 2, "color": TEXT} if hollow else {"width": 1.5, "color": PANEL}
    return {
        "type": "scatter",
        "mode": "markers",
        "name": mark.words,
        "x": [across.of(mark.params[across.side.name])],
        "y": [up.of(mark.params[up.side.name])],
        "marker": {"symbol": symbol, "size": 14, "color": TEXT, "line": line},
        "cliponaxis": False,
        "hovertemplate": f"{mark.words}<extra></extra>",
    }


def _words(across: Coordinates, words: str, x: float, y: float, above: bool, before: bool) -> Figure:
    """The words beside a mark, on the side where there is room; of two marks the left one's stand before it."""
    ends = [across.on_axis(value) for value in (across.side.values[0], across.side.values[-1])]
    late = x > ends[0] + (0.4 if before else 0.7) * (ends[1] - ends[0])
    side: Figure = {"xanchor": "right", "xshift": -9} if late else {"xanchor": "left", "xshift": 9}
    height: Figure = {"yanchor": "bottom", "yshift": 1} if above else {"yanchor": "top", "yshift": -1}
    return label(words, x, y, bgcolor=faint(PANEL, 0.75), borderpad=1, **side, **height)
