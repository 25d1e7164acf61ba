"""Trial processes and the data of their study: the first is asked what it has read, others refuse what differs."""

import shutil

import pytest
import torch

from tests.runner.programs import write_program
from tests.runner.specs import steps, train_spec, write_workload
from tests.training.problems import PARAMS
from tuning.runner.pins import UNSTEADY, steady_digest
from tuning.training import Splits

OTHER = "e" * 64
DATA = """
def data(self):
    rows = torch.load(self.data_file(f"{self.name}.pt"))
    labels = [((part[:, 0] > 0).long() + rows["shift"]) % 2 for part in (rows[0], rows[1])]
    return Splits(TensorDataset(rows[0], labels[0]), TensorDataset(rows[1], labels[1]))
"""
FUNCTION = """
import os
DATA = ("{name}/*.csv",)
SPACE = {{"x": {{"type": "float", "low": 0.0, "high": 1.0}}}}

def objective(trial):
    return sum(map(float, open(os.path.join(os.environ["HPWEB_DATA_DIR"], "{name}", "a.csv"))))
"""


def spec(name, folder, **changes):
    """Two epochs of a workload of Blobs' making."""
    return train_spec(folder, workload=name, params=PARAMS, epochs=2, max_epochs=2, **changes)


def file_workload(folder, name, *, shift=0, rows=40, more=""):
    """A workload that reads its examples from a file; `shift` changes the labels and nothing else."""
    write_workload(folder, name, DATA + more)
    generator = torch.Generator().manual_seed(0)
    parts = {part: torch.randn(rows, 4, generator=generator) for part in range(2)}
    torch.save({**parts, "shift": shift}, folder / f"{name}.pt")
    return name


def pinned_by(process, kind, **fields):
    """What a job of a study without a pin says that it has read, and its answer once the worker lets it go on."""
    process.start(kind, **fields, data_digest="")
    question = process.until("data", "result", "error", "refused")[-1]
    assert question["type"] == "data", question
    process.send("data_reply", id=question["id"], go=True)
    messages = process.until("result", "error", "refused")
    assert messages[-1]["type"] == "result", messages[-1]
    return question["digest"], messages


def test_a_job_without_a_pin_asks_nothing(runner, tmp_path):
    messages = runner.run("train", **train_spec(tmp_path, epochs=1))
    assert {message["type"] for message in messages} == {"step", "checkpoint", "result"}


def test_the_first_training_tells_and_the_next_compares_by_itself(runner, tmp_path):
    digest, messages = pinned_by(runner, "train", **train_spec(tmp_path / "a", epochs=1))
    assert messages[-1]["type"] == "result"
    again = runner.run("train", **train_spec(tmp_path / "b", epochs=1), data_digest=digest)
    assert steps(again) == steps(messages)
    assert {message["type"] for message in again} == {"step", "checkpoint", "result"}, "it asks nobody"
    split = runner.run("split", workload="digits_mlp", hash_key="00" * 32)[-1]
    assert (split["data_digest"], split["data_error"]) == (digest, ""), "the split job counts the same"


def test_a_pin_that_another_has_made_meanwhile_is_obeyed(launch, tmp_path):
    process = launch()
    process.start("train", **train_spec(tmp_path), data_digest="")
    question = process.until("data")[-1]
    process.send("data_reply", id=question["id"], go=False)
    assert process.answer() == {"type": "refused", "data_digest": question["digest"], "error": "", "kept": False}
    process.send("rest")
    rested = process.until("rested")[-1]
    assert rested["reusable"] is False and "other code or data" in rested["why"]


def test_a_stop_while_it_waits_for_the_answer_ends_the_training(runner, tmp_path):
    runner.start("train", **train_spec(tmp_path), data_digest="")
    runner.until("data")
    runner.send("stop")
    assert runner.until("result", "error", "refused")[-1]["stopped"] is True


def test_changed_labels_are_other_data(launch, workloads, tmp_path):
    name = file_workload(workloads, "labelled")
    digest, _ = pinned_by(launch(), "train", **spec(name, tmp_path / "a"))
    file_workload(workloads, name, shift=1)
    messages = launch().run("train", **spec(name, tmp_path / "b"), data_digest=digest)
    (answer,) = [message for message in messages if message["type"] != "hello"]
    assert (answer["type"], answer["kept"]) == ("refused", False), "and nothing was trained"
    assert answer["data_digest"] not in ("", digest)


def test_data_that_are_gone_are_refused_where_the_study_is_pinned_and_an_error_where_it_is_not(
    launch, workloads, tmp_path
):
    name = file_workload(workloads, "missing")
    (workloads / f"{name}.pt").unlink()
    answer = launch().run("train", **spec(name, tmp_path), data_digest=OTHER)[-1]
    assert (answer["type"], answer["data_digest"]) == ("refused", "")
    assert answer["error"].startswith("FileNotFoundError: there is no 'missing.pt' in HPWEB_DATA_DIR")
    answer = launch().run("train", **spec(name, tmp_path), data_digest="")[-1]
    assert (answer["type"], answer["reason_code"]) == ("error", "code_error")


