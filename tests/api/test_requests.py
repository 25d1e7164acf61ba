"""What every endpoint does with a bad request: the token, the body, the address, the rate, the size."""

import pytest
from django.core.cache import cache
from django.test import Client
from rest_framework.throttling import UserRateThrottle

from tests.api.conftest import fields_of
from tests.factories import SPACE
from tuning.models import Study

NEW = {"name": "first", "space": SPACE, "n_trials": 5}


# --- who ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("header", ["Token wrong", "Token", "Token a b", "Token hp_xyz\u00e9", "Bearer hp_x", "hp_x"])
def test_a_wrong_authorization_header_is_a_401_that_says_how(as_nobody, header):
    answer = as_nobody.get("studies/", headers={"Authorization": header})
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Token"
    assert answer.json()["title"] == "Unauthorized"
    assert fields_of(answer) == {}


def test_a_person_signed_in_on_the_pages_may_read_but_writes_need_the_csrf_token(alice, study):
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    assert client.get("/api/v1/studies/").status_code == 200
    answer = client.post("/api/v1/studies/", NEW, content_type="application/json")
    assert answer.status_code == 403
    assert "CSRF" in answer.json()["detail"]
    assert fields_of(answer) == {}


# --- the body -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"{", "not JSON"),
        (b'{"name": "a",}', "not JSON"),
        (b'{"name": NaN}', 'send the string "nan"'),
        (b'{"space": {"lr": {"type": "float", "low": 0, "high": 1e400}}}', "space.lr.high is 1e400, larger than"),
        (b'{"space": {"lr": {"type": "float", "low": [-Infinity]}}}', "space.lr.low.0 is -Infinity. JSON has no"),
        (b"NaN", "write a finite number"),
        (b'{"space": {"lr": {"type": "float"}, "lr": {"type": "int"}}}', 'The name "lr" stands twice'),
        (b'{"name": -Infinity}', 'send the string "nan"'),
        (b'{"name": 1e999}', "larger than a float"),
        (b'{"name": "\xff"}', "not UTF-8"),
        (b'{"name": "a\\u0000b"}', "U+0000"),
        (b'{"name": "\\ud800"}', "surrogate"),
        (b'{"\\udfff": 1}', "surrogate"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"n_trials": ' + b"9" * 5_000 + b"}", "too many digits"),
    ],
)
def test_a_body_that_cannot_be_read_says_why(as_alice, raw, words):
    answer = as_alice.post("studies/", raw=raw)
    assert answer.status_code == 400
    assert words in answer.json()["detail"]
    assert fields_of(answer) == {}


@pytest.mark.parametrize("body", [[], [NEW], "text", 5, True, None])
def test_a_body_that_is_no_object_is_refused(as_alice, body):
    answer = as_alice.post("studies/", raw=b"null" if body is None else None, body=body)
    assert answer.status_code == 400
    assert "JSON object with the fields name, workload" in fields_of(answer)[""]
    assert not Study.objects.exists()


def test_whole_characters_beyond_the_first_plane_are_kept(as_alice):
    answer = as_alice.post("studies/", {**NEW, "name": "\U0001f600 name"})
    assert answer.status_code == 201
    assert answer.json()["name"] == "\U0001f600 name"


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_a_body_of_another_type_is_a_415(as_alice, kind):
    answer = as_alice.post("studies/", raw=b"name=first", content_type=kind)
    assert answer.status_code == 415
    assert fields_of(answer) == {}


def test_the_media_type_may_carry_a_charset(as_alice):
    assert as_alice.post("studies/", NEW, content_type="Application/JSON; charset=utf-8").status_code == 201


def test_a_body_that_is_too_long_is_a_413(as_alice, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000
    assert as_alice.post("studies/", {**NEW, "description": "x" * 500}).status_code == 201
    answer = as_alice.post("studies/", {**NEW, "name": "second", "description": "x" * 1_000})
    assert answer.status_code == 413
    assert "1,000 bytes" in answer.json()["detail"]
    assert fields_of(answer) == {}


# --- the address and the method -----------------------------------------------------------------------------
def test_an_unknown_address_is_a_problem_document(as_alice):
    answer = as_alice.get("study/")
    assert answer.status_code == 404
    assert "/api/v1/schema/" in answer.json()["detail"]
    assert fields_of(answer) == {}


def test_a_forgotten_slash_is_told_not_redirected(as_alice):
    answer = as_alice.post("studies", NEW)
    assert answer.status_code == 404
    assert "end with a slash" in answer.json()["detail"]
    assert not Study.objects.exists()


def test_an_unknown_address_tells_nothing_without_a_token(as_nobody):
    assert as_nobody.get("study/").status_code == 401


def test_a_wrong_method_lists_the_right_ones(as_alice):
    answer = as_alice.call("PUT", "studies/", {})
    assert answer.status_code == 405
    assert set(answer["Allow"].split(", ")) == {"GET", "POST", "HEAD", "OPTIONS"}
    assert fields_of(answer) == {}


def test_options_describes_the_endpoint(as_alice):
    assert as_alice.call("OPTIONS", "studies/").status_code == 200


def test_the_accept_header_does_not_matter(as_alice):
    answer = as_alice.get("studies/", headers={"Accept": "text/html"})
    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/json"


# --- the rate -----------------------------------------------------------------------------------------------
def test_too_many_requests_are_a_429_with_the_time_to_wait(as_alice, as_bob, monkeypatch):
    cache.clear()
    monkeypatch.setattr(UserRateThrottle, "THROTTLE_RATES", {"user": "2/min"})
    assert [as_alice.get("samplers/").status_code for _ in range(2)] == [200, 200]
    answer = as_alice.get("samplers/")
    assert answer.status_code == 429
    assert 1 <= int(answer["Retry-After"]) <= 60
    assert fields_of(answer) == {}
    assert as_bob.get("samplers/").status_code == 200


# --- the server's own faults --------------------------------------------------------------------------------
def test_a_fault_of_the_server_is_not_dressed_up_as_a_refusal(as_alice, monkeypatch):
    def broken(*_arguments: object, **_options: object) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr("tuning.api.views.catalogue.workload_list", broken)
    as_alice.client.raise_request_exception = False
    assert as_alice.get("workloads/").status_code == 500
