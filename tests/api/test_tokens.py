"""GET POST tokens/, DELETE tokens/{id}/."""

from datetime import timedelta

import pytest
from django.utils import timezone

from tests.api.conftest import Api, fields_of
from tuning.models import ApiToken
from tuning.services.tokens import create_token


def test_a_new_token_signs_in_and_its_secret_is_shown_once(as_alice):
    answer = as_alice.post("tokens/", {"name": "sweep.py"})
    assert answer.status_code == 201
    assert answer["Cache-Control"] == "no-store"
    secret = answer.json()["secret"]
    assert secret.startswith(answer.json()["prefix"])
    assert Api(secret).get("samplers/").status_code == 200
    listed = as_alice.get("tokens/").json()["results"]
    assert [row["name"] for row in listed] == ["sweep.py", "test"]
    assert all("secret" not in row and "digest" not in row for row in listed)


def test_the_list_shows_only_ones_own(as_alice, as_bob, alice, count_queries):
    for name in ("one", "two"):
        create_token(user=alice, name=name)
    assert [row["name"] for row in as_bob.get("tokens/").json()["results"]] == ["test"]
    assert count_queries(lambda: as_bob.get("tokens/")) == count_queries(lambda: as_bob.get("tokens/")) == 2


def test_a_token_expires(as_alice):
    expires = (timezone.now() + timedelta(days=1)).isoformat()
    document = as_alice.post("tokens/", {"name": "short", "expires": expires}).json()
    api = Api(document["secret"])
    assert api.get("samplers/").status_code == 200
    ApiToken.objects.filter(pk=document["id"]).update(expires=timezone.now() - timedelta(seconds=1))
    answer = api.get("samplers/")
    assert answer.status_code == 401
    assert "expired" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "late", "expires": "2020-01-01T00:00:00Z"}, "expires"),
        ({"name": "late", "expires": "tomorrow"}, "expires"),
        ({"name": "late", "expires": 5}, "expires"),
        ({"name": "wide", "scopes": ["all"]}, "scopes"),
    ],
)
def test_bad_input_is_named(as_alice, body, field):
    answer = as_alice.post("tokens/", body)
    assert answer.status_code == 400
    assert field in fields_of(answer)
    assert ApiToken.objects.count() == 1


def test_a_revoked_token_is_refused_and_gone(as_alice, alice):
    token, secret = create_token(user=alice, name="old")
    assert as_alice.delete(f"tokens/{token.pk}/").status_code == 204
    assert Api(secret).get("samplers/").status_code == 401
    assert as_alice.delete(f"tokens/{token.pk}/").status_code == 404


def test_nobody_revokes_the_token_of_another(as_bob, as_admin, as_nobody, alice):
    token, secret = create_token(user=alice, name="hers")
    assert as_bob.delete(f"tokens/{token.pk}/").status_code == 404
    assert as_admin.delete(f"tokens/{token.pk}/").status_code == 404
    assert as_nobody.delete(f"tokens/{token.pk}/").status_code == 401
    assert Api(secret).get("samplers/").status_code == 200


def test_nobody_lists_or_makes_tokens_without_one(as_nobody):
    assert as_nobody.get("tokens/").status_code == 401
    assert as_nobody.post("tokens/", {"name": "mine"}).status_code == 401


def test_the_token_of_a_closed_account_is_refused(as_alice, alice):
    alice.is_active = False
    alice.save()
    assert as_alice.get("samplers/").status_code == 401
