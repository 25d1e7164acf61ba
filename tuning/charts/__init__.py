"""Charts as plain data: rows in, Plotly figures or inline SVG out.

Pure: no Django, no plotly, no clock. A figure is a JSON-able dict ({"data", "layout"}) whose colours are
tokens such as "token:train" that `static/js/app.js` replaces by the page's custom properties, so one figure
serves the light and the dark theme. Numbers are rounded to 5 significant digits; nothing non-finite gets
out; at most 2,000 points or 200 lines are drawn.
"""

from tuning.charts.curves import (
    Band,
    Mark,
    Series,
    TrialCurves,
    curve_table,
    learning_curves_figure,
    middle_band,
    trial_curves_figure,
)
from tuning.charts.distribution import distribution_svg
from tuning.charts.history import HistoryPoint, history_figure
from tuning.charts.rounding import significant
from tuning.charts.sparkline import sparkline_svg

__all__ = [
    "Band",
    "HistoryPoint",
    "Mark",
    "Series",
    "TrialCurves",
    "curve_table",
    "distribution_svg",
    "history_figure",
    "learning_curves_figure",
    "middle_band",
    "significant",
    "sparkline_svg",
    "trial_curves_figure",
]
