import hashlib
import inspect
import sys
from pathlib import Path

import pytest

from tests.training import problems
from tuning.training.catalogue import Catalogue, Sources, UnknownWorkload

SHIPPED = ["breast_cancer_mlp", "diabetes_mlp", "digits_cnn", "digits_mlp", "digits_transformer"]
BLOBS = Path(inspect.getfile(problems)).read_text()
OBJECTIVE = '''"""A parabola."""
SPACE = {"x": {"type": "float", "low": -1.0, "high": 1.0}}

def objective(trial):
    return trial.suggest_float("x", -1, 1) ** 2
'''


@pytest.fixture
def folder(tmp_path):
    yield tmp_path
    sys.path[:] = [entry for entry in sys.path if entry != str(tmp_path)]
    for name in [name for name in sys.modules if name.startswith("hpweb_workload_")]:
        del sys.modules[name]


def entries(folder=None, modules=()):
    return {entry.name: entry for entry in Catalogue(Sources(modules=modules, folder=folder)).entries()}


def test_the_shipped_workloads_are_whole():
    found = entries()
    assert list(found) == SHIPPED
    assert [entry.error for entry in found.values()] == [None] * len(SHIPPED)


def test_an_entry_describes_its_workload():
    document = entries()["digits_cnn"].to_json()
    source = Path(sys.modules["tuning.training.workloads.digits_cnn"].__file__)
    assert document["kind"] == "pytorch" and document["error"] is None and document["test_data"] is True
    assert document["source"] == "tuning.training.workloads.digits_cnn"
    assert document["digest"] == hashlib.sha256(source.read_bytes()).hexdigest()
    assert document["space"]["momentum"]["when"] == {"optimizer": ["sgd"]}
    assert (document["min_resource"], document["max_resource"], document["resource_unit"]) == (
        1,
        27,
        "epochs",
    )
    assert {"name": "validation/accuracy", "split": "validation", "goal": "maximize"} in document["metrics"]
    assert "60 % train" in document["doc"]


def test_a_file_and_a_function_are_workloads(folder):
    (folder / "blobs.py").write_text(BLOBS)
    (folder / "parabola.py").write_text(OBJECTIVE)
    found = entries(folder)
    assert list(found) == [*SHIPPED, "blobs", "parabola"]
    assert found["blobs"].kind == "pytorch" and found["blobs"].source == "blobs.py"
    parabola = found["parabola"].to_json()
    assert (
        parabola["kind"] == "objective"
        and parabola["test_data"] is False
        and parabola["doc"] == "A parabola."
        and parabola["title"] == "Parabola"
    )
    assert parabola["metrics"] == [{"name": "value", "split": None, "goal": "minimize"}]
    assert parabola["space"] == {"x": {"type": "float", "low": -1.0, "high": 1.0}}


def test_a_space_is_made_plain(folder):
    space = 'SPACE = {"k": {"type": "categorical", "choices": ("a", "b")}}\n'
    (folder / "tuples.py").write_text(space + "def objective(trial): ...\n")
    assert entries(folder)["tuples"].space == {"k": {"type": "categorical", "choices": ["a", "b"]}}


def test_a_function_that_names_no_highest_step_has_none(folder):
    (folder / "free.py").write_text("def objective(trial): ...\n")
    document = entries(folder)["free"].to_json()
    assert (document["min_resource"], document["max_resource"], document["resource_unit"]) == (1, None, "steps")


def test_the_constants_of_a_function_are_taken_over(folder):
    constants = (
        'METRIC, DIRECTION, TITLE = "validation/auc", "maximize", "Mine"\n'
        'MIN_RESOURCE, MAX_RESOURCE, RESOURCE_UNIT = 2, 9, "rounds"\n'
    )
    (folder / "mine.py").write_text(constants + "def objective(trial): ...\n")
    document = entries(folder)["mine"].to_json()
    assert document["space"] is None and document["title"] == "Mine" and document["direction"] == "maximize"
    assert document["metrics"] == [{"name": "validation/auc", "split": "validation", "goal": "maximize"}]
    assert (document["min_resource"], document["max_resource"], document["resource_unit"]) == (2, 9, "rounds")


