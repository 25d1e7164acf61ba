import os
import resource
import signal
import time

import pytest
import torch

from tests.runner.specs import MLP, steps, train_spec, write_workload


def test_a_training_reports_steps_and_checkpoints_and_one_result(runner, tmp_path):
    before = time.time()
    messages = runner.run("train", **train_spec(tmp_path))
    kinds = [m["type"] for m in messages]
    assert kinds.count("step") == 3 and kinds.count("result") == 1 and kinds[-1] == "result"
    found = steps(messages)
    assert list(found) == [1, 2, 3]
    assert set(found[1]) == {"train/loss", "train/accuracy", "validation/loss", "validation/accuracy"}
    assert found[3]["train/loss"] < found[1]["train/loss"]
    assert all(before <= m["wall"] <= time.time() for m in messages if m["type"] == "step")

    last = [m for m in messages if m["type"] == "checkpoint" and m["kind"] == "last"]
    assert [m["step"] for m in last] == [1, 2, 3]
    assert last[-1]["path"] == str(tmp_path / "last-3-f1.pt")
    assert all(os.path.exists(m["path"]) for m in messages if m["type"] == "checkpoint")

    result = messages[-1]
    assert result["steps"] == 3 and result["stopped"] is False
    assert result["parameters"] == 64 * 64 + 64 + 64 * 64 + 64 + 64 * 10 + 10
    assert result["device"] and result["seconds"] > 0 and result["peak_memory"] > 10 << 20


def test_a_warm_process_gives_the_numbers_of_the_first_time(runner, tmp_path):
    first = runner.run("train", **train_spec(tmp_path / "a"))
    runner.run("train", **train_spec(tmp_path / "b", seed=4))
    again = runner.run("train", **train_spec(tmp_path / "c"))
    assert steps(first) == steps(again)


def test_resumed_after_kill_9_equals_uninterrupted(runner, launch, tmp_path):
    straight = runner.run("train", **train_spec(tmp_path / "straight", epochs=6))

    process = launch()
    process.start("train", **train_spec(tmp_path / "killed", epochs=6))
    seen = process.until("checkpoint")
    while seen[-1]["step"] < 2 or seen[-1]["kind"] != "last":
        seen += process.until("checkpoint")
    os.kill(process.process.pid, signal.SIGKILL)
    assert process.process.wait(10) == -signal.SIGKILL

    accepted = [m for m in seen if m["type"] == "checkpoint" and m["kind"] == "last"][-1]
    spec = train_spec(tmp_path / "killed", epochs=6, fence=2, resume_from=accepted["path"])
    resumed = runner.run("train", **spec)
    assert min(steps(resumed)) == accepted["step"] + 1
    assert steps(seen) | steps(resumed) == steps(straight)
    assert resumed[-1]["steps"] == 6

    left = torch.load(tmp_path / "straight" / "last-6-f1.pt", weights_only=True)
    right = torch.load(tmp_path / "killed" / "last-6-f2.pt", weights_only=True)
    assert all(torch.equal(left["model"][key], right["model"][key]) for key in left["model"])


@pytest.mark.parametrize(("request_", "stopped"), [("stop", True), ("pause", "pause")])
def test_a_request_ends_the_training_promptly_with_its_last_checkpoint(runner, tmp_path, request_, stopped):
    runner.start("train", **train_spec(tmp_path, epochs=100_000, max_epochs=100_000))
    seen = runner.until("checkpoint")
    sent = time.monotonic()
    runner.send(request_)
    seen += runner.until("result", "error")
    assert time.monotonic() - sent < 1.0
    assert seen[-1]["stopped"] == stopped and type(seen[-1]["stopped"]) is type(stopped)
    last = [m for m in seen if m["type"] == "checkpoint" and m["kind"] == "last"][-1]
    assert seen[-1]["steps"] == last["step"] == max(steps(seen))


def test_a_stop_that_crossed_the_result_does_not_touch_the_next_job(runner, tmp_path):
    runner.run("train", **train_spec(tmp_path / "a", epochs=1))
    runner.send("stop")
    messages = runner.run("train", **train_spec(tmp_path / "b", epochs=2))
    assert messages[-1]["stopped"] is False and messages[-1]["steps"] == 2


