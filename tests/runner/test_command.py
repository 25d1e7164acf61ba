"""The kind "command": real programs under the real trial process, through client and through printed lines."""

import json
import math
import os
import sys
import time
from pathlib import Path

import pytest

from tests.runner.programs import allow, write_program
from tuning.runner.command_process import descendants

REPORTS = """
from hpweb_client import current_trial

trial = current_trial()
for step in range(1, (trial.resource or 3) + 1):
    decision = trial.report(step, {"validation/loss": trial.params["lr"] / step}, speed=2)
    if decision != "continue":
        print("told", decision)
        break
"""


@pytest.fixture
def programs(workloads: Path) -> Path:
    """The folder whose programs.toml the shared process reads, empty for each test."""
    folder = workloads / "programs"
    if folder.exists():
        for path in folder.iterdir():
            path.unlink() if path.is_file() else None
    folder.mkdir(exist_ok=True)
    return folder


def spec(name, **fields):
    return {"workload": name, "trial": 7, "params": {"lr": 0.5}, "seed": 11, **fields}


def steps_of(messages):
    return [(m["step"], m["metrics"]) for m in messages if m["type"] == "step"]


def wait_for(path, seconds=30.0):
    deadline = time.monotonic() + seconds
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < deadline, f"{path} was not written"
        time.sleep(0.02)
    return path.read_text()


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


# --- parameters in, metrics out --------------------------------------------------------------------------------
def test_a_client_gets_its_parameters_and_reports(runner, programs):
    write_program(programs, "reports", REPORTS)
    messages = runner.run("command", **spec("reports", resource=4))
    assert steps_of(messages) == [(n, {"validation/loss": 0.5 / n, "speed": 2.0}) for n in (1, 2, 3, 4)]
    result = messages[-1]
    assert (result["type"], result["value"], result["state"], result["stopped"]) == ("result", None, "complete", False)


def test_arguments_environment_and_file_hold_the_same_parameters(runner, programs, tmp_path):
    out = tmp_path / "out.json"
    write_program(
        programs,
        "looks",
        "import json, os, sys\n"
        "names = ('HPWEB_PARAMS', 'HPWEB_TRIAL', 'HPWEB_SEED', 'HPWEB_RESOURCE', 'RATE', 'BATCH')\n"
        "found = [sys.argv[1:], {n: os.environ.get(n) for n in names}, json.load(open(sys.argv[-1])), os.getcwd()]\n"
        f"json.dump(found, open({str(out)!r}, 'w'))\n"
        "print('{\"value\": 0.25}')\n",
        command=[
            "{python}", "looks.py", "--lr={lr}", "--opt", "{opt}", ["--momentum", "{momentum}"], ["--batch", "{batch}"],
            "{trial}", "{params_file}",
        ],
        space={
            "lr": {"type": "float", "low": 1e-9, "high": 1.0},
            "opt": {"type": "categorical", "choices": ["sgd", "a $(touch x) `b`; c"]},
            "momentum": {"type": "float", "low": 0, "high": 1, "when": {"opt": ["adam"]}},
            "batch": {"type": "int", "low": 1, "high": 64},
        },
        environment={"RATE": "{lr}", "BATCH": "{momentum}"},
        metrics_from="stdout",
    )  # fmt: skip
    params = {"lr": 1e-7, "opt": "a $(touch x) `b`; c", "batch": 32}
    result = runner.run("command", **spec("looks", params=params, resource=9))[-1]
    assert (result["type"], result.get("value")) == ("result", 0.25), result
    arguments, environment, document, folder = json.loads(out.read_text())
    assert arguments[:-1] == ["--lr=1e-07", "--opt", "a $(touch x) `b`; c", "--batch", "32", "7"]
    assert json.loads(environment.pop("HPWEB_PARAMS")) == document == params
    assert environment == {
        "HPWEB_TRIAL": "7", "HPWEB_SEED": "11", "HPWEB_RESOURCE": "9", "RATE": "1e-07", "BATCH": None,
    }  # fmt: skip
    assert folder == str(programs)
    assert not (programs / "x").exists()


