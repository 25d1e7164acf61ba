"""What every endpoint shares: strict input, JSON whatever the Accept header says, problem documents for
refusals.
"""

from collections.abc import Iterable, Mapping
from typing import Any, cast

from django.contrib.auth.models import User
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tuning.api.body import StrictJSON
from tuning.api.schema import ProblemSchema
from tuning.api.serializers.strict import Nothing, StrictSerializer

RETRY_SECONDS = 2


class AlwaysFirst(BaseContentNegotiation):
    """The first parser that fits the body, and the first renderer: `?format=` belongs to the endpoints."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        """The parser of the body's media type; None where there is none, which is answered with 415."""
        kind = (request.content_type or "").partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == kind), None)

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        first = next(iter(renderers))
        return first, str(first.media_type)


class Endpoint(APIView):
    """Base of the views: they read `body` and `query`, call one service or selector, and serialise."""

    parser_classes = [StrictJSON]
    content_negotiation_class = AlwaysFirst
    schema = ProblemSchema()

    @property
    def person(self) -> User:
        """Who is asking; permission has been checked before a method runs."""
        return cast(User, self.request.user)

    def body(self, shape: type[StrictSerializer] = Nothing) -> dict[str, Any]:
        """The request's body in this shape. Raises ValidationError."""
        return _validated(shape, self.request.data)

    def bodies(self, shape: type[StrictSerializer]) -> list[dict[str, Any]]:
        """The body as one object of this shape or a list of them, at least one. Raises ValidationError."""
        if not isinstance(self.request.data, list):
            return [self.body(shape)]
        serializer = shape(data=self.request.data, many=True, allow_empty=False)
        serializer.is_valid(raise_exception=True)
        return cast(list[dict[str, Any]], serializer.validated_data)

    def query(self, shape: type[StrictSerializer] = Nothing) -> dict[str, Any]:
        """The query string in this shape. Raises ValidationError, also for a parameter given twice."""
        fields = shape().fields
        data: dict[str, Any] = {}
        for name, values in self.request.query_params.lists():
            several = isinstance(fields.get(name), serializers.MultipleChoiceField)
            if len(values) > 1 and not several:
                raise serializers.ValidationError({name: [f"Give it once; it is here {len(values)} times."]})
            data[name] = values if several else values[0]
        return _validated(shape, data)


def _validated(shape: type[StrictSerializer], data: Any) -> dict[str, Any]:
    serializer = shape(data=data)
    serializer.is_valid(raise_exception=True)
    return cast(dict[str, Any], serializer.validated_data)


def shown(shape: type[serializers.Serializer[Any]], value: Any, *, many: bool = False) -> Any:
    """`value` in this shape, ready for a Response."""
    return shape(value, many=many).data


def computed(document: Mapping[str, Any]) -> Response:
    """What workers compute in the background: 202 where it is not `ready`, and when to ask again."""
    if document["ready"]:
        return Response(document)
    return Response(document, status=202, headers={"Retry-After": str(RETRY_SECONDS)})


@extend_schema(exclude=True)
class Unknown(Endpoint):
    """What lies at no address of the interface."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        remedy = "" if request.path.endswith("/") else " Addresses end with a slash."
        raise NotFound(
            f"There is nothing at {request.path}.{remedy} The schema is at {reverse('api-schema')}."
        )
