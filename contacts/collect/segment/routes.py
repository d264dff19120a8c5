"""With and without a slash at the end alike. The one-letter names are those of the browser client."""

from __future__ import annotations

from django.urls import URLPattern, re_path

from contacts.collect.segment import views
from contacts.collect.segment.messages import KINDS

urlpatterns: list[URLPattern] = [
    *(re_path(rf"^v1/(?:{kind}|{kind[0]})/?$", views.record, {"kind": kind}, name=f"segment-{kind}") for kind in KINDS),
    re_path(r"^v1/(?:batch|b)/?$", views.record, {"kind": ""}, name="segment-batch"),
    re_path(r"^v1/import/?$", views.record, {"kind": "", "lane": "bulk"}, name="segment-import"),
    re_path(r"^v1/projects/(?P<write_key>[^/]+)/settings/?$", views.project, name="segment-project"),
    re_path(r"^v1/", views.nothing_here, name="segment-nothing"),
]
