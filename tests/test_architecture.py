"""Who may know whom: every import of every module is an arrow of the plan, wherever in the module it stands."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
STANDARD = sys.stdlib_module_names | {"__future__"}
DJANGO = ("django",)
NUMBERS = ("numpy", "scipy", "sklearn")

# room -> the rooms and packages beside the standard library that it may import. A dotted name allows that module and
# what is below it; everything may import its own room. The longest room that a module's name begins with is its room.
ARROWS: dict[str, tuple[str, ...]] = {
    "tuning.findings": (),
    "tuning.remedies": (),
    "tuning.constraints": (),
    "tuning.sealed": (),
    "tuning.client": (),
    "tuning.engine": (*NUMBERS, "threadpoolctl"),  # which scikit-learn brings
    "tuning.analysis": (*NUMBERS, "tuning.findings", "tuning.engine"),
    "tuning.training": ("torch", *NUMBERS, "tuning.findings", "tuning.sealed"),
    "tuning.optuna_storage": ("optuna", "tuning.client"),
    "tuning.runner": (
        "torch", "tuning.constraints", "tuning.findings", "tuning.remedies", "tuning.sealed", "tuning.training",
    ),
    "tuning.runner.protocol": (),
    "tuning.models": (*DJANGO, "tuning.engine"),
    "tuning.migrations": (*DJANGO, "tuning.models"),
    "tuning.interop": (*NUMBERS, "yaml", "tuning.findings", "tuning.engine"),
    "tuning.charts": (*NUMBERS, "plotly", "tuning.findings", "tuning.engine"),
    "tuning.selectors": (
        *DJANGO, *NUMBERS, "tuning.findings", "tuning.engine", "tuning.analysis", "tuning.models", "tuning.interop",
    ),
    "tuning.services": (
        *DJANGO, *NUMBERS, "tuning.constraints", "tuning.findings", "tuning.engine", "tuning.analysis", "tuning.models",
        "tuning.interop", "tuning.sealed", "tuning.selectors",
    ),
    "tuning.workers": (
        *DJANGO, "django_q", "tuning.constraints", "tuning.models", "tuning.remedies", "tuning.runner.protocol",
        "tuning.sealed", "tuning.services", "tuning.selectors",
    ),
    "tuning.web": (
        *DJANGO, "yaml", "tuning.constraints", "tuning.findings", "tuning.engine.registry", "tuning.services",
        "tuning.selectors", "tuning.interop", "tuning.charts",
    ),
    "tuning.api": (
        *DJANGO, "yaml", "rest_framework", "drf_spectacular", "tuning.findings", "tuning.engine.registry",
        "tuning.services", "tuning.selectors", "tuning.interop", "tuning.charts",
    ),
    "tuning.management": (
        *DJANGO, "tuning.models", "tuning.findings", "tuning.engine.registry", "tuning.services", "tuning.selectors",
        "tuning.interop", "tuning.charts", "tuning.runner.protocol", "tuning.workers", "tests.benchmarks",
    ),
    "tuning.apps": (*DJANGO, "tuning.services.hints", "tuning.workers.wake"),
    "hpweb": (*DJANGO, "dj_database_url", "tuning.web.urls", "tuning.api.urls"),
}  # fmt: skip
# Workers and commands know the models as types (a claim is a Job or a Trial); that they leave reading to the selectors
# and writing to the services, ASKS_NOTHING holds.
ASKS_NOTHING = ("tuning.workers", "tuning.web", "tuning.api", "tuning.management")
# The arrows out of the table, imported only where somebody walks through them: samplers come with a door to Optuna, and
# workers ask NVIDIA's library on a machine that has the driver.
LAZY: dict[str, tuple[str, ...]] = {"tuning.engine": ("optuna",), "tuning.workers": ("pynvml",)}
TOP_LEVEL = {
    "manage.py", "dev.py", "hpweb", "tuning", "templates", "static", "tests", "README.md", "pyproject.toml",
    "requirements.txt", "requirements-dev.txt", "requirements-bench.txt",
}  # fmt: skip
BY_NAME = ("importlib.import_module", "import_module", "__import__")


@dataclass(frozen=True)
class Import:
    """One imported module, by its absolute name, and where it stands."""

    importer: str
    target: str
    line: int
    at_top: bool

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.target}"


def module_name(path: Path, root: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path, root: Path) -> Iterator[Import]:
    """Every import of a module: at its top, inside functions, relative, and by importlib with a literal name."""
    importer = module_name(path, root)
    package = importer.split(".") if path.name == "__init__.py" else importer.split(".")[:-1]
    tree = ast.parse(path.read_text())
    top = set(map(id, tree.body))
    for node in ast.walk(tree):
        at_top = id(node) in top
        if isinstance(node, ast.Import):
            yield from (Import(importer, alias.name, node.lineno, at_top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*base, *(node.module or "").split(".")]).rstrip(".")
            for alias in node.names:  # `from tuning import services` imports a room, not the empty package
                inner = f"{origin}.{alias.name}"
                yield Import(importer, inner if is_module(inner, root) else origin, node.lineno, at_top)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in BY_NAME and node.args:
            name = node.args[0]
            if isinstance(name, ast.Constant) and isinstance(name.value, str):
                yield Import(importer, name.value, node.lineno, False)


def is_module(name: str, root: Path) -> bool:
    path = root.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def within(name: str, room: str) -> bool:
    return name == room or name.startswith(f"{room}.")


def room_of(name: str) -> str | None:
    rooms = [room for room in ARROWS if within(name, room)]
    return max(rooms, key=len) if rooms else None


def is_allowed(arrow: Import) -> bool:
    room = room_of(arrow.importer)
    target = arrow.target
    if target.split(".")[0] in STANDARD or target == "tuning":
        return True
    if room is None:
        return False
    if within(target, room) and (room != "tuning.apps"):
        return True
    if any(within(target, allowed) for allowed in ARROWS[room]):
        return True
    return not arrow.at_top and any(within(target, allowed) for allowed in LAZY.get(room, ()))


def wrong_arrows(root: Path) -> list[str]:
    modules = [*(root / "tuning").rglob("*.py"), *(root / "hpweb").rglob("*.py")]
    return [str(arrow) for path in sorted(modules) for arrow in imports_of(path, root) if not is_allowed(arrow)]


def test_every_import_is_an_arrow_of_the_plan():
    assert wrong_arrows(ROOT) == []


def test_the_top_level_is_the_plans():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("this is no checkout of git")
    assert {name.split("/")[0] for name in listed.stdout.splitlines() if not name.startswith(".")} <= TOP_LEVEL


def test_every_module_has_a_room():
    modules = [module_name(path, ROOT) for path in (ROOT / "tuning").rglob("*.py")]
    assert len(modules) > 100
    assert [name for name in modules if name != "tuning" and room_of(name) is None] == []


def test_tuning_itself_is_empty():
    assert (ROOT / "tuning" / "__init__.py").read_text().strip() == ""


def queries_in(path: Path) -> list[int]:
    """The lines of a module that ask a model's manager."""
    tree = ast.parse(path.read_text())
    return [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr == "objects"]


