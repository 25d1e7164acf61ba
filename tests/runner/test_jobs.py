import hashlib
import time

import pytest

from tests.runner.specs import BLOBS, write_workload
from tuning.training.splits import example_hashes
from tuning.training.workloads.digits_mlp import DigitsMLP

KEY = bytes(range(32))


def test_describe_lists_what_is_there_and_what_is_broken(runner, workloads):
    (workloads / "blobs.py").write_text(BLOBS)
    (workloads / "broken.py").write_text("import nothing_of_that_name\n")
    (workloads / "parabola.py").write_text("def objective(trial):\n    return 0.0\n")
    found = {entry["name"]: entry for entry in runner.run("describe")[-1]["workloads"]}
    (workloads / "broken.py").unlink()
    assert {"breast_cancer_mlp", "diabetes_mlp", "digits_cnn", "digits_mlp", "blobs", "parabola"} <= set(
        found
    )
    assert "No module named 'nothing_of_that_name'" in found["broken.py"]["error"]
    assert [name for name, entry in found.items() if entry["error"]] == ["broken.py"]
    assert found["blobs"]["digest"] == hashlib.sha256(BLOBS.encode()).hexdigest()
    assert found["parabola"]["kind"] == "objective" and found["parabola"]["space"] is None
    assert set(found["digits_cnn"]) == {
        "name", "title", "doc", "kind", "digest", "source", "space", "metric", "direction", "metrics",
        "max_resource", "min_resource", "resource_unit", "data_digest", "memory", "labels", "error", "test_data",
    }  # fmt: skip


def test_split_keeps_sizes_and_keyed_hashes_of_the_sealed_test_too(runner):
    result = runner.run("split", workload="digits_mlp", hash_key=KEY.hex())[-1]
    assert result["sizes"] == {"train": 1078, "validation": 360, "test": 359}
    assert {name: len(hashes) for name, hashes in result["hashes"].items()} == result["sizes"]
    assert result["hashes"]["validation"] == example_hashes(DigitsMLP().data().validation, KEY)
    assert not set(result["hashes"]["train"]) & set(result["hashes"]["test"])
    again = runner.run("split", workload="digits_cnn", hash_key=KEY.hex())[-1]
    assert again["digest"] == result["digest"], "the same data, split the same way"
    other = runner.run("split", workload="digits_mlp", hash_key=KEY[::-1].hex())[-1]
    assert other["digest"] != result["digest"]


def test_a_workload_without_test_data_has_an_empty_test_split(runner, workloads):
    name = write_workload(workloads, "untested", "pass")
    result = runner.run("split", workload=name, hash_key=KEY.hex())[-1]
    assert result["sizes"] == {"train": 80, "validation": 40, "test": 0} and result["hashes"]["test"] == []


@pytest.mark.parametrize("key", ["xyz", "00"])
def test_a_key_that_is_none_is_refused(runner, key):
    error = runner.run("split", workload="digits_mlp", hash_key=key)[-1]
    assert error["type"] == "error" and "16 to 64 bytes" in error["message"]


def test_an_unknown_kind_is_answered_and_the_process_goes_on(runner):
    error = runner.run("levitate")[-1]
    assert error["type"] == "error" and error["reason_code"] == "code_error"
    kinds = "command, describe, finalise, lr_range, objective, preflight, split, train"
    assert f"is unknown; there are {kinds}" in error["message"]
    runner.send("start", kind="split", spec=["digits_mlp"])
    assert "The spec lacks 'hash_key'" in runner.answer()["message"]
    assert runner.run("describe")[-1]["type"] == "result"


def test_a_warm_process_answers_quickly(runner):
    runner.run("describe")
    before = time.monotonic()
    runner.run("describe")
    assert time.monotonic() - before < 2.0, "nothing is imported again"
