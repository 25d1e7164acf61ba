"""Fragments that pages poll: nothing new costs a 304, a version is rendered once, and polling ends by itself.

A page names its version in a tag. htmx sends the tag back as If-None-Match (set by the fragment itself, so that the
browser's own cache stays out of it); where it is still right, the answer is 304 and the page keeps what it shows.
"""

import hashlib
from collections.abc import Callable
from typing import Any

from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

STOP_POLLING = 286  # htmx swaps the answer and asks no more
CACHE_SECONDS = 300


def is_fragment(request: HttpRequest) -> bool:
    """Whether htmx asks for the changing part of the page only."""
    return request.headers.get("HX-Request") == "true"


def tag_of(*parts: object) -> str:
    """An entity tag for what `parts` identify."""
    return '"' + hashlib.sha256(repr(parts).encode()).hexdigest()[:24] + '"'


def unchanged(request: HttpRequest, tag: str) -> HttpResponse | None:
    """The 304 answer to a poll whose page already shows `tag`, else None."""
    if is_fragment(request) and request.headers.get("If-None-Match") == tag:
        return finished(HttpResponse(status=304), tag)
    return None


def once(tag: str, make: Callable[[], Any]) -> Any:
    """What `make` returns, made once for a tag and then taken from the cache."""
    key = f"fragment:{tag}"
    made = cache.get(key)
    if made is None:
        made = make()
        cache.set(key, made, CACHE_SECONDS)
    return made


def page_or_fragment(
    request: HttpRequest, page: str, fragment: str, context: dict[str, Any], *, tag: str, live: bool
) -> HttpResponse:
    """The whole page, or for a poll its changing part; a fragment that will not change again ends the polling."""
    context = {**context, "tag": tag, "live": live, "poll_url": request.get_full_path()}
    if not is_fragment(request):
        return finished(render(request, page, context), tag)
    return finished(render(request, fragment, context, status=200 if live else STOP_POLLING), tag)


def finished(response: HttpResponse, tag: str) -> HttpResponse:
    """Page and fragment share an address: neither may be taken from a cache for the other."""
    response["ETag"] = tag
    response["Cache-Control"] = "no-store"
    response["Vary"] = "HX-Request, Cookie"
    return response
