"""Metrics that come faster than the database takes them: nothing is lost, and nothing is hoarded without bound."""

import os
import socket
import threading
import time

import pytest
from django.db import OperationalError

from tests.factories import make_running, make_slot, make_study
from tests.workers import flood
from tuning.runner.protocol import READ_BYTES, Channel, encode
from tuning.selectors.curves import trial_curves
from tuning.workers import launcher, patience, trial_run
from tuning.workers.local import LocalLauncher
from tuning.workers.trial_run import HELD_ROWS, TrialRun

pytestmark = pytest.mark.django_db
LINE = len(encode({"type": "step", "step": 1, "metrics": {flood.METRIC: 0.123456789, "train/loss": 0.2}, "wall": 1.5}))


@pytest.fixture
def flooding(alice, monkeypatch, tmp_path):
    """A run whose process reports `points` steps, `rate` a second; the file says how many it has got rid of."""
    monkeypatch.setattr(launcher, "RUNNER", "tests.workers.flood")
    monkeypatch.setenv("FLOOD_WRITTEN", str(tmp_path / "written"))

    def begin(points, rate=0):
        monkeypatch.setenv("FLOOD_POINTS", str(points))
        monkeypatch.setenv("FLOOD_RATE", str(rate))
        slot = make_slot()
        study = make_study(alice, started=True, workload="tiny", max_resource=points)
        return TrialRun(make_running(study, slot), slot, LocalLauncher())

    return begin


def written(folder) -> int:
    try:
        return int((folder / "written").read_text() or 0)
    except FileNotFoundError:
        return 0


def stored(run) -> None:
    """Every step of the flood, once, with its value."""
    curves = trial_curves(run.trial)
    steps = int(os.environ["FLOOD_POINTS"])
    assert curves[flood.METRIC].steps == list(range(1, steps + 1))
    assert curves[flood.METRIC].values == [flood.value_at(step) for step in range(1, steps + 1)]
    assert curves["train/loss"].values == [2 * flood.value_at(step) for step in range(1, steps + 1)]


def test_a_slow_database_slows_the_trial_and_loses_nothing(flooding, monkeypatch, tmp_path):
    """Each write takes .1 s: what a process is ahead of its rows fits a read, a batch and the socket's buffers."""
    run, batches, ahead = flooding(20_000), [], []
    record = trial_run.record_points

    def slow(*, points, **words):
        time.sleep(0.1)
        decision = record(points=points, **words)
        batches.append(len(points))
        ahead.append(written(tmp_path) - sum(batches))
        return decision

    monkeypatch.setattr(trial_run, "record_points", slow)
    assert run.run() == "complete"
    stored(run)
    share = READ_BYTES // LINE + 65_536 // LINE
    assert max(batches) <= share + trial_run.FLUSH_ROWS
    buffers = 4 * socket.socketpair()[0].getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) // LINE
    assert max(ahead) <= share + buffers < 20_000 - share, "the process was not kept waiting"


def test_a_database_that_is_away_stops_the_trial_at_its_next_report_and_loses_nothing(flooding, monkeypatch, tmp_path):
    run, held = flooding(60_000), []
    record, back = trial_run.record_points, threading.Event()

    def away(*, points, **words):
        held.append(len(points))
        if not back.is_set():
            raise OperationalError("server closed the connection unexpectedly")
        return record(points=points, **words)

    for module in (trial_run, patience):
        monkeypatch.setattr(module, "connection", type("Kept", (), {"close": lambda: None}))
    monkeypatch.setattr(trial_run, "record_points", away)
    monkeypatch.setattr(trial_run, "POLL_SECONDS", 0.01)
    stuck = []

    def look() -> None:
        """Until the worker holds what it may and the process has got rid of nothing for a second; then the database is
        back."""
        seen, since, end = 0, time.monotonic(), time.monotonic() + 25.0
        while time.monotonic() < end and (max(held, default=0) < HELD_ROWS or time.monotonic() - since < 1.0):
            if (now := written(tmp_path)) != seen:
                seen, since = now, time.monotonic()
            time.sleep(0.01)
        stuck.append(seen)
        back.set()

    looker = threading.Thread(target=look)
    looker.start()
    assert run.run() == "complete"
    looker.join()
    assert HELD_ROWS <= max(held) <= HELD_ROWS + (READ_BYTES + 65_536) // LINE + 1
    assert stuck[0] < 60_000, "it reported all that it had to a worker that could store nothing"
    stored(run)


def test_a_reader_takes_a_share_at_once_and_whole_messages_in_order():
    ours, theirs = (Channel(end) for end in socket.socketpair())
    long = {"type": "result", "text": "x" * (4 * READ_BYTES)}
    sent = [{"type": "step", "step": number} for number in range(30_000)]

    def write() -> None:
        for message in [*sent, long]:
            theirs.send(message)
        theirs.close()

    writer = threading.Thread(target=write)
    writer.start()
    got, most = [], 0
    while not ours.eof:
        time.sleep(0.001)  # let it fill
        messages = ours.poll(10.0)
        most = max(most, sum(len(encode(message)) for message in messages if message is not long))
        got += messages
    writer.join()
    ours.close()
    assert got == [*sent, long]
    assert most < 6 * READ_BYTES, "only the long line may take more"
