"""Callers of the interface: each of the three people with a real token, and a stranger without one."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.factories import make_study
from tuning.models import Study
from tuning.services.tokens import create_token


class Api:
    """Sends JSON to /api/v1/ with a token; `answer.json()` is what came back."""

    def __init__(self, secret: str | None) -> None:
        self.client = Client(raise_request_exception=True)
        self.headers = {"Authorization": f"Token {secret}"} if secret else {}

    def call(
        self, method: str, path: str, body: Any = None, *, raw: bytes | None = None, **extra: Any
    ) -> Any:
        data = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        headers = {**self.headers, **extra.pop("headers", {})}
        kind = extra.pop("content_type", "application/json")
        return self.client.generic(
            method, f"/api/v1/{path}", data, content_type=kind, headers=headers, **extra
        )

    def get(self, path: str, **extra: Any) -> Any:
        return self.call("GET", path, **extra)

    def post(self, path: str, body: Any = None, **extra: Any) -> Any:
        return self.call("POST", path, body, **extra)

    def patch(self, path: str, body: Any = None, **extra: Any) -> Any:
        return self.call("PATCH", path, body, **extra)

    def delete(self, path: str, **extra: Any) -> Any:
        return self.call("DELETE", path, **extra)


def api_of(user: AbstractUser) -> Api:
    return Api(create_token(user=user, name="test")[1])


@pytest.fixture
def as_alice(alice: AbstractUser) -> Api:
    return api_of(alice)


@pytest.fixture
def as_bob(bob: AbstractUser) -> Api:
    return api_of(bob)


@pytest.fixture
def as_charlie(charlie: AbstractUser) -> Api:
    return api_of(charlie)


@pytest.fixture
def as_admin(admin: AbstractUser) -> Api:
    return api_of(admin)


@pytest.fixture
def as_nobody(db: None) -> Api:
    return Api(None)


@pytest.fixture
def study(alice: AbstractUser) -> Study:
    """Alice's, open to the team, READY, its trials run by scripts."""
    return make_study(alice)


@pytest.fixture
def private(alice: AbstractUser) -> Study:
    """Alice's alone."""
    return make_study(alice, visibility="private")


@pytest.fixture
def running(alice: AbstractUser) -> Study:
    """Alice's, open to the team, RUNNING."""
    return make_study(alice, started=True)


@pytest.fixture
def count_queries(db: None) -> Callable[[Callable[[], Any]], int]:
    """How many queries a call makes."""

    def counted(action: Callable[[], Any]) -> int:
        with CaptureQueriesContext(connection) as queries:
            answer = action()
        assert answer.status_code == 200
        return len(queries)

    return counted


def fields_of(answer: Any) -> dict[str, str]:
    """The fields that a problem names, with their messages; checks that the answer is a problem document."""
    assert answer["Content-Type"] == "application/problem+json"
    document = answer.json()
    assert set(document) == {"type", "title", "status", "detail", "errors"}
    assert document["status"] == answer.status_code
    assert document["detail"]
    return {row["field"]: row["message"] for row in document["errors"]}
