"""The two faces of hpweb: pages for people, and REST for scripts."""

from django.urls import include, path

urlpatterns = [
    path("api/v1/", include("tuning.api.urls")),
    path("", include("tuning.web.urls")),
]
