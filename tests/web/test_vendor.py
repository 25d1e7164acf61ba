"""What is vendored is what its README says."""

import hashlib
import re
from pathlib import Path

VENDOR = Path(__file__).resolve().parents[2] / "static" / "vendor"


def test_every_vendored_file_has_its_checksum() -> None:
    table = dict(re.findall(r"^\| `([^`]+)` .*`([0-9a-f]{64})` \|$", (VENDOR / "README.md").read_text(), re.M))
    files = {str(path.relative_to(VENDOR)) for path in VENDOR.rglob("*") if path.is_file()} - {"README.md"}
    assert set(table) == files
    for name, checksum in table.items():
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == checksum, name


def test_plotly_s_rules_are_those_of_the_bundle() -> None:
    bundle = (VENDOR / "plotly" / "plotly-strict.min.js").read_text()
    rules = bundle[bundle.index('{"X,X div":') :]
    copied = (VENDOR / "plotly" / "plotly.css").read_text()
    for selector in ("X .main-svg", "X .cursor-crosshair", "X .modebar-btn"):
        found = re.search(rf'"{re.escape(selector)}":"([^"]*)"', rules)
        assert found is not None
        assert f"{selector.replace('X', '.js-plotly-plot .plotly')} {{ {found[1]} }}" in copied