@pytest.mark.parametrize(
    ("code", "complaint"),
    [
        ("def objective(trial)\n    return 1\n", "SyntaxError"),
        ("import a_module_that_is_not_there\n", "No module named 'a_module_that_is_not_there'"),
        ("def f():\n    raise ValueError('no data')\nf()\n", "ValueError: no data"),
        ("import sys\nsys.exit('not today')\n", "not today"),
        ("x = 1\n", "neither a subclass of Workload nor a function objective(trial)"),
        ("def objective(): ...\n", "objective takes one argument, the trial"),
        ("DIRECTION = 'up'\ndef objective(trial): ...\n", "DIRECTION is 'minimize' or 'maximize', not 'up'"),
        (
            "SPACE = [1]\ndef objective(trial): ...\n",
            "space is a dict from parameter names to their ranges, not a list",
        ),
        (
            "SPACE = {'x': {'type': 'constant', 'value': {1}}}\ndef objective(trial): ...\n",
            "'x' is not plain JSON",
        ),
        ("METRIC = 3\ndef objective(trial): ...\n", "METRIC is a text, not 3"),
        ("MIN_RESOURCE = 0\ndef objective(trial): ...\n", "1 <= 0 <= None does not hold"),
        ("MIN_RESOURCE, MAX_RESOURCE = 1, 'x'\ndef objective(trial): ...\n", "1 <= 1 <= 'x' does not hold"),
        ("MAX_RESOURCE = 0\ndef objective(trial): ...\n", "1 <= 1 <= 0 does not hold"),
    ],
)
def test_a_broken_file_shows_its_error_and_breaks_nothing_else(folder, code, complaint):
    (folder / "broken.py").write_text(code)
    (folder / "parabola.py").write_text(OBJECTIVE)
    found = entries(folder)
    assert list(found) == [*SHIPPED, "broken.py", "parabola"]
    assert complaint in found["broken.py"].error
    assert found["broken.py"].digest == hashlib.sha256(code.encode()).hexdigest()
    assert [name for name, entry in found.items() if entry.error] == ["broken.py"]


def test_an_error_shows_the_users_lines_and_not_ours(folder):
    (folder / "broken.py").write_text("def inner():\n    return 1 / 0\n\ninner()\n")
    error = entries(folder)["broken.py"].error
    assert error.splitlines()[-1] == "ZeroDivisionError: division by zero"
    assert "broken.py" in error and "line 2, in inner" in error and "catalogue.py" not in error


def test_a_class_that_breaks_the_contract_is_named_beside_one_that_does_not(folder):
    second = '\n\nclass Unfinished(Workload):\n    name = "unfinished"\n    space = {}\n'
    (folder / "blobs.py").write_text(BLOBS + second)
    found = entries(folder)
    assert found["blobs"].error is None
    assert "the method build_model() is missing" in found["blobs.py:Unfinished"].error


def test_a_base_class_without_a_name_is_no_workload(folder):
    base = BLOBS.replace('    name = "blobs"\n', "")
    leaves = '\n\nclass One(Blobs):\n    name = "one"\n\n\nclass Two(Blobs):\n    name = "two"\n'
    (folder / "family.py").write_text(base + leaves)
    found = entries(folder)
    assert list(found) == [*SHIPPED, "one", "two"] and found["one"].error is None


def test_a_second_name_for_a_class_is_no_second_workload(folder):
    (folder / "blobs.py").write_text(BLOBS + "\n\nAlias = Blobs\n")
    assert list(entries(folder)) == [*SHIPPED, "blobs"]


def test_a_second_workload_of_the_same_name_is_an_error_entry(folder):
    (folder / "first.py").write_text(BLOBS)
    (folder / "second.py").write_text(BLOBS)
    (folder / "digits_cnn.py").write_text(OBJECTIVE)
    found = entries(folder)
    assert list(found) == [*SHIPPED, "digits_cnn.py:digits_cnn", "blobs", "second.py:blobs"]
    assert found["second.py:blobs"].error == "the name 'blobs' is taken by first.py; give this one another"
    assert found["digits_cnn"].source == "tuning.training.workloads.digits_cnn"


def test_files_that_begin_with_an_underscore_are_shared_code(folder):
    (folder / "_shared.py").write_text("LIMIT = 3.0\n")
    (folder / "user.py").write_text("from _shared import LIMIT\ndef objective(trial):\n    return LIMIT\n")
    found = entries(folder)
    assert list(found) == [*SHIPPED, "user"] and found["user"].error is None
    assert found["user"].objective(None) == 3.0


