"""The small drawings of a space's rows, made from real parameters of the engine."""

import re
import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest

from tuning.charts import distribution_svg
from tuning.engine import SearchSpace


def parameter(**form: Any) -> Any:
    return SearchSpace.from_json({"p": form}).parameters[0]


def bars(svg: str) -> list[float]:
    return [float(height) for height in re.findall(r'<rect[^>]* height="([0-9.]+)"', svg)]


def ticks(svg: str) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)<", svg)


def outline(svg: str) -> list[float]:
    path = re.search(r'distribution__line" d="M([^"]*)"', svg)
    assert path is not None
    return [float(place.split()[1]) for place in path[1].split("L")]


def test_a_uniform_float_is_flat() -> None:
    heights = outline(distribution_svg(parameter(type="float", low=0.0, high=1.0)))
    assert max(heights) - min(heights) < 1.0


def test_a_logarithmic_float_is_flat_on_its_logarithmic_axis() -> None:
    svg = distribution_svg(parameter(type="float", low=1e-5, high=0.1, log=True), log=True)
    heights = outline(svg)
    assert max(heights) - min(heights) < 1.0
    assert ticks(svg) == ["1e-5", "log", "0.1"]


def test_a_normal_prior_is_a_bell() -> None:
    form = {"type": "float", "low": 0.0, "high": 0.6, "prior": {"name": "normal", "mu": 0.3, "sigma": 0.1}}
    heights = outline(distribution_svg(parameter(**form)))
    peak = heights.index(min(heights))
    assert 20 <= peak <= 28
    assert heights[0] - heights[peak] > 12


def test_choices_have_bars_in_the_proportion_of_their_weights() -> None:
    svg = distribution_svg(parameter(type="categorical", choices=["none", "shift"], weights=[1, 3]))
    assert bars(svg) == [6.0, 18.0]
    assert ticks(svg) == ["none", "shift"]


def test_a_few_integers_have_a_bar_each() -> None:
    svg = distribution_svg(parameter(type="int", low=1, high=4))
    assert bars(svg) == [18.0] * 4
    assert ticks(svg) == ["1", "2", "3", "4"]


def test_many_integers_have_an_outline() -> None:
    svg = distribution_svg(parameter(type="int", low=16, high=512))
    assert set(outline(svg)) == {3.0}
    assert ticks(svg) == ["16", "512"]


def test_logarithmic_integers_are_flat_on_their_axis() -> None:
    heights = outline(distribution_svg(parameter(type="int", low=8, high=128, log=True), log=True))
    assert max(heights) - min(heights) < 1.0


def test_a_prior_without_bounds_ends_where_a_thousandth_is_left() -> None:
    svg = distribution_svg(parameter(type="float", prior={"name": "normal", "mu": 0.0, "sigma": 1.0}))
    assert ticks(svg) == ["-3.09", "3.09"]


def test_a_constant_is_one_bar() -> None:
    svg = distribution_svg(parameter(type="constant", value=64))
    assert (len(bars(svg)), ticks(svg)) == (1, ["64"])


def test_names_are_escaped() -> None:
    svg = distribution_svg(parameter(type="categorical", choices=["<i>", "b"]))
    assert "<i>" not in svg
    ElementTree.fromstring(svg)


def test_a_logarithmic_axis_refuses_zero() -> None:
    with pytest.raises(ValueError, match="above 0"):
        distribution_svg(parameter(type="float", low=0.0, high=1.0), log=True)
