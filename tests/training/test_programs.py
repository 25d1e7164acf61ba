"""The host's file of allowed programs: what it may say, what is refused and why, what becomes of placeholders."""

import os
import sys
import tomllib

import pytest

from tests.runner.programs import allow
from tuning.training.catalogue import Catalogue, Sources, UnknownWorkload
from tuning.training.programs import Program, ProgramError, ValueRefused, read_programs

LR = {"lr": {"type": "float", "low": 1e-4, "high": 1.0}}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "train.py").write_text("print('training')\n")
    return tmp_path


def only(folder):
    (found,) = read_programs(folder / "programs.toml")
    return found


def program(folder, **table):
    allow(folder, "digits", **{"command": ["{python}", "train.py", "--lr", "{lr}"], **table})
    found = only(folder)
    assert isinstance(found, Program), str(found)
    return found


def problems(folder, **table):
    allow(folder, "digits", **{"command": ["{python}", "train.py", "{lr}"], **table})
    found = only(folder)
    assert isinstance(found, ProgramError)
    return str(found)


# --- the file --------------------------------------------------------------------------------------------------
def test_no_file_is_no_program(folder):
    assert list(read_programs(folder / "programs.toml")) == []


def test_a_file_that_cannot_be_read_is_one_error(folder):
    (folder / "programs.toml").write_text("[digits\n")
    assert "cannot be read" in str(only(folder))


def test_a_file_that_everybody_may_change_allows_nothing(folder):
    program(folder)
    os.chmod(folder / "programs.toml", 0o666)
    assert "chmod o-w" in str(only(folder))


def test_one_wrong_program_leaves_the_others(folder):
    allow(folder, "good", command=["{python}", "train.py"])
    allow(folder, "bad", command=[])
    good, bad = read_programs(folder / "programs.toml")
    assert isinstance(good, Program) and isinstance(bad, ProgramError)
    catalogue = Catalogue(Sources(programs=folder / "programs.toml"))
    found = {entry.name: entry for entry in catalogue.entries()}
    assert (found["good"].kind, found["good"].error) == ("command", None)
    assert "command is a list" in found["programs.toml:bad"].error
    assert catalogue.program("good").name == "good"
    with pytest.raises(UnknownWorkload, match="command is a list"):
        catalogue.program("bad")
    with pytest.raises(UnknownWorkload, match="is a program"):
        catalogue.make("good")


def test_a_program_cannot_take_the_name_of_a_shipped_workload(folder):
    allow(folder, "digits_mlp", command=["{python}", "train.py"])
    found = {entry.name: entry for entry in Catalogue(Sources(programs=folder / "programs.toml")).entries()}
    assert found["digits_mlp"].kind == "pytorch"
    assert "is taken by" in found["programs.toml:digits_mlp"].error


def test_the_entry_tells_what_pages_need_and_not_the_environment(folder):
    table = {"title": "Digits", "max_resource": 30, "metrics": {"train/loss": "minimize"}, "resume": True}
    allow(folder, "digits", command=["{python}", "train.py", ["{lr}"]], environment={"KEY": "secret"}, **table)
    (entry,) = [e for e in Catalogue(Sources(programs=folder / "programs.toml")).entries() if e.kind == "command"]
    document = entry.to_json()
    assert (document["title"], document["max_resource"], document["resume"]) == ("Digits", 30, True)
    assert document["command"] == ["{python}", "train.py", ("{lr}",)]
    assert [metric["name"] for metric in document["metrics"]] == ["validation/loss", "train/loss"]
    assert "secret" not in str(document)


def test_the_example_of_the_module_is_read(folder):
    from tuning.training import programs

    text = programs.__doc__.partition("    [digits]")[2].partition("\n\n")[0]
    text = "[digits]" + "\n".join(line.strip() for line in text.splitlines())
    text += '\nspace.momentum = { type = "float", low = 0, high = 1, when = { lr = { low = 0.01 } } }\n'
    assert tomllib.loads(text)["digits"]["direction"] == "maximize"
    (folder / "programs.toml").write_text(text)
    assert isinstance(only(folder), Program), str(only(folder))


