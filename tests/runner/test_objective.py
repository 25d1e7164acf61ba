import time

import pytest

from tests.runner.specs import train_spec

HEAD = "from tuning.runner.objective import TrialPruned\n"


@pytest.fixture
def objective(runner, workloads):
    """Write an objective function of this body and start a trial of it."""

    def start(body, head=HEAD, **spec):
        lines = "".join(f"    {line}\n" for line in body.strip("\n").split("\n"))
        (workloads / "function.py").write_text(f"{head}\ndef objective(trial):\n{lines}")
        runner.start("objective", **({"workload": "function", "seed": 1, "trial": 4, "params": {}} | spec))
        return runner

    return start


def answer(runner, value):
    message = runner.until("suggest", "result", "error")[-1]
    assert message["type"] == "suggest", message
    runner.send("suggest_reply", id=message["id"], value=value)
    return message


def test_suggestions_are_answered_over_the_channel(objective):
    runner = objective(
        "x = trial.suggest_float('x', -5, 5)\n"
        "n = trial.suggest_int('n', 1, 8, log=True)\n"
        "k = trial.suggest_categorical('k', ['a', 'b', None])\n"
        "s = trial.suggest_float('s', 0, 1, step=0.25)\n"
        "assert (type(x), type(n)) == (float, int) and trial.number == 4\n"
        "assert trial.suggest_float('x', -5, 5) == x\n"
        "return x * n + (k == 'b') + s"
    )
    asked = [answer(runner, 2), answer(runner, 3), answer(runner, "b"), answer(runner, 0.75)]
    assert [(m["name"], m["distribution"]) for m in asked] == [
        ("x", {"type": "float", "low": -5.0, "high": 5.0}),
        ("n", {"type": "int", "low": 1, "high": 8, "log": True}),
        ("k", {"type": "categorical", "choices": ["a", "b", None]}),
        ("s", {"type": "float", "low": 0.0, "high": 1.0, "step": 0.25}),
    ]
    result = runner.answer()
    assert result["value"] == 7.75 and result["state"] == "complete" and result["stopped"] is False
    assert result["params"] == {"x": 2, "n": 3, "k": "b", "s": 0.75} and result["constraints"] == []


def test_known_values_need_no_round_trip_unless_they_do_not_fit(objective):
    runner = objective(
        "return trial.suggest_float('x', 0, 1) + trial.suggest_float('y', 0, 1)", params={"x": 0.25, "y": 7.0}
    )
    assert answer(runner, 0.5)["name"] == "y"
    assert runner.answer()["value"] == 0.75


def test_reports_are_steps_and_a_stop_prunes(objective):
    runner = objective(
        "for step in range(1, 100_000):\n"
        "    decision = trial.report(1 / step, step)\n"
        "    if trial.should_prune():\n"
        "        assert decision in ('continue', 'stop')\n"
        "        raise TrialPruned\n"
    )
    first = runner.until("step")[-1]
    assert (first["step"], first["metrics"]) == (1, {"value": 1.0}) and abs(first["wall"] - time.time()) < 60
    runner.send("stop")
    messages = runner.until("result", "error")
    assert messages[-1]["state"] == "stopped" and messages[-1]["stopped"] is True
    last = messages[-2] if len(messages) > 1 else first  # it may stop before it reports again
    assert messages[-1]["value"] == last["metrics"]["value"]


def test_numbers_of_the_test_set_are_reported_and_never_noted(objective):
    runner = objective(
        "trial.report({'value': 0.5, 'test/accuracy': 0.75}, 3)\n"
        "trial.set_user_attr('test_f1', 0.25)\n"
        "trial.set_user_attr('scores', {'test': [0.25], 'validation': [0.5]})\n"
        "trial.set_user_attr('Loss/test', [0.25])\n"
    )
    *steps, result = runner.until("result", "error")
    assert [(m["step"], m["metrics"]) for m in steps] == [
        (3, {"value": 0.5, "test/accuracy": 0.75}), (3, {"test_f1": 0.25}),
    ]  # fmt: skip
    assert result["user_attrs"] == {"scores": {"test": "sealed", "validation": [0.5]}, "Loss/test": "sealed"}


@pytest.mark.parametrize(
    "head",
    [HEAD, "from tuning.client import TrialPruned\n", "class TrialPruned(Exception): ...\n"],
    ids=["runner", "client", "foreign"],
)
def test_a_function_prunes_itself_with_any_librarys_exception(objective, head):
    runner = objective("trial.report({'value': 0.5, 'other': float('nan')}, 3)\nraise TrialPruned", head=head)
    messages = runner.until("result", "error")
    assert messages[-1]["state"] == "pruned" and messages[-1]["value"] == 0.5
    assert messages[0]["metrics"]["other"] != messages[0]["metrics"]["other"], "NaN travels"


