from django.conf import settings
from django.urls import URLPattern, URLResolver, re_path
from django.views.generic import RedirectView

from delivery.api import devices, domains, previews, seeds, template_versions, webhook_deliveries, webhook_endpoints
from delivery.api import ledger as api
from delivery.api import templates as template_api
from delivery.public import browsers, link_views, views
from delivery.webhooks import entrance

_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_DEVICES = rf"^api/v1/contacts/(?P<public_id>{_UUID})/devices"
_ENDPOINT = rf"^api/v1/webhook-endpoints/(?P<public_id>{_UUID})"
_TEMPLATE = r"^api/v1/templates/(?P<slug>[-a-zA-Z0-9_]{1,100})"

urlpatterns: list[URLPattern | URLResolver] = [
    re_path(r"^u/(?P<token>[^/]+)/?$", views.unsubscribe, name="unsubscribe"),
    re_path(r"^preferences/(?P<token>[^/]+)/?$", views.preference_centre, name="preferences"),
    re_path(r"^c/(?P<token>(?s:.*))$", link_views.follow, name="link"),
    re_path(r"^o/(?P<token>(?s:.*))\.gif$", link_views.picture, name="picture"),
    re_path(r"^push-worker\.js$", browsers.worker, name="push-worker"),
    re_path(r"^push/key/?$", browsers.key, name="push-key"),
    re_path(r"^push/subscribe/?$", browsers.subscribe, name="push-subscribe"),
    re_path(rf"{_DEVICES}/?$", devices.Devices.as_view(), name="contact-devices"),
    re_path(rf"{_DEVICES}/(?P<device_id>{_UUID})/?$", devices.DeviceDetail.as_view(), name="contact-device"),
    re_path(r"^webhooks/(?P<provider>[a-z_]+)/?$", entrance.receive, name="webhook"),
    re_path(r"^api/v1/sending-domains/?$", domains.SendingDomains.as_view(), name="sending-domains"),
    re_path(r"^api/v1/suppressions/?$", api.Suppressions.as_view(), name="suppressions"),
    re_path(r"^api/v1/templates/?$", template_api.TemplateList.as_view(), name="templates"),
    re_path(rf"{_TEMPLATE}/?$", template_api.TemplateDetail.as_view(), name="template"),
    re_path(rf"{_TEMPLATE}/preview/?$", previews.TemplatePreview.as_view(), name="template-preview"),
    re_path(rf"{_TEMPLATE}/checks/?$", previews.TemplateChecks.as_view(), name="template-checks"),
    re_path(rf"{_TEMPLATE}/missing/?$", previews.TemplateMissing.as_view(), name="template-missing"),
    re_path(rf"{_TEMPLATE}/send-test/?$", previews.TemplateTest.as_view(), name="template-send-test"),
    re_path(rf"{_TEMPLATE}/send-seeds/?$", previews.TemplateSeeds.as_view(), name="template-send-seeds"),
    re_path(rf"{_TEMPLATE}/versions/?$", template_versions.TemplateVersions.as_view(), name="template-versions"),
    re_path(
        rf"{_TEMPLATE}/versions/(?P<number>[0-9]{{1,9}})/?$",
        template_versions.TemplateVersionDetail.as_view(),
        name="template-version",
    ),
    re_path(rf"{_TEMPLATE}/outdated/?$", template_versions.TemplateUses.as_view(), name="template-outdated"),
    re_path(r"^api/v1/seed-addresses/?$", seeds.SeedList.as_view(), name="seed-addresses"),
    re_path(r"^api/v1/seed-addresses/(?P<number>[0-9]{1,18})/?$", seeds.SeedDetail.as_view(), name="seed-address"),
    re_path(r"^api/v1/webhook-endpoints/?$", webhook_endpoints.WebhookEndpoints.as_view(), name="webhook-endpoints"),
    re_path(rf"{_ENDPOINT}/?$", webhook_endpoints.WebhookEndpointDetail.as_view(), name="webhook-endpoint"),
    re_path(rf"{_ENDPOINT}/rotate-secret/?$", webhook_endpoints.RotateSecret.as_view(), name="webhook-rotate-secret"),
    re_path(rf"{_ENDPOINT}/enable/?$", webhook_endpoints.EnableEndpoint.as_view(), name="webhook-enable"),
    re_path(rf"{_ENDPOINT}/disable/?$", webhook_endpoints.DisableEndpoint.as_view(), name="webhook-disable"),
    re_path(rf"{_ENDPOINT}/test/?$", webhook_endpoints.TestEndpoint.as_view(), name="webhook-test"),
    re_path(rf"{_ENDPOINT}/replay/?$", webhook_deliveries.ReplaySpan.as_view(), name="webhook-replay"),
    re_path(rf"{_ENDPOINT}/deliveries/?$", webhook_deliveries.EndpointDeliveries.as_view(), name="webhook-deliveries"),
    re_path(
        rf"{_ENDPOINT}/deliveries/(?P<delivery_id>{_UUID})/replay/?$",
        webhook_deliveries.ReplayDelivery.as_view(),
        name="webhook-delivery-replay",
    ),
    re_path(r"^api/v1/messages/?$", api.Messages.as_view(), name="messages"),
    re_path(r"^api/v1/messages/(?P<message_id>[^/]+)/replay/?$", api.ReplayMessage.as_view(), name="replay-message"),
    re_path(r"^api/v1/providers/(?P<name>[a-z_]+)/resume/?$", api.ResumeProvider.as_view(), name="resume-provider"),
]

if settings.EMAIL_PROVIDER == "sandbox":
    inbox = RedirectView.as_view(pattern_name="admin:delivery_sandboxmail_changelist")
    urlpatterns.append(re_path(r"^sandbox/?$", inbox, name="sandbox-inbox"))
