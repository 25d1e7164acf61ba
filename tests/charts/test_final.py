"""The figure of the final look."""

import math

from tuning.charts import final_figure


def test_a_row_for_each_kind_and_the_interval_below_the_test():
    figure = final_figure(chosen=0.95, validation=[0.94, 0.93], test=[0.90, 0.92], low=0.88, high=0.94)
    assert [trace["name"] for trace in figure["data"]] == ["chosen", "fresh validation", "test", "mean, 95 % interval"]
    assert [trace["y"][0] for trace in figure["data"]] == [2, 1, 0, -0.22]
    assert figure["data"][-1]["x"] == [0.88, 0.91, 0.94]
    low, high = figure["layout"]["xaxis"]["range"]
    assert low < 0.88 < 0.95 < high


def test_what_is_not_there_takes_no_row():
    figure = final_figure(chosen=None, validation=[], test=[0.9], low=None, high=None)
    assert [trace["name"] for trace in figure["data"]] == ["test"]
    assert final_figure(chosen=0.9, validation=[], test=[math.nan], low=None, high=None)["data"] == []
