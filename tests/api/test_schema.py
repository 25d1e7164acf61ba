"""GET schema/ and docs/, and schemathesis over every operation of the live schema."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest
import schemathesis
from django.contrib.staticfiles import finders
from django.core.management import call_command
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.test import Client
from hypothesis import HealthCheck, settings
from schemathesis import checks

from hpweb.wsgi import application
from tests.api.conftest import api_of
from tests.factories import make_slot, make_study, make_workload
from tests.services.final import finished, revealed, with_test_metrics
from tuning.models import Study
from tuning.services.finalising import finalise_study

CHECKED = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
]


# --- the document -------------------------------------------------------------------------------------------
def test_the_schema_is_valid_and_without_warnings(tmp_path):
    call_command("spectacular", validate=True, fail_on_warn=True, file=str(tmp_path / "schema.yml"))


def test_every_operation_is_described_and_says_how_it_refuses(as_nobody):
    document = as_nobody.get("schema/?format=json").json()
    assert len(document["paths"]) > 20
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            place = f"{method.upper()} {path}"
            assert operation.get("summary"), place
            assert operation.get("description", "").endswith("."), place
            assert operation["tags"], place
            for status in ("400", "401", "429"):
                assert list(operation["responses"][status]["content"]) == ["application/problem+json"], place


def test_operation_ids_are_unique(as_nobody):
    document = as_nobody.get("schema/?format=json").json()
    names = [operation["operationId"] for methods in document["paths"].values() for operation in methods.values()]
    assert len(names) == len(set(names))


def test_the_examples_are_taken_as_they_stand(as_alice, as_nobody):
    """The bodies that the page offers: the study's is created, those under a lease get as far as the lease."""
    paths = as_nobody.get("schema/?format=json").json()["paths"]
    given = {
        path: [
            row["value"] for row in methods["post"]["requestBody"]["content"]["application/json"]["examples"].values()
        ]
        for path, methods in paths.items()
        if "examples" in methods.get("post", {}).get("requestBody", {}).get("content", {}).get("application/json", {})
    }
    assert len(given) == 9
    batch = {"type": "int", "low": 16, "high": 256, "log": True}
    rate = {"type": "float", "low": 1e-4, "high": 0.1, "log": True}
    make_workload("batched", space={"lr": rate, "batch_size": batch})
    (new,) = given.pop("/api/v1/studies/")
    study = as_alice.post("studies/", new).json()["id"]
    as_alice.post(f"studies/{study}/start/")
    trial = as_alice.post(f"studies/{study}/ask/").json()["trials"][0]["id"]
    for path, bodies in sorted(given.items(), key=lambda item: item[0].endswith("/exclude/")):  # it ends the trial
        address = path.removeprefix("/api/v1/").format(study_id=study, trial_id=trial, name="batched")
        for body in bodies:
            made = 201 if path.endswith(("/enqueue/", "/tokens/", "/lr-range/")) else 200
            assert as_alice.post(address, body).status_code == (409 if "lease" in body else made), path


# --- the page -----------------------------------------------------------------------------------------------
class Parts(HTMLParser):
    """What a strict Content-Security-Policy would block on a page, and what it loads."""

    def __init__(self) -> None:
        super().__init__()
        self.inline: list[str] = []
        self.sources: list[str] = []
        self._script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self._script = tag == "script" and "src" not in given
        if tag == "style" or "style" in given or any(name.startswith("on") for name in given):
            self.inline.append(tag)
        self.sources += [str(given[name]) for name in ("src", "href") if given.get(name)]

    def handle_data(self, data: str) -> None:
        if self._script and data.strip():
            self.inline.append("script")


def test_the_page_has_nothing_that_the_policy_blocks(client: Client, db: None):
    answer = client.get("/api/v1/docs/")
    assert answer.status_code == 200
    assert "script-src 'self'" in answer["Content-Security-Policy"]
    assert "unsafe-inline" not in answer["Content-Security-Policy"]
    assert "unsafe-eval" not in answer["Content-Security-Policy"]
    parts = Parts()
    parts.feed(answer.content.decode())
    assert parts.inline == []
    assert len(parts.sources) >= 5
    assert all(source.startswith("/") and not source.startswith("//") for source in parts.sources)


def test_the_page_loads_its_own_files_and_the_schema(client: Client, db: None):
    page = client.get("/api/v1/docs/").content.decode()
    script = client.get("/api/v1/docs/?script=")
    assert script["Content-Type"].startswith("application/javascript")
    assert re.search(r'src="/api/v1/docs/\?script="', page)
    assert b"/api/v1/schema/" in script.content
    for name in re.findall(r'(?:src|href)="/static/([^"]+)"', page):
        assert finders.find(name), name


# --- schemathesis -------------------------------------------------------------------------------------------
@pytest.fixture
def live(alice: Any) -> Iterator[dict[str, Any]]:
    """Alice's token, and the ids and the lease of a study and a trial of hers.

    Requests by WSGI run inside the test's transaction, so they must not close its connection (as in test.Client, which
    connects the two signals again after each of its requests).
    """
    make_workload("tiny")
    api = api_of(alice)
    study = make_study(alice, started=True, n_trials=1000, parallel=1000)
    asked = api.post(f"studies/{study.pk}/ask/").json()["trials"][0]
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield {
        "headers": api.headers,
        "ids": {"study_id": study.pk, "trial_id": asked["id"]},
        "lease": asked["lease"],
    }
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


schema = schemathesis.openapi.from_wsgi("/api/v1/schema/?format=json", application)


@schema.parametrize()
@settings(
    max_examples=6,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
def test_no_request_finds_a_fault_of_the_server(case: Any, live: dict[str, Any]):
    """Half of what is generated meets a study, trial and lease that exist, so that it gets past the 404 and the 409."""
    parameters = case.path_parameters or {}
    for name in parameters.keys() & live["ids"].keys():
        if isinstance(parameters[name], int) and parameters[name] % 2 == 0:
            parameters[name] = live["ids"][name]
    for body in case.body if isinstance(case.body, list) else [case.body]:
        if isinstance(body, dict) and isinstance(body.get("lease"), str) and 1 <= len(body["lease"]) <= 200:
            body["lease"] = live["lease"]
    case.call_and_validate(headers=live["headers"], checks=CHECKED)


def test_what_a_final_look_has_found_is_answered_as_described(alice: Any, live: dict[str, Any]):
    """One of a training and one of a script: generated requests meet no study that has taken a look."""

    def as_described(path: str, study: Study) -> Any:
        case = schema[path]["GET"].Case(path_parameters={"study_id": study.pk})
        return case.call_and_validate(headers=live["headers"], checks=CHECKED).json()

    trained, script = finished(alice), with_test_metrics(alice)
    seal = finalise_study(study_id=trained.pk, actor=alice)
    assert as_described("/api/v1/studies/{study_id}/finalise/", trained)["state"] == "waits"
    revealed(seal, make_slot("here"))
    finalise_study(study_id=script.pk, actor=alice)
    for study in (trained, script):
        assert as_described("/api/v1/studies/{study_id}/finalise/", study)["state"] == "revealed"
        assert len(as_described("/api/v1/studies/{study_id}/reveals/", study)["reveals"]) == 1