def test_a_loss_that_is_not_finite_is_diverged_with_epoch_rate_and_remedy(runner, workloads, tmp_path):
    methods = "def loss(self, output, target):\n    return super().loss(output, target) * float('nan')"
    name = write_workload(workloads, "nan_loss", methods)
    params = {"lr": 0.5, "dropout": 0.1, "l1": 0.0, "batch_size": 16}
    error = runner.run("train", **train_spec(tmp_path, workload=name, params=params))[-1]
    assert error["type"] == "error" and error["reason_code"] == "diverged"
    assert error["message"].startswith("The training loss became nan in epoch 1, at a learning rate of 0.0")
    assert error["remedy"].startswith("Lower the upper end of the range of 'lr' (here 0.5)")
    assert error["traceback"] == ""


def test_a_rate_that_is_too_high_diverges_on_real_data(runner, tmp_path):
    spec = train_spec(tmp_path, workload="diabetes_mlp", params=MLP | {"lr": 1e20}, epochs=6)
    error = runner.run("train", **spec)[-1]
    assert error["reason_code"] == "diverged" and "1e+20" in error["message"]


def test_an_error_in_the_users_code_carries_its_line_and_traceback(runner, workloads, tmp_path):
    name = write_workload(
        workloads, "clumsy", "def build_model(self, params):\n    return params['width'] * 2"
    )
    error = runner.run("train", **train_spec(tmp_path, workload=name))[-1]
    assert error["reason_code"] == "code_error"
    assert error["message"].startswith("KeyError: 'width' (clumsy.py, line ")
    assert error["message"].endswith(", in build_model)")
    assert "return params['width'] * 2" in error["traceback"]
    assert error["remedy"].startswith("Correct the workload's code")
    assert runner.run("train", **train_spec(tmp_path))[-1]["type"] == "result", "the process goes on"


def test_an_exit_in_the_users_code_is_an_error_of_the_trial(runner, workloads, tmp_path):
    name = write_workload(workloads, "leaver", "def data(self):\n    raise SystemExit('no data')")
    error = runner.run("train", **train_spec(tmp_path, workload=name))[-1]
    assert error["reason_code"] == "code_error" and "SystemExit: no data" in error["message"]
    assert "calls exit()" in error["remedy"]


def test_running_out_of_memory_says_what_to_lower(runner, workloads, tmp_path):
    methods = "def build_model(self, params):\n    return torch.nn.Linear(2**24, 2**24)"
    name = write_workload(workloads, "greedy", methods)
    params = {"lr": 0.1, "units": 2**24, "batch_size": 16}
    error = runner.run("train", **train_spec(tmp_path, workload=name, params=params))[-1]
    assert error["reason_code"] == "out_of_memory"
    assert "'units' (here 16777216), 'batch_size' (here 16)" in error["remedy"]


def test_a_full_disk_is_its_own_reason_and_loses_nothing(runner, tmp_path):
    """The system refuses the process files of more than 64 KiB, which a checkpoint is: a real failed write."""
    straight = runner.run("train", **train_spec(tmp_path / "straight"))
    first = runner.run("train", **train_spec(tmp_path / "full", epochs=1))
    path = str(tmp_path / "full" / "last-1-f1.pt")
    soft, hard = resource.prlimit(runner.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(runner.process.pid, resource.RLIMIT_FSIZE, (1 << 16, hard))
    try:
        full = runner.run("train", **train_spec(tmp_path / "full", resume_from=path, fence=2))
    finally:
        resource.prlimit(runner.process.pid, resource.RLIMIT_FSIZE, (soft, hard))
    error = full[-1]
    assert error["type"] == "error" and error["reason_code"] == "disk_full"
    assert "no room for the checkpoint" in error["message"] and "last-2-f2.pt" in error["message"]
    assert error["remedy"].startswith("Free space") and "The last checkpoint is untouched" in error["remedy"]
    again = runner.run("train", **train_spec(tmp_path / "full", resume_from=path, fence=3))
    assert steps(first) | steps(again) == steps(straight)


def test_a_trial_that_asks_for_test_data_is_refused(runner, workloads, tmp_path):
    methods = (
        "def data(self):\n    return Splits(super().data().train, self.test_data())\n"
        "def test_data(self):\n    return super().data().validation"
    )
    name = write_workload(workloads, "cheat", methods)
    error = runner.run("train", **train_spec(tmp_path, workload=name))[-1]
    assert error["reason_code"] == "code_error"
    assert error["message"].startswith("A trial called test_data(). The test split is sealed")
    assert error["remedy"].startswith("Use the validation split")


def test_a_checkpoint_that_is_damaged_or_anothers_is_explained(runner, tmp_path):
    messages = runner.run("train", **train_spec(tmp_path, epochs=1))
    path = messages[-2]["path"]
    error = runner.run("train", **train_spec(tmp_path, seed=4, resume_from=path))[-1]
    assert (
        error["reason_code"] == "code_error" and "belongs to another trial: its seed is 3" in error["message"]
    )
    with open(path, "r+b") as file:
        file.truncate(100)
    error = runner.run("train", **train_spec(tmp_path, resume_from=path))[-1]
    assert "damaged" in error["message"] and "restore the file" in error["remedy"]


def test_prints_are_logs_and_never_messages(runner, workloads, tmp_path):
    methods = (
        "def data(self):\n"
        "    import sys\n"
        '    print(\'{"type": "result"}\')\n'
        "    print('to the other stream', file=sys.stderr)\n"
        "    return super().data()"
    )
    name = write_workload(workloads, "talker", methods)
    params = {"lr": 0.1, "dropout": 0.1, "l1": 0.0, "batch_size": 16}
    messages = runner.run("train", **train_spec(tmp_path, workload=name, params=params, epochs=1))
    assert messages[-1]["steps"] == 1
    assert '{"type": "result"}' in runner.log.read_text() and "to the other stream" in runner.log.read_text()


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"workload": "flowers"}, "There is no workload 'flowers'; there are breast_cancer_mlp,"),
        ({"epochs": "3"}, "The spec's 'epochs' is of type int, not '3'."),
        ({"params": None}, "The spec's 'params' is of type dict, not None."),
        ({"seed": -1}, "The spec's 'seed' lies between 0 and"),
        ({"device": "cuda:7"}, "Device 'cuda:7' is unknown; it is 'cpu' or 'cuda'."),
    ],
)
def test_a_spec_with_a_fault_is_answered_by_name(runner, tmp_path, changes, complaint):
    error = runner.run("train", **train_spec(tmp_path, **changes))[-1]
    assert error["reason_code"] == "code_error" and error["message"].startswith(complaint)


