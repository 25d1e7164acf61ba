"""Every contender suggests configurations that are valid in hpweb's own words, on mixed and conditional spaces."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.benchmarks.contenders import OURS, PEERS, hpweb, installed
from tests.benchmarks.peers.hebo import design
from tests.benchmarks.peers.hyperopt import flattened
from tests.benchmarks.spaces import Run, active, inside, only_active, values_of
from tests.benchmarks.synthetic import CONDITIONAL, MIXED, conditional, mixed
from tuning.engine import SearchSpace

SPACES: dict[str, tuple[dict[str, Any], Callable[[Any], float]]] = {
    "mixed": (MIXED, mixed),
    "conditional": (CONDITIONAL, conditional),
}


def searched(run: Run, name: str, n: int, seed: int = 3) -> list[dict[str, Any]]:
    """What a contender asked for; a configuration outside the space raises."""
    form, value = SPACES[name]
    space = SearchSpace.from_json(form)
    seen: list[dict[str, Any]] = []

    def tell(params: Any) -> float:
        assert space.validate(params) == params
        seen.append(dict(params))
        return value(params)

    run(form, tell, n, seed)
    return seen


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("peer", PEERS)
def test_a_peer_stays_inside_the_space_and_repeats_itself_for_a_seed(peer: str, name: str) -> None:
    if not installed(PEERS[peer].package):
        pytest.skip(f"{PEERS[peer].package} is not installed: requirements-bench.txt has it")
    n = 25 if "TPE" in peer else 13  # past the start-up designs; an ask of the others may take seconds
    seen = searched(PEERS[peer].run, name, n)
    assert len(seen) == n
    assert searched(PEERS[peer].run, name, n) == seen
    choices = {name: form["choices"] for name, form in SPACES[name][0].items() if form["type"] == "categorical"}
    for parameter, allowed in choices.items():
        assert len({params[parameter] for params in seen}) > 1, f"{parameter} is always the same of {allowed}"


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("pending", [1, 8])
def test_ours_too_with_one_and_with_eight_at_a_time(pending: int, name: str) -> None:
    assert len(searched(hpweb("random", pending), name, 25)) == 25
    assert len(searched(hpweb("random", pending), name, 3)) == 3, "fewer trials than may run at once"


def test_eight_pending_means_eight_untold_while_asking(monkeypatch: pytest.MonkeyPatch) -> None:
    from tuning.engine import Optimizer

    out: list[int] = []
    untold = 0
    ask, tell = Optimizer.ask, Optimizer.tell

    def counted_ask(self: Optimizer) -> Any:
        nonlocal untold
        untold += 1
        out.append(untold)
        return ask(self)

    def counted_tell(self: Optimizer, *args: Any, **kwargs: Any) -> Any:
        nonlocal untold
        untold -= 1
        return tell(self, *args, **kwargs)

    monkeypatch.setattr(Optimizer, "ask", counted_ask)
    monkeypatch.setattr(Optimizer, "tell", counted_tell)
    searched(hpweb("random", 8), "mixed", 20)
    assert untold == 0
    assert max(out) == 8


def test_peers_are_listed_cheap_first_and_by_other_names_than_ours() -> None:
    assert not set(OURS) & set(PEERS)
    slow = [peer.slow for peer in PEERS.values()]
    assert slow == sorted(slow)


def test_a_parameter_takes_part_where_all_its_parents_agree() -> None:
    when = {"optimizer": ["sgd", "adam"], "layers": {"low": 2, "high": 3}}
    assert active(when, {"optimizer": "adam", "layers": 2})
    assert not active(when, {"optimizer": "adam", "layers": 4})
    assert not active(when, {"optimizer": "lbfgs", "layers": 2})
    assert not active(when, {"layers": 2})
    drawn = {name: form.get("low", (form.get("choices") or [None])[0]) for name, form in CONDITIONAL.items()}
    assert set(only_active(CONDITIONAL, drawn)) == {"optimizer", "sgd_lr", "sgd_momentum", "layers", "units_1"}


def test_rounding_never_leaves_the_bounds() -> None:
    form = {"type": "float", "low": 1e-5, "high": 1.0, "log": True}
    assert inside(form, 1.0000000000000002) == 1.0
    assert inside({"type": "int", "low": 8, "high": 1024}, 1024.0000000001) == 1024
    assert type(inside({"type": "int", "low": 8, "high": 1024}, 9.0)) is int
    with pytest.raises(ValueError, match="float cannot be the parent"):
        values_of(form)


def test_hebo_gets_logarithms_and_whole_numbers_as_its_own_kinds() -> None:
    kinds = {row["name"]: row["type"] for row in design(MIXED)}
    assert kinds == {
        "lr": "pow",
        "momentum": "num",
        "layers": "int",
        "units": "pow_int",
        "activation": "cat",
        "norm": "cat",
    }


def test_branches_within_branches_become_one_configuration() -> None:
    drawn = {"model": {"model": "net", "layers": {"layers": 2, "units": 8}}, "lr": 0.1}
    assert flattened(drawn) == {"model": "net", "layers": 2, "units": 8, "lr": 0.1}
