"""Browsers of the three people, and what many page tests ask of an answer."""

import html
import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client


@pytest.fixture(autouse=True)
def _quick_passwords(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def browser_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def as_alice(alice: User) -> Client:
    return browser_of(alice)


@pytest.fixture
def as_bob(bob: User) -> Client:
    return browser_of(bob)


@pytest.fixture
def as_charlie(charlie: User) -> Client:
    return browser_of(charlie)


def words(response: HttpResponse) -> str:
    """What a person reads: the text without tags, white space in one."""
    text = re.sub(r"<(script|template|style)\b.*?</\1>", " ", response.content.decode(), flags=re.S)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", text))).strip()


def poll(client: Client, address: str, tag: str = "") -> HttpResponse:
    """The request that htmx makes: for the fragment, with the tag of what the page shows."""
    return client.get(address, headers={"HX-Request": "true", **({"If-None-Match": tag} if tag else {})})