# --- what is refused -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"command": "python train.py"}, "command is a list of arguments"),
        ({"command": ["{python}", 3]}, "command holds texts"),
        ({"command": ["{lr}", "x"]}, "the program itself is fixed"),
        ({"command": ["no-such-program-here"]}, "there is no program"),
        ({"command": ["./missing.sh"]}, "there is no program"),
        ({"command": ["sh", "-c", "train --lr {lr}"]}, "-c text is refused"),
        ({"command": ["/bin/bash", "-ec", "true"]}, "-c text is refused"),
        ({"command": ["{python}", "train.py", "{nothing}"]}, "{nothing} is neither"),
        ({"command": ["{python}", "{checkpoint_dir}"]}, "needs resume = true"),
        ({"environment": {"1X": "a"}}, "environment is a table"),
        ({"environment": {"X": 1}}, "environment is a table"),
        ({"environment": {"X": "{nothing}"}}, "{nothing} is neither"),
        ({"space": {}}, "space names at least one parameter"),
        ({"space": {"lr": {"low": 1}}}, "has no \"type\""),
        ({"space": {**LR, "seed": {"type": "int", "low": 1, "high": 2}}}, "rename it"),
        ({"space": {"lr": {**LR["lr"], "when": {"a": [1]}}}}, "conditional"),
        ({"metric": ""}, "metric names what"),
        ({"direction": "up"}, "direction is minimize or maximize"),
        ({"metrics_from": "files"}, "metrics_from is client or stdout"),
        ({"max_resource": 0}, "max_resource is a whole number"),
        ({"max_resource": 3, "min_resource": 4}, "above max_resource"),
        ({"resume": "yes"}, "resume is true or false"),
        ({"grace_seconds": -1}, "grace_seconds is a number"),
        ({"cwd": "/no/such/folder"}, "not a folder on this host"),
        ({"code": ["*.jl"]}, "matches no file"),
        ({"code": ["../*.py"]}, "leads out"),
        ({"code": "*.py"}, "code is a list"),
        ({"data": ["nothing/*.csv"]}, "matches no file on this host"),
        ({"colour": "red"}, "colour is not known"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(folder, table, words):
    assert words in problems(folder, **table)


@pytest.mark.parametrize("name", ['"a b"', '"../x"', '"-x"', '"x\\u0000"', f'"{"x" * 81}"'])
def test_names_are_plain(folder, name):
    (folder / "programs.toml").write_text(f'[{name}]\ncommand = ["{{python}}"]\n')
    assert "a name has letters" in str(only(folder))


# --- placeholders ----------------------------------------------------------------------------------------------
def test_values_stay_inside_their_argument(folder):
    found = program(
        folder,
        command=["{python}", "train.py", "--lr={lr}", "{opt}", "{big}", "{flag}", '{"json": 1}', "{resource}"],
        space={
            **LR,
            "opt": {"type": "categorical", "choices": ["a b; rm -rf /", "{lr}", 3]},
            "big": {"type": "int", "low": 1, "high": 10**12},
            "flag": {"type": "categorical", "choices": [True, False]},
        },
    )
    params = {"lr": 1e-7, "opt": "a b; rm -rf /", "big": 10**11, "flag": True}
    arguments = found.arguments(params, {"resource": 5})
    assert arguments == [
        sys.executable, "train.py", "--lr=1e-07", "a b; rm -rf /", "100000000000", "true", '{"json": 1}', "5",
    ]  # fmt: skip
    assert found.arguments({**params, "opt": "{lr}"}, {"resource": 5})[3] == "{lr}", "a value is not read again"


def test_a_list_goes_where_its_parameter_goes(folder):
    space = {**LR, "momentum": {"type": "float", "low": 0, "high": 1, "when": {"lr": {"low": 0.1}}}}
    found = program(folder, command=["{python}", ["--momentum", "{momentum}"], ["-x"], "{lr}"], space=space)
    assert found.arguments({"lr": 0.5, "momentum": 0.9}, {})[1:] == ["--momentum", "0.9", "-x", "0.5"]
    assert found.arguments({"lr": 0.01}, {})[1:] == ["-x", "0.01"]


@pytest.mark.parametrize("value", ["--option", "adam", "0.5"])
def test_a_text_of_the_study_s_own_is_refused(folder, value):
    found = program(folder, space={**LR, "opt": {"type": "categorical", "choices": ["sgd"]}})
    with pytest.raises(ValueRefused, match="choices"):
        found.arguments({"lr": value}, {})
    with pytest.raises(ValueRefused, match="choices"):
        found.arguments({"lr": 0.5, "opt": value}, {})
    with pytest.raises(ValueRefused, match="rename"):
        found.arguments({"lr": 0.5, "seed": 1}, {})
    with pytest.raises(ValueRefused, match="no such parameter"):
        found.arguments({}, {})


# --- digests ---------------------------------------------------------------------------------------------------
def test_the_digest_follows_command_and_code_and_not_the_place(folder, tmp_path_factory):
    first = program(folder).digest
    other = tmp_path_factory.mktemp("other host")
    (other / "train.py").write_text("print('training')\n")
    allow(other, "digits", command=["{python}", "train.py", "--lr", "{lr}"], environment={"DATA": "/elsewhere"})
    assert only(other).digest == first
    (other / "train.py").write_text("print('other training')\n")
    assert only(other).digest != first
    (folder / "programs.toml").unlink()
    assert program(folder, command=["{python}", "train.py", "--rate", "{lr}"]).digest != first


def test_patterns_say_which_files_are_the_code(folder):
    (folder / "parts").mkdir()
    (folder / "parts" / "net.py").write_text("layers = 2\n")
    first = program(folder, code=["**/*.py"]).digest
    (folder / "parts" / "net.py").write_text("layers = 3\n")
    assert only(folder).digest != first


def test_data_are_fingerprinted_by_content(folder, tmp_path_factory):
    for place in (folder, other := tmp_path_factory.mktemp("other")):
        (place / "data").mkdir()
        (place / "train.py").write_text("print('training')\n")
        (place / "data" / "a.csv").write_text("1,2\n")
        (place / "data" / "big.bin").write_bytes(bytes(3_000_000))
        allow(place, "digits", command=["{python}", "train.py", "{lr}"], data=[str(place / "data" / "*")])
    assert only(folder).data_digest == only(other).data_digest != ""
    before = only(folder).data_digest
    content = bytearray(3_000_000)
    content[-1] = 1
    (folder / "data" / "big.bin").write_bytes(content)
    assert only(folder).data_digest != before
    assert only(folder).digest == only(other).digest
