from django.conf import settings
from django.urls import URLPattern, URLResolver, re_path
from django.views.generic import RedirectView

from delivery.api import ledger as api
from delivery.api import templates as template_api
from delivery.public import views
from delivery.webhooks import entrance

urlpatterns: list[URLPattern | URLResolver] = [
    re_path(r"^u/(?P<token>[^/]+)/?$", views.unsubscribe, name="unsubscribe"),
    re_path(r"^webhooks/(?P<provider>[a-z_]+)/?$", entrance.receive, name="webhook"),
    re_path(r"^api/v1/suppressions/?$", api.Suppressions.as_view(), name="suppressions"),
    re_path(r"^api/v1/templates/?$", template_api.TemplateList.as_view(), name="templates"),
    re_path(
        r"^api/v1/templates/(?P<slug>[-a-zA-Z0-9_]{1,100})/?$", template_api.TemplateDetail.as_view(), name="template"
    ),
    re_path(r"^api/v1/messages/?$", api.Messages.as_view(), name="messages"),
    re_path(r"^api/v1/providers/(?P<name>[a-z_]+)/resume/?$", api.ResumeProvider.as_view(), name="resume-provider"),
]

if settings.EMAIL_PROVIDER == "sandbox":
    inbox = RedirectView.as_view(pattern_name="admin:delivery_sandboxmail_changelist")
    urlpatterns.append(re_path(r"^sandbox/?$", inbox, name="sandbox-inbox"))
