"""Loss against learning rate: a log axis, raw points beside the line, the bracket as a band, overlays by name."""

import itertools
import json
import math

from tuning.charts import LRPoints, lr_range_figure

LRS = [10 ** (-6 + 7 * i / 99) for i in range(100)]
LOSSES = [2.3 - 1.3 / (1 + math.exp(-3 * (math.log10(lr) + 3))) for lr in LRS]
BLOWN = [*LOSSES[:90], *[10.0 ** (k + 1) for k in range(10)]]
ONE = LRPoints("", LRS, LOSSES, LOSSES, (4e-4, 2e-3))


def lines(figure):
    return [trace for trace in figure["data"] if trace["mode"] == "lines"]


def test_one_curve_has_points_a_line_and_a_band_with_its_words():
    figure = lr_range_figure([ONE], parameter="lr")
    raw, line = figure["data"]
    assert (raw["mode"], line["mode"], len(raw["x"]), len(line["y"])) == ("markers", "lines", 100, 100)
    assert "/" in raw["marker"]["color"], "faint beside the line"
    layout = figure["layout"]
    assert (layout["xaxis"]["type"], layout["xaxis"]["title"]["text"]) == ("log", "lr")
    assert layout["xaxis"]["range"][0] < -6 < 1 < layout["xaxis"]["range"][1]
    assert "1e-6" in layout["xaxis"]["ticktext"]
    (band,) = layout["shapes"]
    assert (band["x0"], band["x1"], band["y0"], band["y1"]) == (4e-4, 2e-3, 0, 1)
    (note,) = layout["annotations"]
    assert note["text"] == "4e-4 to 0.002"
    assert note["x"] == -3.0485, "annotations count in decades"
    json.dumps(figure, allow_nan=False)


def test_a_blow_up_does_not_flatten_the_valley():
    figure = lr_range_figure([LRPoints("", LRS, BLOWN, BLOWN, (4e-4, 2e-3))])
    low, high = figure["layout"]["yaxis"]["range"]
    assert low < 1.0 < 2.3 < high < 4.0


def test_overlaid_curves_are_named_where_they_end_and_their_brackets_lie_apart():
    curves = [LRPoints(f"batch_size {n}", LRS, LOSSES, LOSSES, (4e-4, 2e-3)) for n in (16, 64, 256)]
    curves.append(LRPoints("batch_size 512", LRS, LOSSES, LOSSES, None))
    figure = lr_range_figure(curves)
    layout = figure["layout"]
    assert [trace["name"] for trace in lines(figure)] == [curve.name for curve in curves]
    assert len({trace["line"]["color"] for trace in lines(figure)}) == 4
    assert [note["text"] for note in layout["annotations"]] == [curve.name for curve in curves]
    heights = sorted(note["y"] for note in layout["annotations"])
    low, high = layout["yaxis"]["range"]
    assert all(b - a > 0.07 * (high - low) for a, b in itertools.pairwise(heights))
    bars = layout["shapes"]
    assert len(bars) == 3
    assert all(first["y1"] <= second["y0"] for first, second in itertools.pairwise(bars))


def test_names_of_users_bring_no_markup():
    figure = lr_range_figure([LRPoints("<b>x</b>" * 9, LRS, LOSSES, LOSSES, None)] * 2, parameter="<i>lr</i>")
    assert "<b>" not in json.dumps(figure) and "<i>" not in json.dumps(figure)


def test_without_a_loss_there_is_a_sentence():
    figure = lr_range_figure([LRPoints("", [], [], [], None)])
    assert figure["data"] == []
    assert figure["layout"]["annotations"][0]["text"] == "no loss was measured"
    single = lr_range_figure([LRPoints("", [1e-3], [2.0], [2.0], None)])
    json.dumps(single, allow_nan=False)
