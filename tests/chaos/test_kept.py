"""What a storm that broke a promise leaves for whoever has to find out why."""

import json
import shutil
from types import SimpleNamespace

from tests.chaos.causes import Stroke, Violation
from tests.chaos.kept import keep
from tests.chaos.storm import Aftermath


def test_logs_ledger_blows_and_tables_stay_in_one_folder(tmp_path):
    (tmp_path / "ledger").mkdir()
    (tmp_path / "ledger" / "7-1").write_text("a line")
    (tmp_path / "here.log").write_text("what the supervisor said")
    ledger = SimpleNamespace(folder=tmp_path / "ledger")
    here, there = (
        SimpleNamespace(host=host, log=tmp_path / f"{host}.log", ledger=ledger) for host in ("here", "there")
    )
    stage = SimpleNamespace(places=[here, there], place=here, postgres=None)
    found = Aftermath("SQLite", violations=[Violation("lost", "trial 3")], strokes=[Stroke("a kill", 1.0, 2.0)])
    folder = keep(stage, found, {"study": {"state": "RUNNING"}})
    try:
        names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
        assert names == ["ledger/7-1", "told.json", "worker-here.log"], "a host that never came has no log"
        told = json.loads((folder / "told.json").read_text())
        assert told["violations"] == [{"promise": "lost", "words": "trial 3"}]
        assert told["strokes"] == [{"name": "a kill", "began": 1.0, "ended": 2.0}]
        assert told["tables"]["study"]["state"] == "RUNNING"
    finally:
        shutil.rmtree(folder)