def test_a_model_above_a_limit_is_not_trained_and_no_data_are_read(runner, workloads, tmp_path):
    methods = """
def data(self):
    raise OSError("data were read")

def input_example(self):
    return torch.empty(4)
"""
    name = write_workload(workloads, "limited", methods)
    params = {"lr": 0.1, "dropout": 0.5, "l1": 1e-4, "batch_size": 16}
    spec = train_spec(tmp_path, workload=name, params=params, constraints={"parameters": 100, "flops": 10**9})
    messages = runner.run("train", **spec)
    assert [m["type"] for m in messages] == ["result"]
    result = messages[0]
    assert result["state"] == "infeasible" and result["constraints"][0] == pytest.approx(146 / 100 - 1)
    assert result["constraints"][1] < 0
    assert result["footprint"]["parameters"] == 146 and result["footprint"]["memory"] > 146 * 4
    assert not list(tmp_path.glob("*.pt"))


def test_a_model_within_its_limits_is_trained_as_without_and_says_its_size(runner, tmp_path):
    free = runner.run("train", **train_spec(tmp_path / "free"))
    limits = {"parameters": 10_000, "memory": 10**9, "flops": 10**6}
    limited = runner.run("train", **train_spec(tmp_path / "limited", constraints=limits))
    assert steps(free) == steps(limited), "counting draws no random numbers"
    assert limited[-1]["footprint"]["parameters"] == limited[-1]["parameters"]
    assert len(limited[-1]["constraints"]) == 3 and max(limited[-1]["constraints"]) < 0
    assert "constraints" not in free[-1]


def test_what_has_trained_already_goes_on_above_a_limit_that_came_later(runner, tmp_path):
    first = runner.run("train", **train_spec(tmp_path, epochs=2))
    last = [m["path"] for m in first if m["type"] == "checkpoint" and m["kind"] == "last"][-1]
    spec = train_spec(tmp_path, epochs=3, fence=2, resume_from=last, constraints={"parameters": 10})
    resumed = runner.run("train", **spec)
    assert list(steps(resumed)) == [3] and "constraints" not in resumed[-1]


def test_a_model_that_cannot_be_counted_fails_in_plain_words(runner, workloads, tmp_path):
    methods = """
def build_model(self, params):
    model = super().build_model(params)
    if float(model[0].weight.sum()) > 1e9:
        raise RuntimeError
    return model
"""
    name = write_workload(workloads, "uncountable", methods)
    params = {"lr": 0.1, "dropout": 0.5, "l1": 1e-4, "batch_size": 16}
    spec = train_spec(tmp_path, workload=name, params=params, constraints={"parameters": 100})
    error = runner.run("train", **spec)[-1]
    assert (error["type"], error["reason_code"]) == ("error", "code_error")
    assert "build_model() fails on torch's meta device" in error["message"]
    assert "take the limits on the model away" in error["message"]
