"""Every refusal as a problem document (RFC 9457), from one place.

`errors` names each field at fault by its dotted path ("space.lr.low"); `type` is "about:blank" where the
status says it all, and a URN where a script may want to act on the difference.
"""

import math
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.http import Http404
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import set_rollback

from tuning.api.body import TooLarge
from tuning.services.errors import Conflict, Forbidden, Invalid, NotFound, ServiceError, StaleLease

CONTENT_TYPE = "application/problem+json"
BLANK = "about:blank"
INVALID = "urn:hpweb:problem:invalid"
STALE_LEASE = "urn:hpweb:problem:stale-lease"

# The most particular class comes first: StaleLease is a Conflict.
SERVICE_PROBLEMS: tuple[tuple[type[ServiceError], HTTPStatus, str], ...] = (
    (Invalid, HTTPStatus.BAD_REQUEST, INVALID),
    (Forbidden, HTTPStatus.FORBIDDEN, BLANK),
    (NotFound, HTTPStatus.NOT_FOUND, BLANK),
    (StaleLease, HTTPStatus.CONFLICT, STALE_LEASE),
    (Conflict, HTTPStatus.CONFLICT, BLANK),
    (ServiceError, HTTPStatus.BAD_REQUEST, BLANK),
)


def problem_response(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler. None, which DRF raises again, for what is no refusal but a fault of the
    server.
    """
    if isinstance(error, ServiceError):
        status, kind = next((code, urn) for cls, code, urn in SERVICE_PROBLEMS if isinstance(error, cls))
        document = problem(status, error.message, kind=kind, errors=field_errors(error))
        headers: dict[str, str] = {}
    else:
        refusal = _refusal(error)
        if refusal is None:
            return None
        status = HTTPStatus(refusal.status_code)
        headers = _headers(refusal)
        if isinstance(refusal, exceptions.ValidationError):
            errors = list(_flatten(refusal.detail))
            words = "; ".join(_sentence(entry) for entry in errors)
            document = problem(status, words, kind=INVALID, errors=errors)
        else:
            document = problem(status, str(refusal.detail))
    set_rollback()
    return Response(document, status=status, headers=headers, content_type=CONTENT_TYPE)


def problem(
    status: HTTPStatus, detail: str, *, kind: str = BLANK, errors: list[dict[str, str]] | None = None
) -> dict[str, Any]:
    """One problem document."""
    return {
        "type": kind,
        "title": "Invalid input"
        if kind == INVALID
        else "Stale lease"
        if kind == STALE_LEASE
        else status.phrase,
        "status": int(status),
        "detail": detail,
        "errors": errors or [],
    }


def field_errors(error: ServiceError) -> list[dict[str, str]]:
    """The fields that an Invalid names, one row a message; parameters of a space come as "space.lr.low"."""
    if not isinstance(error, Invalid):
        return []
    return [{"field": name, "message": text} for name, messages in error.fields.items() for text in messages]


def _refusal(error: Exception) -> exceptions.APIException | None:
    if isinstance(error, exceptions.APIException):
        return error
    if isinstance(error, Http404):
        return exceptions.NotFound()
    if isinstance(error, PermissionDenied):
        return exceptions.PermissionDenied(*error.args)
    if isinstance(error, RequestDataTooBig):
        return TooLarge()
    return None


def _headers(refusal: exceptions.APIException) -> dict[str, str]:
    headers = {}
    if challenge := getattr(refusal, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if (wait := getattr(refusal, "wait", None)) is not None:
        headers["Retry-After"] = str(max(1, math.ceil(wait)))
    return headers


def _flatten(detail: Any, path: str = "") -> list[dict[str, str]]:
    """DRF's nested error detail as flat rows with dotted paths; list positions are numbers from 0."""
    if isinstance(detail, dict):
        return [
            row
            for key, value in detail.items()
            for row in _flatten(value, path if key == api_settings.NON_FIELD_ERRORS_KEY else _join(path, key))
        ]
    if isinstance(detail, list):
        rows = []
        for position, value in enumerate(detail):
            nested = isinstance(value, dict | list)
            rows += _flatten(value, _join(path, position) if nested else path)
        return rows
    return [{"field": path, "message": str(detail)}]


def _join(path: str, part: Any) -> str:
    return f"{path}.{part}" if path else str(part)


def _sentence(entry: dict[str, str]) -> str:
    return f"{entry['field']}: {entry['message']}" if entry["field"] else entry["message"]
