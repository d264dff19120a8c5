"""The engine's routes; a trailing slash is taken and omitted alike."""

from django.urls import URLPattern, re_path

from workflows.api import dead_letters as api_dead_letters
from workflows.api import enrolments as api_enrolments
from workflows.api import entries as api_entries
from workflows.api import plan as api_plan
from workflows.api import rehearsals as api_rehearsals
from workflows.api import unfilled as api_unfilled
from workflows.api import versions as api_versions
from workflows.api import why as api_why
from workflows.api import workflows as api

UUID = r"(?P<public_id>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"
SLUG = r"(?P<slug>[a-z0-9][a-z0-9-]{0,99})"
NUMBER = r"(?P<number>[1-9][0-9]{0,8})"

urlpatterns: list[URLPattern] = [
    re_path(r"^api/v1/workflows/?$", api.WorkflowList.as_view(), name="workflows"),
    re_path(r"^api/v1/workflows/schema/?$", api.Schema.as_view(), name="workflow-schema"),
    re_path(r"^api/v1/workflows/dead-letters/?$", api_dead_letters.DeadLetterList.as_view(), name="dead-letters"),
    *[
        re_path(rf"^api/v1/workflows/dead-letters/{UUID}/{deed}/?$", view.as_view(), name=f"dead-letter-{deed}")
        for deed, view in (
            ("retry", api_dead_letters.Retry),
            ("skip", api_dead_letters.Skip),
            ("exit", api_dead_letters.Exit),
        )
    ],
    re_path(rf"^api/v1/workflows/{SLUG}/release/?$", api_dead_letters.ReleaseBrake.as_view(), name="workflow-release"),
    re_path(rf"^api/v1/workflows/{SLUG}/?$", api.WorkflowDetail.as_view(), name="workflow"),
    re_path(rf"^api/v1/workflows/{SLUG}/validate/?$", api.Validate.as_view(), name="workflow-validate"),
    re_path(rf"^api/v1/workflows/{SLUG}/missing/?$", api_unfilled.Missing.as_view(), name="workflow-missing"),
    re_path(rf"^api/v1/workflows/{SLUG}/publish/?$", api.Publish.as_view(), name="workflow-publish"),
    re_path(rf"^api/v1/workflows/{SLUG}/pause/?$", api.Pause.as_view(), name="workflow-pause"),
    re_path(rf"^api/v1/workflows/{SLUG}/resume/?$", api.Resume.as_view(), name="workflow-resume"),
    re_path(rf"^api/v1/workflows/{SLUG}/archive/?$", api.Archive.as_view(), name="workflow-archive"),
    re_path(rf"^api/v1/workflows/{SLUG}/versions/?$", api.VersionList.as_view(), name="workflow-versions"),
    re_path(rf"^api/v1/workflows/{SLUG}/versions/{NUMBER}/?$", api_versions.VersionDetail.as_view(), name="version"),
    re_path(rf"^api/v1/workflows/{SLUG}/versions/{NUMBER}/diff/?$", api_versions.Diff.as_view(), name="version-diff"),
    re_path(rf"^api/v1/workflows/{SLUG}/versions/{NUMBER}/restore/?$", api_versions.Restore.as_view(), name="restore"),
    re_path(rf"^api/v1/workflows/{SLUG}/export/?$", api_versions.Export.as_view(), name="workflow-export"),
    re_path(rf"^api/v1/workflows/{SLUG}/rehearse/?$", api_rehearsals.Rehearse.as_view(), name="workflow-rehearse"),
    re_path(
        rf"^api/v1/workflows/{SLUG}/rehearse/{UUID}/?$",
        api_rehearsals.RehearsalDetail.as_view(),
        name="workflow-rehearsal",
    ),
    re_path(
        rf"^api/v1/workflows/{SLUG}/rehearse/{UUID}/stop/?$",
        api_rehearsals.RehearsalStop.as_view(),
        name="workflow-rehearsal-stop",
    ),
    re_path(rf"^api/v1/workflows/{SLUG}/plan/?$", api_plan.PlanView.as_view(), name="workflow-plan"),
    re_path(rf"^api/v1/workflows/{SLUG}/plan/{UUID}/?$", api_plan.PlanDetail.as_view(), name="workflow-plan-detail"),
    re_path(rf"^api/v1/workflows/{SLUG}/plan/{UUID}/undo/?$", api_plan.Undo.as_view(), name="workflow-plan-undo"),
    re_path(rf"^api/v1/workflows/{SLUG}/enrolments/?$", api.EnrolmentList.as_view(), name="workflow-enrolments"),
    re_path(rf"^api/v1/workflows/{SLUG}/enrol/?$", api_entries.Enrol.as_view(), name="workflow-enrol"),
    re_path(rf"^api/v1/workflows/{SLUG}/runs/?$", api_entries.RunList.as_view(), name="workflow-runs"),
    re_path(rf"^api/v1/workflows/{SLUG}/runs/{UUID}/?$", api_entries.RunDetail.as_view(), name="workflow-run"),
    re_path(rf"^api/v1/workflows/{SLUG}/runs/{UUID}/stop/?$", api_entries.RunStop.as_view(), name="workflow-run-stop"),
    re_path(
        rf"^api/v1/workflows/enrolments/{UUID}/remove/?$",
        api_enrolments.RemoveEnrolment.as_view(),
        name="enrolment-remove",
    ),
    re_path(rf"^api/v1/enrolments/{UUID}/remove/?$", api_enrolments.RemoveEnrolment.as_view(schema=None)),  # the same
    re_path(rf"^api/v1/contacts/{UUID}/why/?$", api_why.WhyView.as_view(), name="contact-why"),
]
