"""Charts as plain data: rows in, Plotly figures or inline SVG out.

Pure: no Django, no plotly, no clock. A figure is a JSON-able dict ({"data", "layout"}) whose colours are
tokens such as "token:train" that `static/js/app.js` replaces by the page's custom properties, so one figure
serves the light and the dark theme. Numbers are rounded to 5 significant digits; nothing non-finite gets
out; at most 2,000 points or 200 lines are drawn.
"""

from tuning.charts.check_plot import check_plot_svg
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
from tuning.charts.final import final_figure
from tuning.charts.gaps import GapPoint, gap_figure
from tuning.charts.history import HistoryPoint, history_figure
from tuning.charts.intents import LANES, IntentPoint, intent_figure
from tuning.charts.ladder import RungPoint, ladder_figure
from tuning.charts.lr_range import LRPoints, lr_range_figure
from tuning.charts.pair_maps import MapSide, pair_map_figure
from tuning.charts.planes import plane_figure
from tuning.charts.rounding import significant
from tuning.charts.shares import marginal_range, marginal_svg, share_svg
from tuning.charts.sides import Mark as CutMark
from tuning.charts.sides import TrialPoint
from tuning.charts.slices import ACQUISITIONS, relative_promise, slice_figure
from tuning.charts.small_slices import common_range, slice_svg
from tuning.charts.sparkline import sparkline_svg
from tuning.charts.strengths import StrengthPoint, strength_figure
from tuning.charts.validation import PredictedPoint, validation_figure
from tuning.charts.what_if import OutcomePoint, what_if_figure

__all__ = [
    "ACQUISITIONS",
    "LANES",
    "Band",
    "CutMark",
    "GapPoint",
    "HistoryPoint",
    "IntentPoint",
    "LRPoints",
    "MapSide",
    "Mark",
    "OutcomePoint",
    "PredictedPoint",
    "RungPoint",
    "Series",
    "StrengthPoint",
    "TrialCurves",
    "TrialPoint",
    "check_plot_svg",
    "common_range",
    "curve_table",
    "distribution_svg",
    "final_figure",
    "gap_figure",
    "history_figure",
    "intent_figure",
    "ladder_figure",
    "learning_curves_figure",
    "lr_range_figure",
    "marginal_range",
    "marginal_svg",
    "middle_band",
    "pair_map_figure",
    "plane_figure",
    "relative_promise",
    "share_svg",
    "significant",
    "slice_figure",
    "slice_svg",
    "sparkline_svg",
    "strength_figure",
    "trial_curves_figure",
    "validation_figure",
    "what_if_figure",
]