def test_a_file_that_changed_is_loaded_again(folder):
    path = folder / "parabola.py"
    path.write_text("def objective(trial):\n    return 1\n")
    catalogue = Catalogue(Sources(folder=folder))
    assert catalogue.find("parabola").objective(None) == 1
    assert catalogue.find("parabola").objective is catalogue.find("parabola").objective
    path.write_text("def objective(trial):\n    return 2\n")
    assert catalogue.find("parabola").objective(None) == 2


def test_named_modules_are_sources(folder, monkeypatch):
    monkeypatch.syspath_prepend(str(folder))
    package = folder / "lab"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "curve.py").write_text(OBJECTIVE)
    found = entries(modules=("lab.curve", "lab.missing"))
    assert found["curve"].source == "lab.curve" and found["curve"].digest
    assert "No module named 'lab.missing'" in found["lab.missing"].error


def test_a_folder_that_is_not_there_is_an_error_entry(tmp_path):
    found = entries(tmp_path / "nowhere")
    assert "which is not a folder" in found["nowhere"].error


def test_finding_a_workload_loads_no_source_behind_it(folder):
    (folder / "a.py").write_text(BLOBS)
    (folder / "b.py").write_text("raise SystemExit('never loaded')\n")
    catalogue = Catalogue(Sources(folder=folder, data_dir=folder))
    workload = catalogue.make("blobs")
    assert workload.name == "blobs" and workload.data_dir == folder
    assert folder / "b.py" not in catalogue._loaded


def test_an_unknown_name_is_answered_with_what_there_is(folder):
    (folder / "broken.py").write_text("1 / 0\n")
    (folder / "parabola.py").write_text(OBJECTIVE)
    catalogue = Catalogue(Sources(folder=folder))
    with pytest.raises(
        UnknownWorkload, match=r"no workload 'flowers'; there are .*digits_transformer, parabola\."
    ) as caught:
        catalogue.find("flowers")
    assert "ZeroDivisionError" in str(caught.value)
    with pytest.raises(UnknownWorkload, match="is an objective function"):
        catalogue.make("parabola")


def test_sources_are_read_from_the_environment(tmp_path):
    sources = Sources.from_environment(
        {"HPWEB_WORKLOADS": " a.b, c ,", "HPWEB_WORKLOAD_DIR": str(tmp_path), "HPWEB_DATA_DIR": ""}
    )
    assert sources == Sources(modules=("a.b", "c"), folder=tmp_path, data_dir=None)
    assert Sources.from_environment({}) == Sources()


def test_what_breaks_in_other_files_is_not_loaded_where_the_source_is_known(folder):
    """A trial's spec says in which file its workload was seen last: one that hangs holds up no trial of another."""
    (folder / "a_trap.py").write_text("import pathlib\npathlib.Path(__file__).with_suffix('.loaded').touch()\n")
    (folder / "b_home.py").write_text(OBJECTIVE)
    catalogue = Catalogue(Sources(folder=folder))
    assert catalogue.find("b_home", "b_home.py").objective is not None
    assert catalogue.find("b_home").objective is not None, "the place is remembered"
    assert catalogue.digest_of("b_home", "objective") == hashlib.sha256(OBJECTIVE.encode()).hexdigest()
    assert not (folder / "a_trap.loaded").exists()
    assert catalogue.find("digits_mlp", "somewhere_else.py").workload is not None, "it has moved"
    with pytest.raises(UnknownWorkload):
        catalogue.find("nowhere", "b_home.py")
    assert (folder / "a_trap.loaded").exists()


def test_a_source_that_was_given_up_is_not_loaded_and_shows_why(folder):
    (folder / "a_trap.py").write_text("raise SystemExit('it was loaded')\n")
    (folder / "b_fine.py").write_text(OBJECTIVE)
    looked, found = [], []
    entries = Catalogue(Sources(folder=folder)).entries(
        given_up={"a_trap.py": "it hangs"}, looking=looked.append, found=found.append
    )
    assert [entry.error for entry in entries if entry.name == "a_trap.py"] == ["it hangs"]
    assert looked == [*(f"tuning.training.workloads.{name}" for name in SHIPPED), "b_fine.py"]
    assert [entry for some in found for entry in some] == entries
