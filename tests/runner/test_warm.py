"""One process for several jobs: whose output goes where, and what it says of itself when it rests."""

import os
import socket

import pytest

from tests.runner.specs import write_workload
from tuning.runner.protocol import Channel


@pytest.fixture
def pair():
    """Two ends of a channel; the second takes open files."""
    one, other = socket.socketpair()
    ours, theirs = Channel(one), Channel(other, takes_descriptors=True)
    yield ours, theirs
    ours.close()
    theirs.close()


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_an_open_file_travels_with_its_message(pair):
    ours, theirs = pair
    reader, writer = os.pipe()
    ours.send({"type": "start", "log": True}, descriptors=(writer,))
    os.close(writer)
    (message,) = theirs.poll(1.0)
    assert message == {"type": "start", "log": True}
    copy = theirs.take_descriptor()
    assert theirs.take_descriptor() is None
    assert os.get_inheritable(copy) is False
    os.write(copy, b"words")
    os.close(copy)
    assert os.read(reader, 100) == b"words"
    assert os.read(reader, 100) == b"", "nobody else holds it"
    os.close(reader)


def test_open_files_that_nobody_takes_are_closed(pair):
    ours, theirs = pair
    before = open_files()
    reader, writer = os.pipe()
    ours.send({"type": "start"}, descriptors=(writer,))
    os.close(writer)
    assert theirs.poll(1.0)
    theirs.close()
    assert os.read(reader, 1) == b""
    os.close(reader)
    assert open_files() == before - 1, "their socket has gone, too"


def test_a_worker_takes_no_files_from_a_trial(pair):
    ours, theirs = pair
    before = open_files()
    reader, writer = os.pipe()
    theirs.send({"type": "step"}, descriptors=(writer,))
    os.close(writer)
    assert ours.poll(1.0) == [{"type": "step"}]
    assert ours.take_descriptor() is None
    assert os.read(reader, 1) == b""
    os.close(reader)
    assert open_files() == before


OBJECTIVE = "import os\n\ndef objective(trial):\n    print('words of', trial.number)\n    {body}\n    return 1.0\n"


def job(runner, number, *, workload="talking"):
    """Run one job with a log of its own; returns its last message and the log's text."""
    reader, writer = os.pipe()
    start = {"type": "start", "kind": "objective", "spec": {"workload": workload, "trial": number}, "log": True}
    runner.channel.send(start, descriptors=(writer,))
    os.close(writer)
    answer = runner.answer()
    with os.fdopen(reader) as log:
        return answer, log.read()  # to its end: the process has let it go


def test_each_job_prints_into_its_own_log(runner, workloads):
    (workloads / "talking.py").write_text(OBJECTIVE.format(body="os.system('echo a program; exit 0')"))
    for number in (3, 4):
        answer, log = job(runner, number)
        assert answer["type"] == "result"
        assert log == f"words of {number}\na program\n"
    assert "words of 4" not in runner.log.read_text()


def test_a_rest_tells_memory_and_code_and_is_answered_after_the_job(launch, workloads, tmp_path):
    (workloads / "resting.py").write_text(OBJECTIVE.format(body="pass"))
    process = launch()
    hello = process.until("hello")[-1]
    assert hello["warm"] is True
    assert job(process, 0, workload="resting")[0]["type"] == "result"
    process.send("rest")
    rested = process.until("rested")[-1]
    assert (rested["reusable"], rested["why"]) == (True, "")
    assert 50 << 20 < rested["memory"] < 8 << 30
    path = str(workloads / "resting.py")
    assert rested["files"][path] == [os.stat(path).st_mtime_ns, os.stat(path).st_size]
    assert not any("/torch/" in name for name in rested["files"]), "libraries do not change under a process"

    (workloads / "resting.py").write_text(OBJECTIVE.format(body="raise KeyError('x')"))
    assert job(process, 1, workload="resting")[0]["type"] == "error"
    process.send("rest")
    rested = process.until("rested")[-1]
    assert (rested["reusable"], rested["why"]) == (False, "the job failed")


def test_code_that_is_written_while_its_job_runs_is_noted_as_changed(launch, workloads):
    write_workload(workloads, "unrelated")
    (workloads / "_late.py").write_text("VALUE = 1\n")
    body = "import _late; open(_late.__file__, 'a').write('# more')"
    (workloads / "writing.py").write_text(OBJECTIVE.format(body=body))
    process = launch()
    assert job(process, 0, workload="writing")[0]["type"] == "result"
    process.send("rest")
    assert process.until("rested")[-1]["files"][str(workloads / "_late.py")] == [0, 0]