def test_printed_lines_are_metrics_and_all_else_is_log(runner, programs):
    lines = [
        "starting {not json}",
        '{"epoch": 1}',
        '{"step": 1, "validation/loss": 0.5, "note": "warm"}',
        '{"step": 2, "metrics": {"validation/loss": NaN}}',
        '{"step": 3, "validation/loss": null, "lr": "Infinity"}',
        '{"step": 4, "note": "no numbers"}',
        '{"value": 0.125, "constraints": [-1, 2.5]}',
        '{"step": 5, "validation/loss": 0.25}',
    ]
    write_program(
        programs,
        "prints",
        f"import sys; sys.stdout.write({chr(10).join(lines)!r})",  # the last line has no newline
        metrics_from="stdout",
    )
    messages = runner.run("command", **spec("prints"))
    found = steps_of(messages)
    assert found[0] == (1, {"validation/loss": 0.5}) and found[-1] == (5, {"validation/loss": 0.25})
    assert [step for step, _ in found] == [1, 2, 3, 5]
    assert math.isnan(found[1][1]["validation/loss"]) and found[2][1]["lr"] == math.inf
    assert (messages[-1]["value"], messages[-1]["constraints"]) == (0.125, [-1.0, 2.5])


@pytest.mark.parametrize(
    ("program", "arguments"),
    [
        ("awk", [r'BEGIN {for (i = 1; i < 4; i++) printf "{\"step\": %d, \"validation/loss\": %g}\n", i, {lr} / i}']),
        ("perl", ["-e", 'printf qq({"step": %d, "validation/loss": %g}\\n), $_, $ARGV[0] / $_ for 1 .. 3', "{lr}"]),
        ("sh", ["curve.sh", "{lr}"]),
    ],
)  # fmt: skip
def test_any_language_that_can_print_is_enough(runner, programs, program, arguments):
    (programs / "curve.sh").write_text(
        'for i in 1 2 3; do printf \'{"step": %d, "validation/loss": %s}\\n\' $i "$(awk "BEGIN {print $1 / $i}")"; done'
    )
    allow(programs, "curve", command=[program, *arguments], metrics_from="stdout")
    messages = runner.run("command", **spec("curve"))
    assert [step for step, _ in steps_of(messages)] == [1, 2, 3], messages[-1]
    assert steps_of(messages)[1][1]["validation/loss"] == pytest.approx(0.25)


def test_a_wrapper_that_closes_descriptors_hides_nobody(runner, programs):
    write_program(programs, "reports", REPORTS)
    (programs / "wrapper.py").write_text("import subprocess, sys; sys.exit(subprocess.run(sys.argv[1:]).returncode)\n")
    allow(programs, "wrapped", command=["{python}", "wrapper.py", "{python}", "reports.py"])
    assert len(steps_of(runner.run("command", **spec("wrapped")))) == 3


def test_a_process_that_the_program_forks_reports_for_itself(runner, programs):
    code = """
import os
from hpweb_client import current_trial
trial = current_trial()
trial.report(1, {"validation/loss": 1})
if (child := os.fork()) == 0:
    trial.report(2, {"validation/loss": 2})
    os._exit(0)
os.waitpid(child, 0)
trial.report(3, {"validation/loss": 3})
"""
    write_program(programs, "forks", code)
    assert [step for step, _ in steps_of(runner.run("command", **spec("forks")))] == [1, 2, 3]


