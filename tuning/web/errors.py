"""What selectors and services refuse, as pages: the one place where a domain error becomes an HTTP status."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render

from tuning.services.errors import Conflict, Forbidden, Invalid, NotFound, ServiceError

View = Callable[..., HttpResponseBase]


class SignedInRequest(HttpRequest):
    """What a view behind `signed_in` gets: its user is a person."""

    user: User


STATUS: tuple[tuple[type[ServiceError], int, str], ...] = (
    (NotFound, 404, "There is no such page"),
    (Forbidden, 403, "You may not do this"),
    (Conflict, 409, "This is not possible now"),
    (Invalid, 400, "This cannot be taken"),
    (ServiceError, 400, "This cannot be taken"),
)


def error_page(request: HttpRequest, error: ServiceError) -> HttpResponse:
    """The page that says what was refused, with the status of its kind."""
    status, title = next((status, title) for kind, status, title in STATUS if isinstance(error, kind))
    return render(
        request,
        "tuning/error.html",
        {"status": status, "title": title, "message": error.message},
        status=status,
    )


def signed_in(view: View) -> View:
    """A view for signed-in people; what selectors and services refuse becomes an error page."""

    @login_required
    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            return view(request, *args, **kwargs)
        except ServiceError as error:
            return error_page(request, error)

    return guarded
