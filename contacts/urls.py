from django.urls import URLPattern, URLResolver, re_path

from contacts import api, api_schema, contact_api  # noqa: F401  (api_schema registers itself with the OpenAPI generator)

UUID = r"(?P<public_id>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"

urlpatterns: list[URLPattern | URLResolver] = [
    re_path(r"^api/v1/events/?$", api.record_events, name="events"),
    re_path(r"^api/v1/contacts/?$", contact_api.ContactList.as_view(), name="contacts"),
    re_path(rf"^api/v1/contacts/{UUID}/?$", contact_api.ContactDetail.as_view(), name="contact"),
]
