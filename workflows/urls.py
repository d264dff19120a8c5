"""The engine's routes; a trailing slash is taken and omitted alike."""

from django.urls import URLPattern, re_path

from workflows import api

SLUG = r"(?P<slug>[a-z0-9][a-z0-9-]{0,99})"

urlpatterns: list[URLPattern] = [
    re_path(r"^api/v1/workflows/?$", api.WorkflowList.as_view(), name="workflows"),
    re_path(r"^api/v1/workflows/schema/?$", api.Schema.as_view(), name="workflow-schema"),
    re_path(rf"^api/v1/workflows/{SLUG}/?$", api.WorkflowDetail.as_view(), name="workflow"),
    re_path(rf"^api/v1/workflows/{SLUG}/validate/?$", api.Validate.as_view(), name="workflow-validate"),
    re_path(rf"^api/v1/workflows/{SLUG}/publish/?$", api.Publish.as_view(), name="workflow-publish"),
    re_path(rf"^api/v1/workflows/{SLUG}/pause/?$", api.Pause.as_view(), name="workflow-pause"),
    re_path(rf"^api/v1/workflows/{SLUG}/resume/?$", api.Resume.as_view(), name="workflow-resume"),
    re_path(rf"^api/v1/workflows/{SLUG}/archive/?$", api.Archive.as_view(), name="workflow-archive"),
    re_path(rf"^api/v1/workflows/{SLUG}/versions/?$", api.VersionList.as_view(), name="workflow-versions"),
    re_path(rf"^api/v1/workflows/{SLUG}/enrolments/?$", api.EnrolmentList.as_view(), name="workflow-enrolments"),
]
