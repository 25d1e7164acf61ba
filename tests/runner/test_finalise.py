"""The kind "finalise" in the real trial process, and that a trial cannot do what it does."""

import pytest

from tests.runner.specs import train_spec, write_workload

KEY = bytes(range(32)).hex()
PARAMS = {"lr": 0.1, "dropout": 0.5, "l1": 1e-4, "batch_size": 16}
TEST = """
def test_data(self):
    inputs = torch.randn(60, 4, generator=torch.Generator().manual_seed(6))
    return TensorDataset(inputs, (inputs.sum(dim=1) > 0).long())
"""
TALKATIVE = """
def metrics(self, output, target):
    if len(target) == 60:
        print("the accuracy is 0.98765")
        raise ValueError("the accuracy is 0.98765")
    return super().metrics(output, target)
"""


@pytest.fixture
def spec(workloads, tmp_path):
    def made(name, methods=TEST, **changes):
        return {
            "workload": write_workload(workloads, name, methods), "params": PARAMS, "seeds": [21, 22, 23], "epochs": 2,
            "max_epochs": 6, "retrain": "train", "metric": "validation/loss", "direction": "minimize",
            "objective": "best", "checkpoint_dir": str(tmp_path / "final"), "hash_key": KEY, "fence": 1,
        } | changes  # fmt: skip

    return made


def test_every_seed_is_measured_in_the_end_and_the_process_trains_no_more(launch, spec):
    runner = launch()
    runner.until("hello")
    *told, result = runner.run("finalise", **spec("finaltest"))
    assert result["type"] == "result", result
    assert {message["type"] for message in told} == {"trained"}
    assert all(set(message) == {"type", "number", "step"} for message in told)
    assert [row["seed"] for row in result["seeds"]] == [21, 22, 23]
    assert all(row["test"]["accuracy"] > 0.5 for row in result["seeds"])
    assert result["parameters"] == 146
    assert result["device"] and result["seconds"] > 0 and len(result["test_digest"]) == 64
    runner.send("rest")
    rested = runner.until("rested")[-1]
    assert not rested["reusable"] and "reads test data" in rested["why"]


def test_the_test_examples_are_known_by_their_content(launch, spec, tmp_path):
    digests = []
    for name in ("finalone", "finaltwo"):
        runner = launch()
        wanted = spec(name, seeds=[1], epochs=1, retrain="train+validation", checkpoint_dir=str(tmp_path / name))
        digests.append(runner.run("finalise", **wanted)[-1])
        runner.close()
    assert digests[0]["test_digest"] == digests[1]["test_digest"]
    assert digests[0]["seeds"][0]["validation"] is None


def test_what_the_test_split_says_is_in_no_error_and_no_log(launch, spec):
    runner = launch()
    error = runner.run("finalise", **spec("talkative", TEST + TALKATIVE, seeds=[1], epochs=1))[-1]
    assert (error["type"], error["reason_code"], error["traceback"]) == ("error", "code_error", "")
    assert error["message"].startswith("Measuring on the test split raised ValueError (talkative.py, line ")
    runner.close()
    assert "0.98765" not in str(error) and "0.98765" not in runner.log.read_text()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seeds": []}, "'seeds' are whole numbers"),
        ({"seeds": [-1]}, "'seeds' are whole numbers"),
        ({"retrain": "test"}, "'retrain' is 'train' or 'train+validation', not 'test'"),
        ({"hash_key": "00"}, "16 to 64 bytes"),
    ],
)
def test_a_wrong_spec_is_refused(runner, spec, changes, words):
    error = runner.run("finalise", **spec("finalspec", epochs=1, **({"seeds": [1]} | changes)))[-1]
    assert error["type"] == "error" and words in error["message"]


def test_without_a_test_split_there_is_nothing_to_look_at(runner, spec):
    error = runner.run("finalise", **spec("bare", "pass"))[-1]
    assert "has no test split; add a method test_data()" in error["message"]


def test_other_data_than_the_study_had_are_refused(runner, spec):
    assert runner.run("finalise", **spec("otherdata", data_digest="0" * 64))[-1]["type"] == "refused"


@pytest.mark.parametrize("place", ["def loss(self, output, target):", "def augment(self, inputs, params, generator):"])
def test_a_trial_that_opens_the_test_split_fails_with_the_sealed_words(runner, workloads, tmp_path, place):
    name = write_workload(workloads, "peeping", f"{TEST}\n{place}\n    return self.test_data()\n")
    error = runner.run("train", **train_spec(tmp_path, workload=name, params=PARAMS))[-1]
    assert (error["type"], error["reason_code"]) == ("error", "code_error")
    assert error["message"].startswith("A trial called test_data(). The test split is sealed until the study is final")
    assert "finalise the study" in error["remedy"]
