"""Which names are of the test set, and that their numbers do not reach a log, however it is cut into pieces."""

import json
import random

import pytest

from tuning.sealed import LONGEST_HELD, MaskedStream, is_sealed, masked_line, without_sealed


@pytest.mark.parametrize(
    "name",
    [
        "test",
        "test/accuracy",
        "test_acc",
        "Test_Loss",
        "TestLoss",
        " test",
        "testing/f1",
        "Accuracy/test",
        "final.test.f1",
    ],
)
def test_names_of_the_test_set(name):
    assert is_sealed(name)


@pytest.mark.parametrize(
    "name", ["validation/loss", "train/accuracy", "latest", "attested/loss", "contest", "value", ""]
)
def test_other_names(name):
    assert not is_sealed(name)


def test_everything_below_such_a_name_is_left_out():
    document = {"step": 1, "eval": [{"test_acc": 0.9}, {"val_acc": 0.8}], "test": {"f1": 0.7, "n": [1, 2]}}
    assert without_sealed(document) == {
        "step": 1, "eval": [{"test_acc": "sealed"}, {"val_acc": 0.8}], "test": "sealed",
    }  # fmt: skip
    assert document["test"] == {"f1": 0.7, "n": [1, 2]}


LINES = [
    '{"step": 3, "validation/loss": 0.25, "test/accuracy": 0.918273}\n',
    '  {"metrics": {"test_acc": 0.918273}}\n',
    '{"t\\u0065st": [0.918273]}\n',
    '{"test/loss": NaN, "test/accuracy": "0.918273"}\r\n',
    "{'test_acc': 0.918273, 'loss': 0.5}\n",
    "{'test_acc': np.float64(0.918273), 'val_acc': 0.5}\n",
    "INFO epoch 3: {'loss': 0.5, 'test_acc': tensor(0.918273)}\n",
    '  "test/accuracy": 0.918273,\n',
    "{'test': [0.1, 0.918273]}\n",
    '{"step": 1, "test/accuracy": 0.918273',  # ended within the line
]


@pytest.mark.parametrize("line", LINES)
def test_a_printed_number_of_the_test_set_is_sealed(line):
    masked = masked_line(line)
    assert "918273" not in masked
    assert "sealed" in masked
    assert masked_line(masked) == masked
    assert masked[-1:] == line[-1:] or not line.endswith("\n")


def test_what_else_a_masked_line_says_stays():
    assert json.loads(masked_line(LINES[0])) == {"step": 3, "validation/loss": 0.25, "test/accuracy": "sealed"}
    assert masked_line(LINES[4]) == "{'test_acc': \"sealed\", 'loss': 0.5}\n"


@pytest.mark.parametrize(
    "line",
    [
        '{"step": 1,   "validation/loss": 0.250, "x": NaN}\n', "all tests passed: 12\n", "{not json} test\n",
        "the test accuracy is 0.9\n", '{"latest": 3}\n', "",
    ],
)  # fmt: skip
def test_every_other_line_stays_as_it_is(line):
    assert masked_line(line) == line


@pytest.mark.parametrize("seed", range(5))
def test_pieces_of_any_size_give_the_same_log(seed):
    draw = random.Random(seed)
    text = "".join(draw.choice([*LINES[:-1], "plain\n", "10 %\r20 %\r", "it's so\n", "\xe9\n"]) for _ in range(200))
    data = text.encode() + b"\xff\n" + LINES[-1].encode()
    whole = MaskedStream()
    expected = whole.take(data) + whole.rest()
    stream, written, at = MaskedStream(), b"", 0
    while at < len(data):
        size = draw.choice([1, 3, 50, 1000])
        written += stream.take(data[at : at + size])
        at += size
    assert written + stream.rest() == expected
    assert b"918273" not in expected
    assert b"\xff\n" in expected


def test_a_line_that_cannot_hold_a_name_does_not_wait():
    stream = MaskedStream()
    assert stream.take(b"working ...") == b"working ..."
    assert stream.take(b" {") == b""
    assert stream.take(b"}\nnext") == b" {}\nnext"


def test_an_endless_line_does_not_fill_the_memory():
    stream = MaskedStream()
    piece = b"{" + b"x" * 65_535
    written = sum(len(stream.take(piece)) for _ in range(40))
    assert written > 40 * len(piece) - LONGEST_HELD - len(piece)
