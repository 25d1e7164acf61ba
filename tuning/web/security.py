"""Middleware: the Content-Security-Policy of every page, and the password that must be changed first."""

from collections.abc import Callable

from django.core.exceptions import ObjectDoesNotExist
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

Answer = Callable[[HttpRequest], HttpResponse]

# static/vendor/README.md says what was measured. The two hashes allow two exact style attributes that Plotly writes:
# an empty one on colour bars, and image-rendering on heat maps.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "style-src-attr 'unsafe-hashes' 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"
        " 'sha256-AR/cKIZjWPcPmBUPDA6oti9XBiTbJvz0Cro2J1VzzS8='",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "font-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
OWN_CHOICE = "signed_in_with_own_choice"


class ContentSecurityPolicy:
    """Sends the policy with every answer; a view that needs another one sets the header itself."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", POLICY)
        return response


class PasswordChangeRequired:
    """Leads a person whose password was made for them to the page where they choose their own, and nowhere else.

    Once it is known to be their own the session remembers it, so that polling costs no query for this.
    """

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated and not request.session.get(OWN_CHOICE):
            if not must_change_password(request):
                request.session[OWN_CHOICE] = True
            elif request.path not in (reverse("password_change"), reverse("logout"), reverse("healthz")):
                return redirect("password_change")
        return self.get_response(request)


def must_change_password(request: HttpRequest) -> bool:
    """Whether the signed-in person still has the password that was made for them."""
    try:
        return bool(request.user.account.must_change_password)  # type: ignore[union-attr]
    except ObjectDoesNotExist:
        return False
