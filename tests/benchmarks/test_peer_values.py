"""The store of the peers' values: what is used again, what is not, and who may write."""

import json
from pathlib import Path

import pytest

from tests.benchmarks import peer_values, searches
from tests.benchmarks.contenders import Peer, hpweb
from tests.benchmarks.peer_values import alone, compute, dump, find, fingerprint, keep, key_of, load
from tests.benchmarks.searches import REPORT_SEED, Task
from tests.benchmarks.synthetic import PLAIN

TASK = Task("branin", "optuna TPE", REPORT_SEED, 100)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "peers.json"


@pytest.fixture
def versions(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Installed packages and their versions, as a test wishes them."""
    wished: dict[str, str] = {"optuna": "5.0.0"}
    monkeypatch.setattr(peer_values, "installed", lambda package: package in wished)
    monkeypatch.setattr(peer_values.metadata, "version", lambda package: wished[package])
    return wished


@pytest.fixture
def quick_peer(monkeypatch: pytest.MonkeyPatch, versions: dict[str, str]) -> None:
    """One peer alone, whose searches take no time."""
    peers = {"optuna TPE": Peer("optuna", hpweb("random"))}
    monkeypatch.setattr(peer_values, "PEERS", peers)
    monkeypatch.setattr(searches, "PEERS", peers)


def test_values_come_back_as_they_were_kept(path: Path, versions: dict[str, str]) -> None:
    keep(path, "optuna 5.0.0", TASK, [3.25, 1.5, 0.397887358])
    keep(path, "optuna 5.0.0", Task("mixed+noise", "optuna GP", REPORT_SEED + 11, 50), [0.1, 1e-12])
    stored = load(path)
    assert find(stored, TASK) == [3.25, 1.5, 0.397887358]
    assert find(stored, Task("mixed+noise", "optuna GP", REPORT_SEED + 11, 50)) == [0.1, 1e-12]
    assert find(stored, Task("mixed+noise", "optuna GP", REPORT_SEED + 11, 100)) is None, "it never reached 100"
    assert find(stored, Task("mixed", "optuna GP", REPORT_SEED + 11, 50)) is None
    assert dump(stored) == path.read_text()
    assert [child.name for child in path.parent.iterdir()] == ["peers.json"], "no lock or half file stays behind"


def test_the_file_is_plain_json_with_a_line_for_each_contender_and_problem(path: Path) -> None:
    keep(path, "optuna 5.0.0", TASK, [3.0, 2.0, 1.0])
    keep(path, "optuna 5.0.0", Task("branin", "optuna TPE", REPORT_SEED + 1, 50), [3.0, 2.0])
    document = json.loads(path.read_text())
    assert document["problems"] == {"branin": fingerprint("branin")}
    assert document["values"] == {
        "optuna 5.0.0": {"optuna TPE": {"branin": {"1000": [3.0, 2.0, 1.0], "1001": [3.0, 2.0]}}}
    }
    assert '"branin": {"1000":[3.0,2.0,1.0],"1001":[3.0,2.0]}' in path.read_text()


def test_values_of_another_version_are_not_used_but_stay(path: Path, versions: dict[str, str]) -> None:
    keep(path, "optuna 5.0.0", TASK, [3.0, 2.0, 1.0])
    versions["optuna"] = "5.1.0"
    assert find(load(path), TASK) is None
    keep(path, "optuna 5.1.0", TASK, [2.0, 1.0, 0.5])
    assert find(load(path), TASK) == [2.0, 1.0, 0.5]
    versions["optuna"] = "5.0.0"
    assert find(load(path), TASK) == [3.0, 2.0, 1.0]


def test_without_the_package_the_newest_stored_version_counts(path: Path, versions: dict[str, str]) -> None:
    del versions["optuna"]
    assert key_of("optuna", {}) is None
    for version, value in (("4.9.0", 1.0), ("4.10.0", 2.0), ("4.2.1", 3.0)):
        keep(path, f"optuna {version}", TASK, [value] * 3)
    assert find(load(path), TASK) == [2.0] * 3


@pytest.mark.parametrize("change", ["space", "function", "noise"])
def test_a_changed_problem_forgets_its_values_and_no_others(
    path: Path, versions: dict[str, str], monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    from dataclasses import replace

    other = Task("levy5", "optuna TPE", REPORT_SEED, 100)
    keep(path, "optuna 5.0.0", TASK, [3.0, 2.0, 1.0])
    keep(path, "optuna 5.0.0", other, [9.0, 8.0, 7.0])
    branin = next(problem for problem in PLAIN if problem.name == "branin")
    wider = {**branin.space, "x0": {**branin.space["x0"], "high": 11.0}}
    changed = {
        "space": replace(branin, space=wider),
        "function": replace(branin, value=lambda params: branin.value(params) + 1),
        "noise": replace(branin, noise=0.5),
    }[change]
    monkeypatch.setattr(
        peer_values,
        "problem_named",
        lambda name, seed: changed if name == "branin" else searches.problem_named(name, seed),
    )
    fingerprint.cache_clear()
    try:
        assert find(load(path), TASK) is None
        assert find(load(path), other) == [9.0, 8.0, 7.0]
        keep(path, "optuna 5.0.0", other, [9.0, 8.0, 6.0])
        assert "branin" not in path.read_text(), "stale values do not come back when the problem does"
    finally:
        fingerprint.cache_clear()


def test_a_changed_table_is_another_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    name = searches.problem_names(quick=True)[0]
    before = fingerprint(name)
    table = peer_values.table_of(name).copy()
    table[tuple(size - 1 for size in table.shape)] += 1e-3
    monkeypatch.setattr(peer_values, "table_of", lambda _name: table)
    fingerprint.cache_clear()
    assert fingerprint(name) != before
    fingerprint.cache_clear()


def test_a_full_run_keeps_what_it_computed_and_computes_it_once(path: Path, quick_peer: None) -> None:
    values, versions, failed = peer_values.peer_values(["branin"], quick=False, processes=1, path=path)
    assert failed == []
    assert versions == {"optuna TPE": "optuna 5.0.0"}
    assert sorted(values["branin"]["optuna TPE"]) == list(range(REPORT_SEED, REPORT_SEED + 20))
    written = path.read_text()
    again, _versions, _failed = peer_values.peer_values(["branin"], quick=False, processes=1, path=path)
    assert path.read_text() == written
    assert again["branin"]["optuna TPE"][REPORT_SEED] == pytest.approx(values["branin"]["optuna TPE"][REPORT_SEED])


def test_a_quick_run_never_writes(path: Path, quick_peer: None) -> None:
    values, _versions, failed = peer_values.peer_values(["branin", "mixed"], quick=True, processes=1, path=path)
    assert failed == []
    assert sorted(values["branin"]["optuna TPE"]) == [0, 1]
    assert list(path.parent.iterdir()) == []
    keep(path, "optuna 5.0.0", TASK, [123.0, 2.0, 1.0])
    written = path.read_text()
    peer_values.peer_values(["branin", "mixed"], quick=True, processes=1, path=path)
    assert path.read_text() == written


def test_a_search_that_fails_is_told_and_the_others_are_kept(
    path: Path, monkeypatch: pytest.MonkeyPatch, versions: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(space: dict, tell: object, n: int, seed: int) -> None:
        if seed == REPORT_SEED + 1:
            raise ArithmeticError("the matrix is singular")
        hpweb("random")(space, tell, n, seed)  # type: ignore[arg-type]

    broken_peers = {"optuna TPE": Peer("optuna", broken)}
    monkeypatch.setattr(peer_values, "PEERS", broken_peers)
    monkeypatch.setattr(searches, "PEERS", broken_peers)
    tasks = [Task("branin", "optuna TPE", REPORT_SEED + seed, 25) for seed in range(3)]
    values, failed = compute(tasks, processes=1, path=path)
    assert len(failed) == 1
    assert "seed 1001" in failed[0]
    assert "the matrix is singular" in failed[0]
    assert failed[0] in capsys.readouterr().err
    assert sorted(values["branin"]["optuna TPE"]) == [REPORT_SEED, REPORT_SEED + 2]
    assert sorted(load(path)["optuna 5.0.0"]["optuna TPE"]["branin"]) == ["1000", "1002"]


def test_two_writers_take_turns(path: Path) -> None:
    import threading

    def write(offset: int) -> None:
        for seed in range(5):
            keep(path, "optuna 5.0.0", Task("branin", "optuna TPE", offset + seed, 25), [float(seed)])

    writers = [threading.Thread(target=write, args=(offset,)) for offset in (1000, 1010)]
    with alone(path):
        for writer in writers:
            writer.start()
        assert not path.exists(), "a writer waits for the lock"
    for writer in writers:
        writer.join()
    assert len(load(path)["optuna 5.0.0"]["optuna TPE"]["branin"]) == 10


def test_the_committed_file_belongs_to_the_problems_as_they_are() -> None:
    document = json.loads(peer_values.PATH.read_text())
    stale = [name for name, mark in document["problems"].items() if mark != fingerprint(name)]
    assert stale == [], "compute them anew: python -m tests.benchmarks.peer_values"
