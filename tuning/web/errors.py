"""What selectors and services refuse, as pages: the one place where a domain error becomes an HTTP status."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.models import User
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.http import url_has_allowed_host_and_scheme

from tuning.services.errors import Conflict, Forbidden, Invalid, NotFound, ServiceError
from tuning.web.polling import is_fragment

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

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return _signed_out(request)
        try:
            answer = view(request, *args, **kwargs)
        except ServiceError as error:
            return error_page(request, error)
        return _only_buttons(request, answer) if isinstance(answer, HttpResponseNotAllowed) else answer

    return guarded


def _signed_out(request: HttpRequest) -> HttpResponse:
    """Leads to the sign-in and from there to where the person was.

    A poll is told by its status instead: the sign-in page in the place of a part would spoil what is still shown.
    """
    if is_fragment(request):
        return HttpResponse("Signed out.", status=401, content_type="text/plain")
    back = request.get_full_path()
    if request.method == "POST":  # its own address takes no visit
        page = request.headers.get("Referer", "")
        ours = url_has_allowed_host_and_scheme(page, {request.get_host()}, request.is_secure())
        back = page if ours else "/"
    return redirect_to_login(back)


def _only_buttons(request: HttpRequest, refused: HttpResponseNotAllowed) -> HttpResponse:
    """The page for a person who visits the address of a button."""
    context = {
        "status": 405,
        "title": "This address is for a button",
        "message": "Opening it does nothing, and nothing was changed. Press the button on its page.",
    }
    page = render(request, "tuning/error.html", context, status=405)
    page["Allow"] = refused["Allow"]
    return page
