"""The kind "preflight" in the real trial process."""

import subprocess
import sys

from tests.runner.conftest import ROOT
from tests.runner.specs import write_workload

PARABOLA = '''
SPACE = {"x": {"type": "float", "low": -1.0, "high": 3.0}}
DATA = ("missing/*.csv",)
def objective(trial):
    return trial.suggest_float("x", -1.0, 3.0) ** 2
'''


def test_each_check_is_sent_as_it_ends_and_the_process_trains_no_more(launch):
    runner = launch()
    runner.until("hello")
    *checks, result = runner.run("preflight", workload="diabetes_mlp")
    assert [check["type"] for check in checks] == ["check"] * len(checks)
    assert [{k: v for k, v in check.items() if k != "type"} for check in checks] == result["checks"]
    assert {check["status"] for check in checks} <= {"passed", "info"} and result["gated"]
    assert result["parameters"] == 1441 and result["seconds_per_epoch"] > 0 and result["device"]
    assert result["params"]["units"] == 32 and not result["stopped"]
    runner.send("rest")
    rested = runner.until("rested")[-1]
    assert not rested["reusable"] and "reads test data" in rested["why"]


def test_given_params_are_those_that_are_checked(runner, workloads):
    params = {"lr": 0.1, "dropout": 0.5, "l1": 1e-4, "batch_size": 16}
    name = write_workload(workloads, "parametrised", "pass")
    result = runner.run("preflight", workload=name, params=params)[-1]
    assert result["params"] == params and result["checks"][0]["status"] == "passed"
    missing = runner.run("preflight", workload=name)[-1]  # its space lacks what build_model() reads
    first = missing["checks"][0]
    assert first["status"] == "failed" and "build_model() raised KeyError" in first["says"]


def test_a_function_gets_the_checks_that_apply_and_none_holds_it_back(runner, workloads):
    path = workloads / "dish.py"
    path.write_text(PARABOLA.replace('DATA = ("missing/*.csv",)\n', ""))
    *checks, result = runner.run("preflight", workload="dish")
    path.unlink()
    assert {check["rule"]: check["status"] for check in checks} == {
        "RUNS": "passed", "DEFAULTS": "passed", "DATA-FILES": "skipped", "INSIDE": "skipped",
    }  # fmt: skip
    assert result["params"] == {"x": 1.0} and result["gated"] is False and result["parameters"] is None


def test_a_program_is_asked_for_its_command_line(runner, workloads):
    folder = workloads / "programs"
    folder.mkdir(exist_ok=True)
    file = folder / "programs.toml"
    (folder / "train.py").write_text("print()")
    file.write_text(
        '[dosed]\ncommand = ["{python}", "train.py", "--lr", "{lr}"]\nmetric = "loss"\ndirection = "minimize"\n'
        'space.lr = { type = "float", low = 1e-4, high = 1e-2, log = true }\n'
    )
    *checks, result = runner.run("preflight", workload="dosed")
    file.unlink()
    assert [check["status"] for check in checks] == ["passed", "passed", "skipped", "skipped"]
    assert abs(result["params"]["lr"] - 1e-3) < 1e-9 and result["gated"] is False


def test_an_unknown_workload_is_an_error_with_the_names(runner):
    assert "there are breast_cancer_mlp" in runner.run("preflight", workload="nothing")[-1]["message"]


def test_no_trial_waits_for_what_only_a_preflight_imports():
    code = "import sys, tuning.runner.session; print([m for m in ('sklearn', 'scipy.stats') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert found.stdout.strip() == "[]"
