"""Maps over two parameters: colours, blanks, marks."""

import json
from typing import Any

import pytest

from tests.charts.cuts import made, points
from tuning.charts import CutMark, plane_figure
from tuning.charts.planes import MAPS

OPTIONS: dict[str, Any] = {"shown": "expected", "direction": "minimize", "acquisition": "ei"}
PAIRS = [
    ("lr", "dropout"), ("lr", "units"), ("lr", "optimizer"), ("optimizer", "lr"), ("layers", "optimizer"),
    ("momentum", "optimizer"), ("layers", "dropout"),
]  # fmt: skip


@pytest.mark.parametrize("names", PAIRS)
@pytest.mark.parametrize("shown", MAPS)
def test_every_pair_of_kinds_has_its_maps(names: tuple[str, str], shown: str) -> None:
    cut = made(*names)
    figure = plane_figure(cut, points(names), shown=shown, direction="minimize", acquisition="ei")
    text = json.dumps(figure, allow_nan=False)
    assert "<b>" not in text
    surface = figure["data"][0]
    assert len(surface["z"]) == len(surface["y"]) == len(cut.sides[1].values)
    assert {len(row) for row in surface["z"]} == {len(surface["x"])} == {len(cut.x.values)}
    assert surface["zmin"] < surface["zmax"]


def test_numbers_have_lines_of_equal_height_and_choices_have_cells() -> None:
    assert plane_figure(made("lr", "dropout"), [], **OPTIONS)["data"][0]["type"] == "contour"
    assert plane_figure(made("lr", "optimizer"), [], **OPTIONS)["data"][0]["type"] == "heatmap"
    cells = plane_figure(made("layers", "optimizer"), [], **OPTIONS)["data"][0]
    assert (cells["type"], cells["xgap"], cells["ygap"]) == ("heatmap", 1, 1)


def test_deep_is_good_in_both_directions() -> None:
    low_is_good = plane_figure(made("lr", "dropout"), [], **OPTIONS)["data"][0]["colorscale"]
    options = OPTIONS | {"direction": "maximize"}
    high_is_good = plane_figure(made("lr", "dropout", direction="maximize"), [], **options)["data"][0]["colorscale"]
    assert [colour for _, colour in low_is_good] == [colour for _, colour in reversed(high_is_good)]
    assert low_is_good[0][1] == "token:best/0.9"


def test_where_a_parameter_takes_no_part_the_map_is_blank() -> None:
    rows = plane_figure(made("momentum", "optimizer"), [], **OPTIONS)["data"][0]["z"]
    assert None not in rows[0]
    assert {value for row in rows[1:] for value in row} == {None}


def test_the_next_trial_and_the_one_held_are_marked_in_words() -> None:
    held = CutMark({"lr": 1e-2, "dropout": 0.2}, 0.3, "trial 3")
    upcoming = CutMark({"lr": 1e-4, "dropout": 0.5}, 0.2, "next: trial 30")
    figure = plane_figure(made("lr", "dropout"), [], held=held, next_trial=upcoming, **OPTIONS)
    by_name = {trace["name"]: trace for trace in figure["data"]}
    assert (by_name["trial 3"]["x"], by_name["trial 3"]["y"]) == ([1e-2], [0.2])
    assert by_name["next: trial 30"]["marker"]["symbol"] == "diamond"
    notes = {note["text"]: note for note in figure["layout"]["annotations"]}
    assert notes["next: trial 30"]["x"] == pytest.approx(-4)
    assert notes["trial 3"]["yanchor"] != notes["next: trial 30"]["yanchor"]
    partial = plane_figure(made("momentum", "dropout"), [], next_trial=upcoming, **OPTIONS)
    assert partial["layout"]["annotations"] == []


def test_the_words_of_two_near_marks_stand_on_their_outer_sides() -> None:
    held = CutMark({"lr": 2e-3, "dropout": 0.05}, 0.3, "trial 3")
    upcoming = CutMark({"lr": 1e-3, "dropout": 0.05}, 0.2, "next: trial 30")
    figure = plane_figure(made("lr", "dropout"), [], held=held, next_trial=upcoming, **OPTIONS)
    notes = {note["text"]: note["xanchor"] for note in figure["layout"]["annotations"]}
    assert notes == {"next: trial 30": "right", "trial 3": "left"}


def test_a_map_needs_two_parameters_and_a_name_that_it_knows() -> None:
    with pytest.raises(ValueError, match="one has a slice"):
        plane_figure(made("lr"), [], **OPTIONS)
    with pytest.raises(ValueError, match="expected, deviation, promise"):
        plane_figure(made("lr", "dropout"), [], **(OPTIONS | {"shown": "colour"}))
