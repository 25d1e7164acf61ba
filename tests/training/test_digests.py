"""The digest of a workload's file covers what it imports from its folder; changed imports are read anew."""

import hashlib
import sys

import pytest

from tests.training.test_catalogue import OBJECTIVE
from tuning.training.catalogue import Catalogue, Sources
from tuning.training.digests import source_digest


@pytest.fixture
def folder(tmp_path):
    yield tmp_path
    sys.path[:] = [entry for entry in sys.path if entry != str(tmp_path)]
    for name in [name for name in sys.modules if name.startswith("hpweb_workload_") or name in ("_parts", "_deep")]:
        del sys.modules[name]


def test_a_file_alone_is_the_sha256_of_its_bytes(folder):
    path = folder / "curve.py"
    path.write_text("import json\n" + OBJECTIVE)
    assert source_digest(path, folder) == hashlib.sha256(path.read_bytes()).hexdigest()


def test_what_it_imports_counts_through_each_other(folder):
    path = folder / "curve.py"
    path.write_text("from _parts import scale\n" + OBJECTIVE)
    (folder / "_parts.py").write_text("import _deep\nscale = 1\n")
    (folder / "_deep.py").write_text("import curve\n")
    (folder / "_other.py").write_text("")
    seen = {source_digest(path, folder)}
    for name in ("_parts.py", "_deep.py", "curve.py"):
        with (folder / name).open("a") as file:
            file.write("# changed\n")
        seen.add(source_digest(path, folder))
    assert len(seen) == 4
    (folder / "_other.py").write_text("# changed\n")
    assert source_digest(path, folder) in seen


def test_a_changed_import_is_loaded_again(folder):
    path = folder / "curve.py"
    path.write_text("from _parts import TITLE\n" + OBJECTIVE)
    (folder / "_parts.py").write_text("TITLE = 'first'\n")
    catalogue = Catalogue(Sources(folder=folder))
    assert catalogue.find("curve").title == "first"
    (folder / "_parts.py").write_text("TITLE = 'second, and longer'\n")
    assert catalogue.find("curve").title == "second, and longer"


def test_a_changed_module_is_imported_again(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "lab_curve.py").write_text("TITLE = 'first'\n" + OBJECTIVE)
    catalogue = Catalogue(Sources(modules=("lab_curve",)))
    first = catalogue.find("lab_curve")
    assert catalogue.find("lab_curve") is first
    (tmp_path / "lab_curve.py").write_text("TITLE = 'second, and longer'\n" + OBJECTIVE)
    second = catalogue.find("lab_curve")
    assert (first.title, second.title) == ("first", "second, and longer")
    assert first.digest != second.digest
