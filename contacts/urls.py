from django.urls import URLPattern, URLResolver, re_path

from contacts import api, contact_api, history_api

UUID = r"(?P<public_id>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"

urlpatterns: list[URLPattern | URLResolver] = [
    re_path(r"^api/v1/events/?$", api.record_events, name="events"),
    re_path(r"^api/v1/contacts/?$", contact_api.ContactList.as_view(), name="contacts"),
    re_path(r"^api/v1/contacts/bulk/?$", contact_api.ContactBulk.as_view(), name="contacts-bulk"),
    re_path(rf"^api/v1/contacts/{UUID}/?$", contact_api.ContactDetail.as_view(), name="contact"),
    re_path(rf"^api/v1/contacts/{UUID}/timeline/?$", history_api.Timeline.as_view(), name="contact-timeline"),
    re_path(rf"^api/v1/contacts/{UUID}/consents/?$", history_api.Consents.as_view(), name="contact-consents"),
]