def test_a_stop_while_waiting_for_a_suggestion_ends_the_trial(objective):
    runner = objective("return trial.suggest_float('x', 0, 1)")
    runner.until("suggest")
    runner.send("pause")
    result = runner.answer()
    assert result["state"] == "stopped" and result["stopped"] == "pause" and result["value"] is None


def test_constraints_attributes_and_facts_travel(objective):
    runner = objective(
        "import random, torch\n"
        "trial.set_constraint('memory', 0.5)\n"
        "trial.set_constraint('time', -1)\n"
        "trial.set_user_attr('note', ['kept'])\n"
        "assert (trial.resource, trial.resume_step, trial.seed) == (9, 2, 1)\n"
        "return random.random() + float(torch.rand(1))",
        resource=9,
        resume_step=2,
    )
    first = runner.answer()
    assert first["constraints"] == [0.5, -1.0] and first["user_attrs"] == {"note": ["kept"]}
    runner.start("objective", workload="function", seed=1, trial=4, params={}, resource=9, resume_step=2)
    assert runner.answer()["value"] == first["value"], "everything is seeded"


def test_the_value_may_be_left_to_the_reports(objective):
    result = objective("trial.report(0.5, 1)").answer()
    assert result["value"] is None and result["state"] == "complete"


@pytest.mark.parametrize(
    ("body", "code", "complaint"),
    [
        ("return float('nan')", "diverged", "The objective function returned nan."),
        (
            "return 1 / 0",
            "code_error",
            "ZeroDivisionError: division by zero (function.py, line 4, in objective)",
        ),
        ("return None", "code_error", "TypeError: the objective function must return one number, not None"),
        (
            "return [1.0, 2.0]",
            "code_error",
            "TypeError: the objective function must return one number, not [1.0",
        ),
        (
            "return trial.suggest_float('x', 1, 0)",
            "code_error",
            "SuggestionError: 'x': low (1.0) is above high (0.0)",
        ),
        (
            "return trial.suggest_float('x', 0, 1, log=True)",
            "code_error",
            "SuggestionError: 'x': with log=True low",
        ),
        (
            "return trial.suggest_int('x', 0.5, 2)",
            "code_error",
            "SuggestionError: 'x': the bounds and the step of an",
        ),
        (
            "return trial.suggest_categorical('x', [])",
            "code_error",
            "SuggestionError: 'x': there are no choices",
        ),
        (
            "return trial.suggest_categorical('x', [[1]])",
            "code_error",
            "SuggestionError: 'x': a choice is a number",
        ),
        (
            "trial.report(1.0, 0)",
            "code_error",
            "ValueError: report: the step is a whole number of at least 1, not 0",
        ),
        ("trial.report('low', 1)", "code_error", "TypeError: report must take one number, not 'low'"),
        (
            "trial.set_user_attr('a', {1})",
            "code_error",
            "ProtocolError: the message of type 'attribute' cannot be",
        ),
        ("raise ValueError('x' * 9000)", "code_error", "ValueError: xxx"),
        ("raise MemoryError", "out_of_memory", "MemoryError"),
        (
            "raise OSError(28, 'No space left on device')",
            "disk_full",
            "OSError: [Errno 28] No space left on device",
        ),
    ],
)
def test_a_faulty_function_is_answered_by_reason_and_line(objective, body, code, complaint):
    error = objective(body).answer()
    assert error["type"] == "error" and error["reason_code"] == code
    assert error["message"].startswith(complaint), error["message"]
    assert len(error["message"]) < 2_200


def test_a_name_keeps_its_range(objective):
    runner = objective("trial.suggest_float('x', 0, 1)\ntrial.suggest_float('x', 0, 2)")
    answer(runner, 0.5)
    assert "use another name for another range" in runner.answer()["message"]


def test_a_refused_or_unfit_suggestion_is_explained(objective):
    runner = objective("return trial.suggest_float('x', 0, 1)")
    message = runner.until("suggest")[-1]
    runner.send("suggest_reply", id=message["id"], error="x was an int before")
    assert "no value for 'x': x was an int before" in runner.answer()["message"]
    runner = objective("return trial.suggest_float('x', 0, 1)")
    answer(runner, 3.0)
    assert "the worker suggested 3.0 for 'x', outside of" in runner.answer()["message"]


def test_the_kinds_of_workloads_are_not_mixed_up(objective, runner, tmp_path):
    error = objective("return 0.0", workload="digits_mlp").answer()
    assert "is a PyTorch workload, not an objective function" in error["message"]
    error = runner.run("train", **train_spec(tmp_path, workload="function"))[-1]
    assert "is an objective function, not a PyTorch workload" in error["message"]
