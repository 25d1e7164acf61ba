"""The log of an attempt: always drained, never larger than its limits, whole where it is short."""

import os
import threading

import pytest

from tuning.selectors.artifacts import log_gap, log_segments
from tuning.workers import logs
from tuning.workers.logs import HEAD_BYTES, SEGMENT_BYTES, LogWriter, drain


def line(number):
    return b"%019d\n" % number  # 20 bytes


def test_a_short_log_is_kept_as_it_came(tmp_path):
    writer = LogWriter(tmp_path / "deep" / "log")
    writer.write(b"one\n")
    writer.write(b"two\n")
    writer.close()
    writer.close()
    assert (tmp_path / "deep" / "log").read_bytes() == b"one\ntwo\n"


@pytest.mark.parametrize("chunk", [20, 65_536, 3_000_000])
def test_of_twenty_megabytes_the_first_one_and_the_last_four_are_kept(tmp_path, chunk):
    path = tmp_path / "log"
    writer = LogWriter(path)
    n = 1_000_000 if chunk > 20 else 300_000
    stream = b"".join(line(number) for number in range(n))
    for count, start in enumerate(range(0, len(stream), chunk)):
        writer.write(stream[start : start + chunk])
        if chunk == 20 and count % 1000:
            continue
        assert sum(part.stat().st_size for part in (path, *log_segments(path)) if part.exists()) <= 5_000_000
    writer.close()
    kept = path.read_bytes()
    assert kept[:HEAD_BYTES] == stream[:HEAD_BYTES]
    head, _mark, tail = kept.partition(b"\n[")
    words, _, tail = tail.partition(b"]\n")
    assert len(head) == HEAD_BYTES
    assert stream.endswith(tail)
    assert SEGMENT_BYTES <= len(tail) <= 2 * SEGMENT_BYTES
    assert len(head) + len(tail) + writer.dropped == len(stream)
    lines = stream[HEAD_BYTES : len(stream) - len(tail)].count(b"\n")
    assert words.decode().endswith(f"… {writer.dropped:,} bytes, {lines:,} lines left out …")
    assert not log_gap(path).exists()
    assert [part.exists() for part in log_segments(path)] == [False, False]


def test_nothing_is_left_out_before_the_limit(tmp_path):
    writer = LogWriter(tmp_path / "log")
    stream = os.urandom(HEAD_BYTES + 2 * SEGMENT_BYTES)
    writer.write(stream)
    writer.close()
    assert (tmp_path / "log").read_bytes() == stream


def test_what_comes_after_the_end_is_let_go(tmp_path):
    writer = LogWriter(tmp_path / "log")
    writer.write(b"words\n")
    writer.close()
    writer.write(b"of a grandchild\n")
    assert (tmp_path / "log").read_bytes() == b"words\n"


def test_a_pipe_is_drained_until_its_last_holder_closes_it(tmp_path):
    reading, writing = os.pipe()
    writer = LogWriter(tmp_path / "log")
    thread = drain(os.fdopen(reading, "rb", buffering=0), writer)
    data = line(7) * 20_000  # far more than a pipe holds
    with os.fdopen(writing, "wb", buffering=0) as pipe:
        feeder = threading.Thread(target=pipe.write, args=(data,))
        feeder.start()
        feeder.join(10)
        assert not feeder.is_alive()
    thread.join(10)
    assert not thread.is_alive()
    writer.close()
    assert (tmp_path / "log").read_bytes() == data


def test_a_full_disk_does_not_block_who_prints(tmp_path, monkeypatch):
    reading, writing = os.pipe()
    writer = LogWriter(tmp_path / "log")

    def full(data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writer, "_write", full)
    thread = drain(os.fdopen(reading, "rb", buffering=0), writer)
    with os.fdopen(writing, "wb", buffering=0) as pipe:
        for _ in range(10):
            pipe.write(b"x" * 65_536)
    thread.join(10)
    assert not thread.is_alive()


def test_a_tail_that_cannot_be_joined_stays_beside_the_log(tmp_path, monkeypatch, caplog):
    path = tmp_path / "log"
    writer = LogWriter(path)
    writer.write(b"h" * HEAD_BYTES + b"tail")
    monkeypatch.setattr(logs.LogWriter, "_join", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left")))
    writer.close()
    assert "could not be joined" in caplog.text
    assert log_segments(path)[1].read_bytes() == b"tail"


def test_what_is_printed_of_the_test_set_is_not_written(tmp_path):
    writer = LogWriter(tmp_path / "log")
    reader, printer = os.pipe()
    thread = drain(os.fdopen(reader, "rb", buffering=0), writer)
    for piece in (b'{"step": 1, "test/a', b'ccuracy": 0.918273}\nhello\n', b'{"test": 0.91', b"8273"):
        os.write(printer, piece)
    os.close(printer)
    thread.join(10)
    writer.close()
    assert (tmp_path / "log").read_text() == '{"step": 1, "test/accuracy": "sealed"}\nhello\n{"test": "sealed"'