def test_only_selectors_and_services_ask_the_database(tmp_path):
    for room in ASKS_NOTHING:
        for path in sorted((ROOT / room.replace(".", "/")).rglob("*.py")):
            assert queries_in(path) == [], path
    planted = tmp_path / "planted.py"
    planted.write_text("def read():\n    return Study.objects.all()\n")
    assert queries_in(planted) == [2]


PLANTED = {
    "at the top": ("tuning/engine/planted.py", "import torch\n"),
    "inside a function": ("tuning/engine/planted.py", "def later():\n    from django.db import models\n"),
    "relative": ("tuning/engine/samplers/planted.py", "from ...models import Study\n"),
    "relative to the room": ("tuning/services/planted.py", "from ..web import views\n"),
    "from the empty package": ("tuning/selectors/planted.py", "from tuning import services\n"),
    "by importlib": ("tuning/web/planted.py", "import importlib\nimportlib.import_module('torch')\n"),
    "a sibling of what is allowed": ("tuning/workers/planted.py", "from tuning.runner.session import Session\n"),
    "the engine beside its registry": ("tuning/api/planted.py", "from tuning.engine.space import SearchSpace\n"),
    "upwards": ("tuning/models/planted.py", "from tuning.services.studies import create_study\n"),
    "what results mean, from the database": ("tuning/analysis/planted.py", "from tuning.models import Trial\n"),
    "pages past the selectors": ("tuning/web/planted.py", "from tuning.analysis import lint_space\n"),
    "across": ("tuning/web/planted.py", "from tuning.api.urls import urlpatterns\n"),
    "in a type-checking block": (
        "tuning/findings/planted.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from tuning.engine import SearchSpace\n",
    ),
    "the protocol stands alone": ("tuning/runner/protocol.py", "from tuning.training import train\n"),
    "a room that is not in the plan": ("tuning/helpers/planted.py", "import numpy\n"),
    "a lazy door at the top": ("tuning/engine/samplers/planted.py", "import optuna\n"),
}
FINE = {
    "the standard library": ("tuning/findings/planted.py", "import json\nfrom collections.abc import Mapping\n"),
    "the own room, relative": (
        "tuning/engine/samplers/planted.py",
        "from .base import Sampler\nfrom .. import errors\n",
    ),
    "downwards": ("tuning/services/planted.py", "def later():\n    from tuning.selectors import studies\n"),
    "findings and the engine, to say what results mean": (
        "tuning/analysis/planted.py",
        "from tuning.engine import History\nfrom tuning.findings import Finding\n",
    ),
    "the registry": ("tuning/web/planted.py", "from tuning.engine import registry\n"),
    "torch where models are trained": ("tuning/training/planted.py", "import torch.nn as nn\n"),
    "a lazy door": ("tuning/engine/samplers/planted.py", "def door():\n    import optuna\n"),
}


