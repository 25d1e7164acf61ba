"""What settings spend and find: markers by whether the winner is kept, outliers at the edge."""

import json

from tuning.charts import OutcomePoint, what_if_figure

POINTS = [
    OutcomePoint("ASHA", 0.25, 0.1, True),
    OutcomePoint("Hyperband", 0.5, 0.12, False),
    OutcomePoint("median", 0.75, 0.11, False),
    OutcomePoint("lost", 0.01, 1e9, False),
]


def trace(figure, name):
    return next(trace for trace in figure["data"] if trace["name"] == name)


def test_share_against_value_and_what_was_recorded_at_a_hundred():
    figure = what_if_figure(POINTS, 0.1, direction="minimize", unit="epochs")
    assert (trace(figure, "as recorded")["x"], trace(figure, "as recorded")["y"]) == ([100.0], [0.1])
    kept, lost = trace(figure, "keeps the winner"), trace(figure, "loses the winner")
    assert (kept["x"], kept["y"]) == ([25.0], [0.1])
    assert kept["customdata"] == ["ASHA<br>0.1, keeps the winner"]
    assert lost["x"] == [50.0, 75.0, 1.0]
    low, high = figure["layout"]["yaxis"]["range"]
    assert low < 0.1
    assert high < 1.0
    assert lost["y"][2] < 1.0
    assert "1e+09" in lost["customdata"][2]
    assert figure["layout"]["xaxis"]["title"]["text"] == "epochs, % of those recorded"
    json.dumps(figure, allow_nan=False)


def test_the_words_stand_on_the_better_side_where_few_points_are():
    shifts = {}
    for direction in ("minimize", "maximize"):
        (note,) = what_if_figure(POINTS, 0.1, direction=direction, unit="epochs")["layout"]["annotations"]
        shifts[direction] = note["yshift"]
    assert shifts["minimize"] < 0 < shifts["maximize"]


def test_where_nothing_can_be_told_it_says_so():
    for points, recorded in (([], 0.1), (POINTS, None)):
        figure = what_if_figure(points, recorded, direction="maximize", unit="steps")
        assert figure["data"] == []
        assert "cannot" in json.dumps(figure) or "can be told" in json.dumps(figure)
