"""The audit of a seal: it finds nothing in a sound study, leaves it as it was, and finds what was let out."""

import io
import json
import re
import struct
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.urls import get_resolver, path

from tests.factories import make_running, make_slot, make_study, report
from tuning.management import walk
from tuning.management.walk import Route, UnknownPart, Walk, routes_of
from tuning.models import ApiToken, AuditEvent, SealedMetric, Study, Trial
from tuning.selectors.artifacts import trial_folder
from tuning.services import seal_audit, sealing
from tuning.services.endings import complete_trial

VALUE = 0.7390518264193


@pytest.fixture
def study(alice: User) -> Study:
    """A study on workers with two complete trials, of which one has sealed a number."""
    study = make_study(alice, started=True, workload="tiny", name="audited")
    for number, sealed in enumerate((VALUE, 0.5)):
        trial = make_running(study, make_slot())
        report(trial, [0.5, 0.4], test__accuracy=[0.25, sealed])
        complete_trial(trial_id=trial.pk, fence=trial.fence)
        folder = trial_folder(trial)
        folder.mkdir(parents=True)
        (folder / "attempt-1.log").write_text(f"trial {number} prints\n")
    study.refresh_from_db()
    return study


def audit(study: Study, **options: Any) -> tuple[str, str, str]:
    """What the command wrote to both streams, and with which words it ended ("" in good order)."""
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("seal_audit", study.pk, stdout=out, stderr=err, **options)
    except CommandError as error:
        return out.getvalue(), err.getvalue(), str(error)
    return out.getvalue(), err.getvalue(), ""


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Walk the pages of trials alone: the test is about another place."""
    routes = [route for route in routes_of(get_resolver()) if route.text.endswith("trials/<int:trial_id>/")]
    monkeypatch.setattr(walk, "routes_of", lambda resolver: routes)
    monkeypatch.setattr(walk, "MOST_LINKS", 0)


def everything() -> str:
    """All rows of all tables, as text."""
    with connection.cursor() as cursor:
        tables = sorted(connection.introspection.table_names(cursor))
        rows = []
        for table in tables:
            cursor.execute(f"SELECT * FROM {table}")
            rows.append((table, sorted(map(repr, cursor.fetchall()))))
    return json.dumps(rows)


def test_a_sound_study_shows_nothing_and_stays_as_it_was(study: Study) -> None:
    before = everything()
    out, err, ended = audit(study)
    assert (err, ended) == ("", "")
    assert "No sealed number" in out
    assert "2 planted numbers and 1 sealed ones" in out
    assert everything() == before
    looked = {line.split()[1]: line.split() for line in out.splitlines() if re.match(r"(files|table|REST|page) ", line)}
    for place in (
        "tuning_trial", "tuning_auditevent", f"study-{study.pk}/trial-0", "/api/v1/studies/<int:study_id>/export/",
        "/api/v1/trials/<int:trial_id>/curves/", "/studies/<int:study_id>/leaderboard/", "/trials/<int:trial_id>/log/",
        "/studies/<int:study_id>/best.<slug:form>", "/studies/<int:study_id>/setup/",
    ):  # fmt: skip
        assert int(looked[place][-2].replace(",", "")) > 0, place
    assert "tuning_sealedmetric" not in looked


def leak_to_notes(trial: Trial, value: float) -> str:
    Study.objects.filter(pk=trial.study_id).update(description=f"it scores {value:.4g} on the test set")
    return "table tuning_study"


def leak_to_a_metric(trial: Trial, value: float) -> str:
    Trial.objects.filter(pk=trial.pk).update(value=value, values=[value])
    return "table tuning_trial"


def leak_to_facts(trial: Trial, value: float) -> str:
    Trial.objects.filter(pk=trial.pk).update(facts={"user_attrs": {"f1": value}})
    return f"REST /api/v1/trials/{trial.pk}/"


@pytest.mark.parametrize("leak", [leak_to_notes, leak_to_a_metric, leak_to_facts])
def test_a_planted_number_that_is_stored_elsewhere_too_is_found(study, short, monkeypatch, leak) -> None:
    places: list[str] = []

    def leaking(of: Study, trial: Trial, fence: int, points: Any) -> Any:
        rest = sealing.seal_points(of, trial, fence, points)
        places.append(leak(trial, points[0].metrics["test/seal_audit_size"]))
        return rest

    monkeypatch.setattr(seal_audit, "seal_points", leaking)
    _out, err, ended = audit(study, trials=1)
    assert "leaks" in ended
    assert f"found in {places[0]}" in err
    assert "a planted number" in err


def test_a_page_that_shows_sealed_values_is_found(study, short, monkeypatch) -> None:
    def shown(trial: Trial) -> dict[str, Any]:
        return {f"{row.name} {row.value:.3g}": 1 for row in SealedMetric.objects.filter(trial=trial)}

    monkeypatch.setattr("tuning.web.views.trial.sealed_counts", shown)
    _out, err, ended = audit(study, trials=1)
    assert "leaks" in ended
    assert re.search(r"found in page /trials/\d+/", err)
    assert "table" not in err


@pytest.mark.parametrize("content", [f"accuracy on test: {VALUE:.7f}\n".encode(), b"\x80" + struct.pack(">d", VALUE)])
def test_a_sealed_value_of_the_study_in_its_files_is_found(study, short, content) -> None:
    file = trial_folder(Trial.objects.earliest("number")) / "attempt-1.log"
    file.write_bytes(b"x" * ((1 << 20) - 10) + content)
    _out, err, ended = audit(study, trials=1)
    assert "leaks" in ended
    assert f"found in files {file}: sealed metric" in err
    assert "73905" not in err


def test_a_value_that_an_open_metric_has_as_well_is_not_called_a_leak(study, short) -> None:
    trial = make_running(study, make_slot())
    report(trial, [VALUE])
    out, _err, ended = audit(study, trials=1)
    assert (ended, "2 that equal a value of an open metric" in out) == ("", True)


def test_a_page_that_breaks_is_told_and_nothing_is_said_about_the_seal(study, short, monkeypatch) -> None:
    def breaks(trial: Trial) -> dict[str, int]:
        raise RuntimeError("broken")

    monkeypatch.setattr("tuning.web.views.trial.sealed_counts", breaks)
    _out, err, ended = audit(study, trials=1)
    assert "could not be looked at" in ended
    assert "the server answered 500" in err


def test_a_study_without_a_trial_or_none_at_all_is_refused(alice) -> None:
    study = make_study(alice)
    assert "no trial yet" in audit(study)[2]
    study.pk = 10**6
    assert "no study" in audit(study)[2]


def test_what_is_done_while_it_is_planted_is_taken_back(study) -> None:
    numbers = seal_audit.unusual_numbers()
    with pytest.raises(ZeroDivisionError), seal_audit.planted(study_id=study.pk, numbers=numbers) as plant:
        raise ZeroDivisionError(SealedMetric.objects.get(trial=plant.trial, name="test/seal_audit"))
    assert not SealedMetric.objects.filter(name__startswith="test/seal_audit").exists()
    assert not ApiToken.objects.exists()
    assert not AuditEvent.objects.filter(verb="created token").exists()


def test_a_new_address_is_walked_and_one_with_an_unknown_part_is_an_error(alice) -> None:
    class Resolver:
        url_patterns = [
            path("studies/<int:study_id>/new/", lambda request: None, name="new"),
            path("trials/<int:trial_id>/new/", lambda request: None),
            path("hosts/<int:host_id>/", lambda request: None),
        ]

    new, of_trial, of_host = routes_of(Resolver())  # type: ignore[arg-type]
    one = Walk(3, [5, 8], alice, "token", routes=[])
    assert (new, of_trial.parts) == (Route("studies/<int:study_id>/new/", "new", ("study_id",)), ("trial_id",))
    assert one.addresses(new) == ["/studies/3/new/"]
    assert one.addresses(of_trial) == ["/trials/5/new/", "/trials/8/new/"]
    assert one.addresses(of_host) == []
    with pytest.raises(UnknownPart, match="<colour>"):
        one.addresses(Route("studies/<int:study_id>/<slug:colour>/", "", ("study_id", "colour")))
    assert all(part in walk.PARTS for part in ("form", "verb"))
