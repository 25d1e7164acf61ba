import math
import socket
import subprocess
import sys
import threading
import time

import pytest

from tuning.runner import protocol
from tuning.runner.protocol import Channel, ChannelClosed, ProtocolError


@pytest.fixture
def pair():
    left, right = (Channel(end) for end in socket.socketpair())
    yield left, right
    left.close()
    right.close()


def test_messages_arrive_whole_and_in_order(pair):
    left, right = pair
    left.send({"type": "step", "step": 1, "metrics": {"validation/loss": 0.25}})
    left.send({"type": "result", "text": "two\nlines, ünïcode"})
    assert right.poll(1.0) == [
        {"type": "step", "step": 1, "metrics": {"validation/loss": 0.25}},
        {"type": "result", "text": "two\nlines, ünïcode"},
    ]


def test_both_directions_are_independent(pair):
    left, right = pair
    left.send({"type": "start"})
    right.send({"type": "hello"})
    assert [left.poll(1.0)[0]["type"], right.poll(1.0)[0]["type"]] == ["hello", "start"]


def test_non_finite_numbers_travel_tagged(pair):
    left, right = pair
    left.send({"type": "step", "metrics": {"a": math.nan, "b": [math.inf, -math.inf]}})
    metrics = right.poll(1.0)[0]["metrics"]
    assert math.isnan(metrics["a"]) and metrics["b"] == [math.inf, -math.inf]
    assert b'{"$f":"nan"}' in protocol.encode({"type": "t", "a": math.nan})


def test_poll_waits_for_the_rest_of_a_line(pair):
    left, right = pair
    line = protocol.encode({"type": "late", "text": "x" * 100})
    left._sock.send(line[:40])
    assert right.poll(0.0) == []

    def finish() -> None:
        time.sleep(0.05)
        left._sock.send(line[40:])

    thread = threading.Thread(target=finish)
    thread.start()
    assert right.poll(5.0) == [{"type": "late", "text": "x" * 100}]
    thread.join()


def test_poll_returns_nothing_after_its_timeout(pair):
    _, right = pair
    before = time.monotonic()
    assert right.poll(0.05) == []
    assert 0.045 <= time.monotonic() - before < 2.0
    assert not right.eof


def test_what_was_sent_before_the_end_closed_is_still_handed_out(pair):
    left, right = pair
    left.send({"type": "result"})
    left.close()
    assert right.poll(1.0) == [{"type": "result"}]
    assert right.eof and right.poll(0.01) == []


def test_sending_to_a_closed_end_says_so(pair):
    left, right = pair
    right.close()
    with pytest.raises(ChannelClosed, match="gone"):
        left.send({"type": "stop"})


def test_an_end_that_never_reads_does_not_block_for_ever(pair):
    left, _ = pair
    impatient = Channel(left._sock, send_timeout=0.05)
    with pytest.raises(ChannelClosed, match=r"not read for 0\.05 seconds"):
        impatient.send({"type": "step", "text": "x" * 8_000_000})


def test_a_message_larger_than_the_socket_buffer_passes(pair):
    left, right = pair
    text = "x" * 8_000_000
    thread = threading.Thread(target=left.send, args=({"type": "big", "text": text},))
    thread.start()
    assert right.poll(30.0)[0]["text"] == text
    thread.join()


@pytest.mark.parametrize(
    "line",
    [
        b"[1]\n",
        b'{"kind": 1}\n',
        b"{\n",
        b'{"type": "a", "x": NaN}\n',
        b'{"type":"a","x":{"$f":"0"}}\n',
        b"\xff\n",
    ],
)
def test_anything_but_a_message_is_refused(pair, line):
    left, right = pair
    left._sock.send(line)
    with pytest.raises(ProtocolError):
        right.poll(1.0)


@pytest.mark.parametrize(
    ("message", "complaint"),
    [
        ({"step": 1}, '"type"'),
        ({"type": "a", "x": object()}, "'a' cannot be sent"),
        ({"type": "a", "x": {"$f": 1}}, "reserved"),
        ({"type": "a", "x": {1: 2}}, "keys are strings"),
    ],
)
def test_what_json_cannot_hold_is_refused_by_the_sender(pair, message, complaint):
    left, right = pair
    with pytest.raises(ProtocolError, match=complaint):
        left.send(message)
    assert right.poll(0.0) == []


def test_a_line_over_the_limit_is_an_error_on_both_sides(pair, monkeypatch):
    left, right = pair
    monkeypatch.setattr(protocol, "MAX_LINE", 1000)
    with pytest.raises(ProtocolError, match="at most 1000"):
        left.send({"type": "a", "x": "y" * 1000})
    left._sock.send(b"x" * 1500)
    with pytest.raises(ProtocolError, match="1000"):
        right.poll(1.0)


def test_the_protocol_imports_neither_torch_nor_the_training_room():
    code = (
        "import sys, tuning.runner.protocol\n"
        "heavy = {'torch', 'numpy', 'django', 'tuning.training'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
