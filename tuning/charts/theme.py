"""What all figures share: colour tokens, the bare layout, axes, direct labels.

A colour is "token:NAME" or "token:NAME/OPACITY", NAME being a custom property of app.css without its dashes.
"""

from collections.abc import Mapping
from statistics import fmean
from typing import Any

Figure = dict[str, Any]

ACTION, TRAIN, VALIDATION, BEST = "token:action", "token:train", "token:validation", "token:best"
TEST = "token:test"
PRUNED, FAILED, QUIET, TEXT = "token:pruned", "token:failed", "token:quiet", "token:text"
LINE, LINE_STRONG, PANEL = "token:line", "token:line-strong", "token:panel"
BAND, FONT = "token:band", "token:font"


def faint(token: str, opacity: float) -> str:
    """`token` at an opacity between 0 and 1."""
    return f"{token}/{opacity:g}"


def axis(*, title: str = "", grid: bool = False, **more: Any) -> dict[str, Any]:
    """An axis without zero line or box; `grid` draws its hair lines."""
    drawn: dict[str, Any] = {
        "showgrid": grid,
        "gridcolor": LINE,
        "zeroline": False,
        "showline": not grid,
        "linecolor": LINE,
        "ticks": "" if grid else "outside",
        "tickcolor": LINE,
        "ticklen": 4,
        "automargin": True,
    }
    if title:
        drawn["title"] = {"text": title, "standoff": 6, "font": {"size": 12, "color": QUIET}}
    return drawn | {name: value for name, value in more.items() if value != ""}


def layout(xaxis: Mapping[str, Any], yaxis: Mapping[str, Any], *, right: int = 16, **more: Any) -> dict[str, Any]:
    """The layout of every figure; `right` is the margin, in pixels, that direct labels need."""
    return {
        "template": "none",
        "autosize": True,
        "margin": {"l": 44, "r": right, "t": 12, "b": 36, "pad": 0},
        "font": {"family": FONT, "size": 12, "color": QUIET},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "showlegend": False,
        "hovermode": "closest",
        "hoverlabel": {
            "bgcolor": PANEL,
            "bordercolor": LINE_STRONG,
            "font": {"family": FONT, "size": 12, "color": TEXT},
        },
        "uirevision": "keep",
        "xaxis": dict(xaxis),
        "yaxis": dict(yaxis),
        **more,
    }


def label(text: str, x: float, y: float, *, colour: str = TEXT, **more: Any) -> dict[str, Any]:
    """A word beside the thing it names, in place of a legend. `text` must not contain markup from users."""
    font = {"size": 12, "color": colour}
    return {"text": text, "x": x, "y": y, "showarrow": False, "font": font, "xanchor": "left"} | more


def vertical_line(x: float, *, colour: str = QUIET) -> dict[str, Any]:
    """A dashed line from bottom to top at `x`."""
    return {
        "type": "line",
        "xref": "x",
        "yref": "paper",
        "x0": x,
        "x1": x,
        "y0": 0,
        "y1": 1,
        "line": {"color": colour, "width": 1, "dash": "3px,3px"},
    }


def blank(text: str) -> Figure:
    """A figure without anything to draw: no empty axes, one sentence."""
    centred = label(text, 0.5, 0.5, colour=QUIET, xref="paper", yref="paper", xanchor="center")
    return {"data": [], "layout": layout({"visible": False}, {"visible": False}, annotations=[centred], shapes=[])}


def spread_labels(heights: list[float], gap: float, low: float, high: float) -> list[float]:
    """`heights` moved apart so that neighbours are at least `gap` from each other, all of them within low..high.

    Least squares (isotonic regression by pooling adjacent violators): labels that have room stay where they belong.
    Where they do not fit at all they run out at the top.
    """
    order = sorted(range(len(heights)), key=heights.__getitem__)
    pools: list[list[float]] = []  # of heights less the gaps below them: one pool, one stack of labels
    for rank, index in enumerate(order):
        pools.append([heights[index] - rank * gap])
        while len(pools) > 1 and fmean(pools[-2]) > fmean(pools[-1]):
            last = pools.pop()
            pools[-1] += last
    top = max(low, high - (len(heights) - 1) * gap)
    bases = [min(max(fmean(pool), low), top) for pool in pools for _ in pool]
    placed = dict(zip(order, (base + rank * gap for rank, base in enumerate(bases)), strict=True))
    return [placed[index] for index in range(len(heights))]
