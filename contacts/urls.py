from django.urls import URLPattern, URLResolver, re_path

from contacts.api import contacts, events, history

UUID = r"(?P<public_id>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"

urlpatterns: list[URLPattern | URLResolver] = [
    re_path(r"^api/v1/events/?$", events.record_events, name="events"),
    re_path(r"^api/v1/contacts/?$", contacts.ContactList.as_view(), name="contacts"),
    re_path(r"^api/v1/contacts/bulk/?$", contacts.ContactBulk.as_view(), name="contacts-bulk"),
    re_path(rf"^api/v1/contacts/{UUID}/?$", contacts.ContactDetail.as_view(), name="contact"),
    re_path(rf"^api/v1/contacts/{UUID}/timeline/?$", history.Timeline.as_view(), name="contact-timeline"),
    re_path(rf"^api/v1/contacts/{UUID}/consents/?$", history.Consents.as_view(), name="contact-consents"),
]
