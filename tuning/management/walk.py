"""Every address of a study and of its trials, as the URL configuration has them, asked for as its owner would.

What is added there is walked as well. An address with a part that this module cannot fill is an error, not left out.
"""

import html
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RoutePattern

MOST_LINKS = 12  # further addresses of one route that pages link to: a tab with its choices, orders, pages of lists
# Parts of addresses beside the study's and the trial's id, with all that they may be.
PARTS: dict[str, Sequence[str]] = {
    "form": ("json", "yaml", "pt"),
    "verb": ("start", "hold", "pause", "resume", "stop", "delete", "archive", "unarchive"),
}
# Questions that an address answers differently, each asked beside the plain one.
QUESTIONS: dict[str, Sequence[Mapping[str, Any]]] = {
    "api-study-export": [{"format": form} for form in ("csv", "json", "yaml")],
    "api-study-trials": [{"ordering": "-number"}, {"ordering": "value"}],
    "study_compare": [{"trial": "{trials}"}],
    "trial_log": [{"whole": "1"}, {"q": "test"}],
}
_CONVERTER = re.compile(r"<(?:\w+:)?(\w+)>")
_LINK = re.compile(r"""(?:href|hx-get|action)="([^"#]+)""")


class UnknownPart(ValueError):
    """An address of the study has a part that nobody has told how to fill."""


@dataclass(frozen=True)
class Route:
    """One pattern of the URL configuration: its text ("studies/<int:study_id>/"), its name and its variable parts."""

    text: str
    name: str
    parts: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """What an address said: `place` is its route, for a table; `status` that of HTTP."""

    place: str
    address: str
    status: int
    content: bytes


@dataclass
class Walk:
    """The walk of one study: `answers` asks each address once, as a page, as a fragment, and with a token."""

    study_id: int
    trial_ids: Sequence[int]
    owner: User
    token: str
    routes: Sequence[Route] = field(default_factory=lambda: list(routes_of(get_resolver())))

    def __post_init__(self) -> None:
        host = next((name for name in settings.ALLOWED_HOSTS if name != "*"), "localhost").lstrip(".")
        self._client = Client(raise_request_exception=False, SERVER_NAME=host)
        self._client.force_login(self.owner, "django.contrib.auth.backends.ModelBackend")
        self._shapes = {route: re.compile(_CONVERTER.sub("([^/]+?)", route.text)) for route in self.routes}

    def answers(self) -> Iterator[Answer]:
        """Every answer, those of the URL configuration first, then those of the addresses that pages link to.

        Raises UnknownPart.
        """
        waiting = [(route, address) for route in self.routes for address in self.addresses(route)]
        seen = {address for _route, address in waiting}
        links: Counter[Route] = Counter()
        while waiting:
            route, address = waiting.pop(0)
            for answer in self._ask(route, address):
                yield answer
                for found, link in self._links(answer):
                    if link not in seen and links[found] < MOST_LINKS:
                        seen.add(link)
                        links[found] += 1
                        waiting.append((found, link))

    def addresses(self, route: Route) -> list[str]:
        """The addresses of a route that are of this study or of nothing in particular. Raises UnknownPart."""
        own = {"study_id", "trial_id"} & set(route.parts)
        if route.parts and not own:
            return []  # of a host, a person, a workload
        filled = [route.text]
        for part in route.parts:
            if part not in ("study_id", "trial_id", *PARTS):
                raise UnknownPart(
                    f"The audit cannot fill <{part}> of /{route.text}; say in PARTS of tuning.management.walk what it "
                    "may be."
                )
            known = {"study_id": [self.study_id], "trial_id": self.trial_ids, **PARTS}[part]
            shape = re.compile(rf"<(?:\w+:)?{part}>")
            filled = [shape.sub(str(value), text) for text in filled for value in known]
        questions = [{}, *QUESTIONS.get(route.name, ())]
        return [f"/{text}{self._query(question)}" for text in filled for question in questions]

    def _query(self, question: Mapping[str, Any]) -> str:
        given = {name: list(self.trial_ids) if value == "{trials}" else value for name, value in question.items()}
        return f"?{urlencode(given, doseq=True)}" if given else ""

    def _ask(self, route: Route, address: str) -> Iterator[Answer]:
        if route.text.startswith("api/"):
            heads: list[dict[str, str]] = [{"Authorization": f"Token {self.token}"}]
        else:
            heads = [{}, {"HX-Request": "true"}]
        for headers in heads:
            answer = self._client.get(address, headers=headers, secure=settings.SECURE_SSL_REDIRECT)
            content = answer.getvalue()  # to its end: closing it once more would close the connection to the database
            told = "\n".join(f"{name}: {value}" for name, value in answer.items()).encode()
            yield Answer(f"/{route.text}", address, answer.status_code, told + b"\n" + content)
            if answer.status_code == 405:
                return

    def _links(self, answer: Answer) -> Iterator[tuple[Route, str]]:
        if b"text/html" not in answer.content[:2_000]:
            return
        for link in _LINK.findall(answer.content.decode("utf-8", "replace")):
            address = urljoin(answer.address, html.unescape(link))
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            for route, shape in self._shapes.items():
                if (match := shape.fullmatch(parts.path.lstrip("/"))) and self._is_own(route, match.groups()):
                    yield route, address
                    break

    def _is_own(self, route: Route, values: Sequence[str]) -> bool:
        """Whether an address is of this study, or of a trial that is looked at."""
        given = dict(zip(route.parts, values, strict=True))
        if "trial_id" in given:
            return given["trial_id"].isdecimal() and int(given["trial_id"]) in self.trial_ids
        return given.get("study_id") == str(self.study_id)


def routes_of(resolver: URLResolver, before: str = "") -> Iterator[Route]:
    """The routes below a resolver; an expression that catches everything else is none."""
    for entry in resolver.url_patterns:
        if not isinstance(entry.pattern, RoutePattern):
            continue
        text = before + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from routes_of(entry, text)
        elif isinstance(entry, URLPattern):
            yield Route(text, entry.name or "", tuple(_CONVERTER.findall(text)))
