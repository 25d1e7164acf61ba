"""What a workload requires: read from its class, its module or its table, with every complaint in words."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.training.problems import Blobs
from tuning.runner.describe import describe
from tuning.training.catalogue import Catalogue, Sources
from tuning.training.contract import WorkloadError, check_workload
from tuning.training.requirements import labels_of, memory_of


@pytest.mark.parametrize(
    ("given", "size"),
    [("8 GB", 8 * 10**9), ("8GB", 8 * 10**9), (" 1.5 GiB ", 3 * 2**29), ("512 MB", 512 * 10**6), ("64KiB", 2**16)],
)
def test_sizes_are_read_with_their_units(given, size):
    problems: list[str] = []
    assert (memory_of(given, "memory", problems), problems) == (size, [])


@pytest.mark.parametrize(
    "given", ["8", "8 gb", "GB", "-1 GB", "0 GB", "8 EB", "1e3 GB", "9999999999 TB", 8, 8.0, True, []]
)
def test_what_is_no_size_is_named_with_what_would_be_right(given):
    problems: list[str] = []
    assert memory_of(given, "memory", problems) is None
    (words,) = problems
    assert words.startswith('memory is a size with its unit, such as "8 GB"')
    assert repr(given) in words


def test_labels_are_words_each_once():
    problems: list[str] = []
    assert labels_of(["a100", "fast-disk", "a100"], "labels", problems) == ("a100", "fast-disk")
    assert problems == []
    for wrong in ("a100", ["a b"], [""], ["-x"], [1], {"a": 1}, None, ["x" * 41]):
        problems.clear()
        assert labels_of(wrong, "labels", problems) == ()
        assert "labels is a list of words" in problems[0]


def test_a_class_with_a_wrong_requirement_is_no_workload_yet():
    wrong = type("Wrong", (Blobs,), {"memory": 8, "labels": "a100"})
    with pytest.raises(WorkloadError) as refused:
        check_workload(wrong)
    assert len(refused.value.problems) == 2
    check_workload(type("Right", (Blobs,), {"memory": "8 GB", "labels": ["a100"]}))


OBJECTIVE = """
MEMORY, LABELS = "2 GB", ["fast-disk"]

def objective(trial):
    return 0.0
"""
PROGRAMS = """
[right]
command = ["{python}", "-c", "pass"]
metric = "loss"
memory = "16 GiB"
labels = ["a100"]
space.lr = { type = "float", low = 0.0, high = 1.0 }

[wrong]
command = ["{python}", "-c", "pass"]
metric = "loss"
memory = "much"
labels = "a100"
space.lr = { type = "float", low = 0.0, high = 1.0 }
"""
CLASS = """
from tests.training.problems import Blobs

class Big(Blobs):
    name = "big"
    memory = "8 GB"
    labels = ("a100", "fast-disk")
"""


def test_describe_tells_what_classes_functions_and_programs_require(tmp_path: Path):
    (tmp_path / "big.py").write_text(CLASS)
    (tmp_path / "light.py").write_text(OBJECTIVE)
    (tmp_path / "bad.py").write_text(OBJECTIVE.replace('"2 GB"', '"2"'))
    (tmp_path / "programs.toml").write_text(PROGRAMS)
    catalogue = Catalogue(Sources(folder=tmp_path, programs=tmp_path / "programs.toml"))
    inbox = SimpleNamespace(channel=SimpleNamespace(send=json.dumps))
    entries = {entry["name"]: entry for entry in json.loads(json.dumps(describe({}, catalogue, inbox)))["workloads"]}
    told = {name: (entry["memory"], entry["labels"]) for name, entry in entries.items()}
    assert told["big"] == (8 * 10**9, ["a100", "fast-disk"])
    assert told["light"] == (2 * 10**9, ["fast-disk"])
    assert told["right"] == (2**34, ["a100"])
    assert told["digits_mlp"] == (None, [])
    assert "MEMORY is a size" in entries["bad.py"]["error"]
    error = entries["programs.toml:wrong"]["error"]
    assert "memory is a size" in error
    assert "labels is a list" in error