def plant(root: Path, relative: str, text: str) -> list[str]:
    """The complaints about a small tree with one planted module, beside real names of rooms."""
    for module in (
        "services/__init__.py", "selectors/__init__.py", "selectors/studies.py", "engine/__init__.py",
        "engine/registry.py", "engine/errors.py", "engine/samplers/base.py", "web/__init__.py", "web/views.py",
        "models/__init__.py", "__init__.py",
    ):  # fmt: skip
        path = root / "tuning" / module
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    path = root / relative
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return wrong_arrows(root)


@pytest.mark.parametrize("case", PLANTED)
def test_a_planted_bad_import_is_found(tmp_path, case):
    relative, text = PLANTED[case]
    (complaint,) = plant(tmp_path, relative, text)
    assert module_name(Path(relative), Path(".")) in complaint


@pytest.mark.parametrize("case", FINE)
def test_a_planted_good_import_is_not(tmp_path, case):
    assert plant(tmp_path, *FINE[case]) == []


def test_web_processes_never_import_torch_and_start_without_what_they_seldom_need(tmp_path):
    result = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "import hpweb.wsgi, hpweb.urls"],
        cwd=ROOT, env={"PATH": "/usr/bin:/bin", "HPWEB_HOME": str(tmp_path)},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr[-2000:]
    imported = {
        line.rsplit("|", 1)[-1].strip() for line in result.stderr.splitlines() if line.startswith("import time:")
    }
    assert {"hpweb.wsgi", "tuning.models.study", "tuning.workers.wake"} <= imported
    assert not {name for name in imported if name.split(".")[0] in ("torch", "optuna")}
    assert not imported & {"scipy.stats", "scipy.optimize", "sklearn", "plotly.graph_objs"}
