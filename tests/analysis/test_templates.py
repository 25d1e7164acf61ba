"""Templates of search spaces: spaces that the engine takes and the lint praises, and ranges that follow the data."""

import pytest

from tuning.analysis import lint_space
from tuning.analysis.templates import TRANSFORMER, regularization, space_templates
from tuning.engine import Optimizer, SearchSpace


@pytest.mark.parametrize("template", space_templates(), ids=lambda template: template.name)
def test_a_template_is_a_space_without_a_finding(template):
    space = SearchSpace.from_json(dict(template.space))
    assert [f"{f.parameter} {f.rule}" for f in lint_space(space.to_json())] == []
    trials = [Optimizer(template.space, "random", seed=seed).ask() for seed in range(20)]
    assert all(space.contains(trial.params) for trial in trials)
    assert template.why.endswith(".") and template.build.endswith(".")


def test_names_are_unique_and_parts_can_stand_together():
    templates = space_templates()
    assert len({template.name for template in templates}) == len(templates)
    for model in ("mlp", "cnn", "resnet", "transformer"):
        parts = [one.space for one in templates if one.name in (model, "optimizer", "regularization")]
        together = {name: entry for part in parts for name, entry in part.items()}
        assert len(together) == sum(map(len, parts))
        SearchSpace.from_json(together)


def test_the_networks_of_the_founding_article_are_in_the_convolutional_one():
    space = SearchSpace.from_json(dict(next(one for one in space_templates() if one.name == "cnn").space))
    for filters in (32, 64, 128):
        for layers in (3, 4, 5):
            assert space.contains({"filters": filters, "layers": layers, "kernel_size": 3})


def test_heads_divide_the_width_because_it_is_their_product():
    assert {"heads", "head_width"} <= set(TRANSFORMER.space) and "width" not in TRANSFORMER.space
    entry = TRANSFORMER.space["head_width"]
    assert all(width % 8 == 0 for width in range(entry["low"], entry["high"] + 1, entry["step"]))


def test_regularization_grows_with_capacity_and_falls_with_data():
    weak, strong = regularization(10_000, 5_000).space, regularization(1_000, 10**6).space
    assert (weak["weight_decay"]["low"], weak["weight_decay"]["high"]) == (1e-6, 1e-2)
    assert (strong["weight_decay"]["low"], strong["weight_decay"]["high"]) == (1e-4, 1.0)
    assert (weak["dropout"]["high"], strong["dropout"]["high"]) == (0.3, 0.7)
    assert regularization(1_000, 10**9).space == strong, "beyond a hundred for each example the ranges stay"
    assert "1,000,000 parameters learn from 1,000 examples" in regularization(1_000, 10**6).why
    assert regularization().space == regularization(1_000, 10_000).space
