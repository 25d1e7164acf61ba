"""The map of a pair: its cells, its axes, and which end of it is good."""

import json

from tuning.charts import MapSide, pair_map_figure

LR = MapSide("lr", [1e-4, 1e-3, 1e-2], numeric=True, log=True)
OPTIMIZER = MapSide("optimizer", ["sgd", "<b>adamw"], numeric=False, log=False)
MEAN = [[0.1, 0.4], [0.2, 0.5], [0.3, 0.6]]


def test_cells_stand_at_their_values():
    figure = pair_map_figure(LR, OPTIMIZER, MEAN, value="validation/loss", direction="minimize")
    (surface,) = figure["data"]
    assert (surface["x"], surface["y"]) == ([1e-4, 1e-3, 1e-2], [0, 1])
    assert surface["z"] == [[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]]
    assert (surface["zmin"], surface["zmax"]) == (0.1, 0.6)
    json.dumps(figure, allow_nan=False)


def test_a_log_axis_has_powers_of_ten_and_choices_their_words_without_markup():
    layout = pair_map_figure(LR, OPTIMIZER, MEAN, value="validation/loss", direction="minimize")["layout"]
    assert layout["xaxis"]["type"] == "log" and "1e-4" in layout["xaxis"]["ticktext"]
    assert layout["yaxis"]["ticktext"] == ["sgd", "&lt;b&gt;adamw"]


def test_deep_is_good_whatever_the_direction():
    low, high = (pair_map_figure(LR, OPTIMIZER, MEAN, value="v", direction=way)["data"][0]["colorscale"]
                 for way in ("minimize", "maximize"))  # fmt: skip
    assert low[0][1] == high[1][1] != low[1][1]


def test_a_flat_map_is_drawn():
    (surface,) = pair_map_figure(LR, OPTIMIZER, [[0.5, 0.5]] * 3, value="v", direction="minimize")["data"]
    assert surface["zmax"] > surface["zmin"]
