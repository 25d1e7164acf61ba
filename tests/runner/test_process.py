import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.runner.conftest import ROOT
from tests.runner.specs import train_spec
from tuning.runner.process import EXIT_LOCKED
from tuning.runner.protocol import VERSION

ORPHANING = """
import os, socket, subprocess, sys
ours, theirs = socket.socketpair()
command = [sys.executable, "-m", "tuning.runner", "--channel", str(theirs.fileno()), "--parent", str(os.getpid())]
child = subprocess.Popen(command, pass_fds=(theirs.fileno(),), start_new_session=True)
ours.recv(1)  # its hello
os.set_inheritable(ours.fileno(), True)
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(20)"], close_fds=False, stdout=subprocess.DEVNULL)
print(child.pid, flush=True)
ours.recv(1 << 20)
signal = __import__("signal").pause()
"""


def is_alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_until(condition, seconds):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


def test_hello_comes_before_torch(launch):
    started = time.monotonic()
    process = launch()
    hello = process.until("hello")[-1]
    assert time.monotonic() - started < 2.5, "and importing torch takes longer on a busy machine"
    assert hello["pid"] == process.process.pid and hello["protocol"] == VERSION and hello["torch"] is None
    assert hello["python"].startswith("3.")


def test_the_process_leaves_when_the_channel_ends_before_it_began(launch):
    process = launch()
    process.channel.close()
    assert process.process.wait(60) == 0


def test_exit_in_the_middle_of_a_training_answers_and_leaves(launch, tmp_path):
    process = launch()
    process.start("train", **train_spec(tmp_path, epochs=100_000, max_epochs=100_000))
    process.until("checkpoint")
    process.send("exit")
    result = process.answer()
    assert result["type"] == "result" and result["stopped"] is True
    assert process.process.wait(10) == 0


def test_the_end_of_the_channel_ends_a_training(launch, tmp_path):
    process = launch()
    process.start("train", **train_spec(tmp_path, epochs=100_000, max_epochs=100_000))
    process.until("checkpoint")
    process.channel.close()
    assert process.process.wait(10) == 0


@pytest.mark.skipif(
    sys.platform != "linux", reason="the death of the parent is signalled by Linux; not tried here"
)
def test_the_process_dies_with_its_parent_even_if_others_hold_the_channel():
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    parent = subprocess.Popen(
        [sys.executable, "-c", ORPHANING],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        child = int(parent.stdout.readline())
        assert is_alive(child)
        parent.kill()
        parent.wait()
        assert wait_until(lambda: not is_alive(child), 2.0)
    finally:
        os.killpg(parent.pid, signal.SIGKILL)  # the grandchild that holds the channel
        parent.stdout.close()


def test_a_process_whose_parent_is_gone_already_does_not_start(launch):
    process = launch(parent=1)
    assert process.process.wait(30) != 0
    assert "the parent 1 is gone" in process.log.read_text()


def test_only_one_process_holds_a_slots_lock(launch, tmp_path):
    lock = tmp_path / "slot.lock"
    first = launch("--lock", str(lock))
    first.until("hello")
    second = launch("--lock", str(lock))
    assert second.process.wait(30) == EXIT_LOCKED
    assert f"another trial process holds {lock}" in second.log.read_text()
    first.process.kill()
    first.process.wait()
    third = launch("--lock", str(lock))
    assert third.until("hello")[-1]["pid"] == third.process.pid


def test_the_channel_is_not_inherited_by_what_the_user_starts(runner, workloads):
    body = (
        "import os, subprocess, sys\n\n"
        "def objective(trial):\n"
        "    mine = {os.readlink(f'/proc/self/fd/{fd}') for fd in os.listdir('/proc/self/fd')\n"
        "            if os.path.lexists(f'/proc/self/fd/{fd}')}\n"
        '    code = \'import os; print([os.readlink(f"/proc/self/fd/{f}") for f in os.listdir("/proc/self/fd")\'\n'
        "    code += ' if os.path.lexists(f\"/proc/self/fd/{f}\")])'\n"
        "    seen = subprocess.run([sys.executable, '-c', code], close_fds=False, capture_output=True, text=True)\n"
        "    trial.set_user_attr('mine', [name for name in mine if name.startswith('socket:')])\n"
        "    trial.set_user_attr('theirs', seen.stdout)\n"
        "    return 0.0\n"
    )
    (workloads / "starter.py").write_text(body)
    result = runner.run("objective", workload="starter", trial=0)[-1]
    assert len(result["user_attrs"]["mine"]) == 1, "the channel"
    assert "pipe:" in result["user_attrs"]["theirs"] and "socket:" not in result["user_attrs"]["theirs"]


def test_garbage_on_the_channel_ends_the_process_with_an_error(launch):
    process = launch()
    process.until("hello")
    process.channel._sock.send(b"hello?\n")
    assert process.process.wait(60) == 1
    assert "not a line of JSON" in process.log.read_text()
