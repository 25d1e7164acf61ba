"""The OpenAPI document: what drf-spectacular cannot see from the serializers, and the page that shows it."""

from typing import Any, Literal

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.request import Request
from rest_framework.response import Response

from tuning.api.errors import CONTENT_TYPE
from tuning.api.serializers.problems import Problem

WORDS = {
    400: "A field or a query parameter is wrong; `errors` names it and says what would be right.",
    401: "There is no valid token; `WWW-Authenticate` says how to send one.",
    403: "You may look at this but not change it.",
    404: "There is no such thing, or you may not see it.",
    409: "The state of the study or trial forbids it; `detail` says which state, and what would be possible.",
    413: "The body is too long.",
    415: "The body is not application/json.",
    429: "Too many requests; `Retry-After` says how many seconds to wait.",
}


class ProblemSchema(AutoSchema):
    """Adds to each operation the refusals that it can answer with, as problem documents."""

    def _get_response_bodies(self, direction: Literal["request", "response"] = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        for status in self._refusals():
            refusal = OpenApiResponse(Problem, description=WORDS[status])
            bodies[str(status)] = self._get_response_for_code(
                refusal, str(status), media_types=[CONTENT_TYPE]
            )
        return bodies

    def _refusals(self) -> list[int]:
        refusals = [400, 401, 429]
        if self.method != "GET":
            refusals += [403, 409, 413, 415]
        if "{" in self.path:
            refusals.append(404)
        return sorted(refusals)


class SchemaView(SpectacularAPIView):
    """This description, as OpenAPI."""

    schema = ProblemSchema()

    @extend_schema(
        summary="The OpenAPI document",
        description="This interface as an OpenAPI document, in YAML or JSON.",
        tags=["schema"],
        request=None,
        responses={200: OpenApiTypes.OBJECT},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class DocsView(SpectacularSwaggerSplitView):
    """Swagger UI from this server's own files: its script is a file of its own, so a strict CSP holds."""

    url_name = "api-schema"
    template_name = "api/docs.html"
