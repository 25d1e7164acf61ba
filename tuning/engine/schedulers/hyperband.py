"""Hyperband: successive halving from several starting points, because nobody knows how early a cut can be trusted.

Li, Jamieson, DeSalvo, Rostamizadeh & Talwalkar, JMLR 18(185), 2018, Algorithm 1. For max_resource 81 and eta 3 the
brackets start 81, 34, 15, 8 and 5 trials: 143 configurations, 1,581 steps where promoted trials are resumed.
"""

from __future__ import annotations

from tuning.engine.schedulers.brackets import bracket_size
from tuning.engine.schedulers.successive_halving import SuccessiveHalving


class Hyperband(SuccessiveHalving):
    """The brackets s_max, s_max - 1, ..., 0, a cohort each, and again while the budget lasts."""

    name = "hyperband"
    title = "Hyperband"
    summary = (
        "Successive halving in several brackets, from many short trials to a few long ones. "
        "Safe where early results may mislead."
    )
    options = ()

    def bracket_of(self, cohort: int) -> int:
        return self.s_max - cohort % self.round_size()

    def size_of(self, bracket: int) -> int:
        return bracket_size(self.s_max, bracket, self.reduction_factor)

    def round_size(self) -> int:
        return self.s_max + 1