def test_a_report_that_cannot_be_taken_is_the_client_s_error(runner, programs):
    write_program(programs, "odd", "from hpweb_client import current_trial\ncurrent_trial().report(-1, {'loss': 1})\n")
    error = runner.run("command", **spec("odd"))[-1]
    assert "ReportRefused" in error["message"] and "not -1" in error["message"]
    code = """
import json, os, socket
sock = socket.socket(socket.AF_UNIX)
sock.connect(os.environ["HPWEB_SOCKET"])
lines = sock.makefile("rw")
greeting = json.loads(lines.readline())
answers = []
for line in ("no json", "[]", '{"type": "x"}', '{"type": "report", "step": 1, "metrics": {"a": "b"}}',
             '{"type": "report", "step": 1, "metrics": {"validation/loss": "NaN"}}'):
    lines.write(line + "\\n"); lines.flush()
    answers.append(json.loads(lines.readline()))
assert ["error" in answer for answer in answers] == [True, True, True, True, False], answers
"""
    write_program(programs, "speaks", code)
    messages = runner.run("command", **spec("speaks"))
    assert messages[-1]["type"] == "result", messages[-1]
    assert len(steps_of(messages)) == 1


# --- how it ends -----------------------------------------------------------------------------------------------
def test_a_stop_reaches_the_client_with_its_next_report(runner, programs):
    write_program(programs, "endless", REPORTS.replace("(trial.resource or 3)", "10**9"))
    runner.start("command", **spec("endless"))
    runner.until("step")
    runner.send("stop")
    result = runner.answer()
    assert (result["type"], result["stopped"], result["state"]) == ("result", True, "stopped")
    runner.start("command", **spec("endless"))
    runner.until("step")
    runner.send("pause")
    assert runner.answer()["stopped"] == "pause"


def test_a_client_is_told_to_end_at_its_resource(runner, programs):
    write_program(programs, "endless", REPORTS.replace("(trial.resource or 3)", "10**9"))
    messages = runner.run("command", **spec("endless", resource=5))
    assert len(steps_of(messages)) == 5
    assert (messages[-1]["state"], messages[-1]["stopped"]) == ("complete", False)


PRINTS = """
import signal, sys, time
{handler}
for step in range(1, 10**9):
    print('{{"step": %d, "validation/loss": 1.0}}' % step, flush=True)
    time.sleep(0.01)
"""


@pytest.mark.parametrize("handler", ["", "signal.signal(signal.SIGTERM, signal.SIG_IGN)"])
def test_a_program_that_only_prints_gets_sigterm_and_then_sigkill(runner, programs, handler):
    code = PRINTS.format(handler=handler)
    write_program(programs, "prints", code, metrics_from="stdout", grace_seconds=0.5)
    runner.start("command", **spec("prints"))
    runner.until("step")
    runner.send("stop")
    result = runner.answer()
    assert (result["type"], result["stopped"]) == ("result", True)
    assert descendants(runner.process.pid) == []


def test_a_client_that_does_not_heed_is_ended(runner, programs):
    code = "from hpweb_client import current_trial\nimport time\ncurrent_trial().report(1, loss=1)\ntime.sleep(600)\n"
    write_program(programs, "sleeps", code, grace_seconds=0.2)
    runner.start("command", **spec("sleeps"))
    runner.until("step")
    runner.send("stop")
    assert runner.answer()["stopped"] is True


def test_should_stop_asks_at_once(runner, programs):
    code = """
from hpweb_client import current_trial
import time
trial = current_trial()
trial.report(1, loss=1)
while not trial.should_stop:
    time.sleep(0.01)
print("seen")
"""
    write_program(programs, "looks", code, grace_seconds=600)
    runner.start("command", **spec("looks"))
    runner.until("step")
    runner.send("stop")
    assert runner.answer()["stopped"] is True


def test_an_exit_code_fails_with_the_last_words(runner, programs):
    write_program(
        programs, "fails", "import sys\nprint('fine')\nsys.stderr.write('one\\ntwo\\n')\nraise ValueError('bad lr')\n"
    )
    error = runner.run("command", **spec("fails"))[-1]
    assert (error["type"], error["reason_code"]) == ("error", "code_error")
    assert "exit code 1" in error["message"] and "ValueError: bad lr" in error["message"]
    assert error["traceback"].startswith("one\ntwo\nTraceback") and "line 4" in error["traceback"]


