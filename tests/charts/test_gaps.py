"""Gap against score."""

import json

from tuning.charts import GapPoint, gap_figure


def test_each_kind_of_verdict_has_its_symbol_and_the_best_a_ring() -> None:
    points = [
        GapPoint(0, 0.4, 0.9, "overfit_turning", "Overfit, and turning"),
        GapPoint(1, 0.01, 1.5, "underfit", "Underfit"),
        GapPoint(2, -0.05, 0.5, "healthy", "Healthy"),
    ]
    figure = gap_figure(points, direction="minimize", metric="validation/loss", best=2)
    assert [trace["name"] for trace in figure["data"]] == ["nothing stands out", "underfits", "overfits", "best"]
    assert figure["data"][-1]["x"] == [-0.05]
    assert "trial 0: Overfit, and turning<br>gap 0.4, value 0.9" in figure["data"][2]["customdata"]
    assert figure["layout"]["shapes"][0]["x0"] == 0


def test_an_outlier_stands_at_the_edge_and_what_is_no_number_nowhere() -> None:
    points = [GapPoint(n, 0.1 + n / 100, 0.5 + n / 100, "healthy", "Healthy") for n in range(20)]
    wild = [GapPoint(20, 1e9, 1e9, "spikes", "Spikes"), GapPoint(21, float("nan"), 0.5, "noise", "Noise")]
    figure = gap_figure([*points, *wild], direction="minimize", metric="validation/loss")
    assert figure["layout"]["xaxis"]["range"][1] < 2
    assert figure["data"][-1]["x"] == [figure["layout"]["xaxis"]["range"][1]]
    assert sum(len(trace["x"]) for trace in figure["data"]) == 21
    json.dumps(figure, allow_nan=False)
    assert gap_figure(points[:1], direction="minimize", metric="m")["data"] == []