def test_a_process_that_keeps_the_old_data_goes_on_with_them_and_says_so_when_they_are_not_wanted(
    launch, workloads, tmp_path
):
    name = write_workload(
        workloads, "keeping",
        "kept = None\n"
        + DATA.strip().replace("def data", "def fresh")
        + "\n\ndef data(self):\n    type(self).kept = type(self).kept or self.fresh()\n    return type(self).kept",
    )  # fmt: skip
    file_workload(workloads, "keeping_source")
    shutil.copy(workloads / "keeping_source.pt", workloads / f"{name}.pt")
    warm = launch()
    old, _ = pinned_by(warm, "train", **spec(name, tmp_path / "a"))
    file_workload(workloads, "keeping_source", shift=1)
    shutil.copy(workloads / "keeping_source.pt", workloads / f"{name}.pt")
    answer = warm.run("train", **spec(name, tmp_path / "b"), data_digest=old)[-1]
    assert answer["type"] == "result", answer
    new, _ = pinned_by(launch(), "train", **spec(name, tmp_path / "c"))
    assert new != old
    answer = warm.run("train", **spec(name, tmp_path / "d"), data_digest=new)[-1]
    assert answer == {"type": "refused", "data_digest": old, "error": "", "kept": True}


def test_examples_that_never_repeat_are_told_and_compared_to_nothing(runner, workloads, tmp_path):
    name = write_workload(
        workloads, "restless",
        "def data(self):\n"
        "    import numpy\n"
        "    class Noisy(list):\n"
        "        def __getitem__(self, index):\n"
        "            x, y = super().__getitem__(index)\n"
        "            return x + float(numpy.random.default_rng().random()), y\n"
        "    splits = super().data()\n"
        "    return Splits(Noisy(zip(*splits.train.tensors)), splits.validation)",
    )  # fmt: skip
    for pin in ("", OTHER):
        messages = runner.run("train", **spec(name, tmp_path), data_digest=pin)
        (finding,) = [message for message in messages if message["type"] == "finding"]
        assert (finding["rule"], finding["message"]) == ("data-unsteady", UNSTEADY)
        assert messages[-1]["type"] == "result"
    split = runner.run("split", workload=name, hash_key="00" * 32)[-1]
    assert (split["data_digest"], split["data_error"]) == ("", UNSTEADY)


@pytest.mark.parametrize("noisy", [False, True])
def test_steady_is_what_two_readings_agree_on(noisy):
    readings = iter(range(10))

    class Row(list):
        def __getitem__(self, index):
            return next(readings) if noisy else super().__getitem__(index)

    assert bool(steady_digest(Splits(Row([1]), Row([2])))) is not noisy


# --- files that a function or a program names --------------------------------------------------------------------
def function(folder, name, content="1\n2\n"):
    (folder / f"{name}.py").write_text(FUNCTION.format(name=name))
    (folder / name).mkdir(exist_ok=True)
    (folder / name / "a.csv").write_text(content)
    return name


def test_a_function_s_files_are_its_data(launch, workloads, tmp_path):
    name = function(workloads, "sums")
    process = launch()
    digest, messages = pinned_by(process, "objective", workload=name, trial=0)
    assert messages[-1]["value"] == 3.0
    described = [entry for entry in process.run("describe")[-1]["workloads"] if entry["name"] == name]
    assert described[0]["data_digest"] == digest
    assert process.run("objective", workload=name, trial=1, data_digest=digest)[-1]["value"] == 3.0
    function(workloads, name, "1\n5\n")
    answer = process.run("objective", workload=name, trial=2, data_digest=digest)[-1]
    assert (answer["type"], answer["kept"]) == ("refused", True)
    fresh = launch().run("objective", workload=name, trial=2, data_digest=digest)[-1]
    assert fresh == {**answer, "kept": False}


def test_a_warm_process_of_a_function_whose_files_have_changed_may_hold_the_old_ones(launch, workloads):
    name = function(workloads, "moves")
    process = launch()
    pinned_by(process, "objective", workload=name, trial=0)
    function(workloads, name, "4\n4\n")
    new, _ = pinned_by(launch(), "objective", workload=name, trial=0)
    answer = process.run("objective", workload=name, trial=1, data_digest=new)[-1]
    assert (answer["type"], answer["data_digest"], answer["kept"]) == ("refused", new, True)


def test_a_function_whose_files_are_missing_says_which(launch, workloads):
    name = function(workloads, "lacks")
    (workloads / name / "a.csv").unlink()
    process = launch()
    (entry,) = [entry for entry in process.run("describe")[-1]["workloads"] if entry["name"] == name]
    assert (entry["kind"], entry["data_digest"]) == ("objective", "")
    assert entry["error"] == f"DATA: the data pattern '{name}/*.csv' matches no file on this host"
    answer = process.run("objective", workload=name, trial=0, data_digest=OTHER)[-1]
    assert (answer["type"], answer["data_digest"]) == ("refused", "") and "matches no file" in answer["error"]
    answer = launch().run("objective", workload=name, trial=0, data_digest="")[-1]
    assert answer["type"] == "error" and "matches no file" in answer["message"]
    (workloads / f"{name}.py").unlink()  # the folder is shared, and others count what is broken in it


def test_a_program_s_files_are_compared_at_its_start(launch, workloads):
    table = {"metrics_from": "stdout", "data": ["weights.txt"]}
    write_program(workloads / "programs", "weighs", "print('{\"value\": 1}')\n", **table)
    (workloads / "programs" / "weights.txt").write_text("1\n")
    process = launch()
    digest, messages = pinned_by(process, "command", workload="weighs", trial=0)
    assert messages[-1]["value"] == 1
    (workloads / "programs" / "weights.txt").write_text("2\n")
    answer = process.run("command", workload="weighs", trial=1, data_digest=digest)[-1]
    assert (answer["type"], answer["kept"]) == ("refused", False), "a program starts anew each time"
    assert answer["data_digest"] not in ("", digest)