def test_memory_that_ran_out_is_told_as_such(runner, programs):
    write_program(programs, "hungry", "raise MemoryError")
    error = runner.run("command", **spec("hungry", params={"lr": 0.5, "units": 10**6}))[-1]
    assert error["reason_code"] == "out_of_memory" and "units" in error["remedy"]


def test_a_crash_is_the_program_s_and_named(runner, programs):
    write_program(programs, "crashes", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    error = runner.run("command", **spec("crashes"))[-1]
    assert error["reason_code"] == "code_error" and "SIGSEGV" in error["message"]


def test_a_program_killed_from_outside_takes_its_process_along(launch, programs):
    """The worker sees what it is: a process that was lost, to be tried again."""
    process = launch()
    write_program(programs, "killed", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    process.start("command", **spec("killed"))
    assert process.process.wait(60) == -9


def test_a_value_that_is_not_finite_is_a_divergence(runner, programs):
    write_program(programs, "nan", "from hpweb_client import current_trial\ncurrent_trial().tell(float('nan'))\n")
    assert runner.run("command", **spec("nan"))[-1]["reason_code"] == "diverged"


@pytest.mark.parametrize("source", ["client", "stdout"])
def test_a_metric_of_the_test_set_is_reported_and_its_number_not_in_the_log(launch, programs, source):
    prints = """import sys
print('{"step": 1, "validation/loss": 0.5, "Test_accuracy": 0.918273}')
print("the line before is", {"test_acc": 0.918273}, file=sys.stderr)
print("a word", file=sys.stderr)
"""
    reports = "from hpweb_client import current_trial\ncurrent_trial().report(1, {'Test_accuracy': 0.918273})\n"
    write_program(programs, "peeks", prints if source == "stdout" else reports, metrics_from=source)
    process = launch()
    messages = process.run("command", **spec("peeks"))
    assert messages[-1]["type"] == "result", messages[-1]
    ((step, metrics),) = steps_of(messages)
    assert (step, metrics["Test_accuracy"]) == (1, 0.918273)
    log = process.log.read_text()
    assert "918273" not in log
    assert source == "client" or ('"Test_accuracy": "sealed"' in log and "a word" in log)


def test_the_last_words_of_a_failing_program_hold_no_number_of_the_test_set(runner, programs):
    write_program(programs, "fails", "import sys\nsys.exit(str({'test/f1': 0.918273, 'epoch': 3}))\n")
    error = runner.run("command", **spec("fails"))[-1]
    assert "'epoch': 3" in error["message"] and "918273" not in json.dumps(error)


def test_a_number_of_the_test_set_that_is_none_is_refused_without_it(runner, programs):
    code = "from hpweb_client import current_trial\ncurrent_trial().report(1, {'test/f1': [0.918273]})\n"
    write_program(programs, "lists", code)
    assert "918273" not in json.dumps(runner.run("command", **spec("lists"))[-1])


# --- what it leaves --------------------------------------------------------------------------------------------
LEAVES = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import os, time; os.setsid(); time.sleep(600)"])
open({path!r}, "w").write(str(child.pid))
"""


def test_nothing_that_it_started_outlives_it(runner, programs, tmp_path):
    write_program(programs, "leaves", LEAVES.format(path=str(tmp_path / "pid")))
    assert runner.run("command", **spec("leaves"))[-1]["type"] == "result"
    pid = int(wait_for(tmp_path / "pid"))
    assert not alive(pid)
    assert descendants(runner.process.pid) == []


def test_it_dies_with_its_process(launch, programs, tmp_path):
    process = launch()
    code = f"import os, time\nopen({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)\n"
    write_program(programs, "sleeps", code)
    process.start("command", **spec("sleeps"))
    pid = int(wait_for(tmp_path / "pid"))
    assert os.getpgid(pid) == process.process.pid, "one signal to the group reaches both"
    process.process.kill()
    process.process.wait()
    deadline = time.monotonic() + 10
    while alive(pid):
        assert time.monotonic() < deadline
        time.sleep(0.02)


# --- checkpoints -----------------------------------------------------------------------------------------------
RESUMES = """
import json
from hpweb_client import current_trial
trial = current_trial()
total = json.loads((trial.resume_from / "state.json").read_text()) if trial.resume_from else 0
for step in range(trial.resume_step + 1, 5):
    total += step
    trial.report(step, {"validation/loss": total})
    with trial.checkpoint(step) as folder:
        (folder / "state.json").write_text(json.dumps(total))
    if step == 3 and not trial.resume_step:
        raise SystemExit(9)
"""


def test_a_program_goes_on_from_its_own_checkpoint(runner, programs, tmp_path):
    write_program(programs, "resumes", RESUMES, resume=True)
    folders = {"checkpoint_dir": str(tmp_path / "notes"), "program_dir": str(tmp_path / "own")}
    messages = runner.run("command", **spec("resumes", fence=1, **folders))
    notes = [(m["kind"], m["step"], Path(m["path"])) for m in messages if m["type"] == "checkpoint"]
    assert [(kind, step) for kind, step, _ in notes] == [("last", 1), ("last", 2), ("last", 3)]
    assert all(path.is_file() and path.parent == tmp_path / "notes" for _, _, path in notes)
    messages = runner.run("command", **spec("resumes", fence=2, resume_step=2, **folders))
    assert steps_of(messages) == [(3, {"validation/loss": 6.0}), (4, {"validation/loss": 10.0})]
    assert messages[-1]["state"] == "complete"


def test_a_checkpoint_of_a_program_that_cannot_resume_is_refused(runner, programs):
    write_program(programs, "prints", "print('{\"checkpoint\": 1}', flush=True)", metrics_from="stdout")
    assert "resume = true" in runner.run("command", **spec("prints"))[-1]["message"]


# --- which program ---------------------------------------------------------------------------------------------
def test_other_code_is_refused_before_it_runs(runner, programs, tmp_path):
    write_program(programs, "touches", f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    answer = runner.run("command", **spec("touches", digest="0" * 64))[-1]
    assert answer["type"] == "refused" and len(answer["digest"]) == 64
    assert not (tmp_path / "ran").exists()
    assert runner.run("command", **spec("touches", digest=answer["digest"]))[-1]["type"] == "result"
    (programs / "touches.py").write_text("pass\n")
    assert runner.run("command", **spec("touches", digest=answer["digest"]))[-1]["type"] == "refused"
    assert runner.run("command", **spec("gone", digest=answer["digest"]))[-1] == {"type": "refused", "digest": ""}


def test_only_what_the_file_allows_runs(runner, programs):
    error = runner.run("command", **spec("rm"))[-1]
    assert error["type"] == "error" and "allows no program 'rm'" in error["message"]


def test_a_text_that_the_file_does_not_have_becomes_no_argument(runner, programs, tmp_path):
    write_program(programs, "runs", f"open({str(tmp_path / 'ran')!r}, 'w')\n", command=["{python}", "runs.py", "{lr}"])
    error = runner.run("command", **spec("runs", params={"lr": "--delete"}))[-1]
    assert error["type"] == "error" and "--delete" in error["message"]
    error = runner.run("command", **spec("runs", params={"momentum": 0.5}))[-1]
    assert error["type"] == "error" and "'lr'" in error["message"]
    assert not (tmp_path / "ran").exists()


def test_a_program_that_is_gone_is_told(runner, programs):
    allow(programs, "gone", command=["/no/such/program", "{lr}"])
    assert "/no/such/program" in runner.run("command", **spec("gone"))[-1]["message"]


def test_the_python_of_the_placeholder_is_this_one(runner, programs):
    write_program(
        programs, "version", "import sys; print('{\"value\": %d}' % len(sys.executable))", metrics_from="stdout"
    )
    assert runner.run("command", **spec("version"))[-1]["value"] == len(sys.executable)
