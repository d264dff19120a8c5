from django.urls import URLPattern, URLResolver, re_path

from contacts import confirming
from contacts.api import (
    audiences,
    catalogue,
    conditions,
    consents,
    contacts,
    events,
    export,
    history,
    imports,
    merges,
    privacy,
    segments,
)
from contacts.collect import snippet
from contacts.collect.segment import routes as segment

UUID = r"(?P<public_id>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"
SLUG = r"(?P<slug>[a-z0-9_-]{1,100})"

urlpatterns: list[URLPattern | URLResolver] = [
    re_path(r"^t\.js$", snippet.serve, name="snippet"),
    *segment.urlpatterns,
    re_path(r"^api/v1/events/?$", events.record_events, name="events"),
    re_path(r"^api/v1/events/catalogue/?$", catalogue.EventCatalogue.as_view(), name="event-catalogue"),
    re_path(r"^api/v1/contacts/?$", contacts.ContactList.as_view(), name="contacts"),
    re_path(r"^api/v1/contacts/bulk/?$", contacts.ContactBulk.as_view(), name="contacts-bulk"),
    re_path(r"^api/v1/contacts/merge/?$", merges.Merge.as_view(), name="contacts-merge"),
    re_path(r"^api/v1/contacts/export/?$", export.ContactExport.as_view(), name="contacts-export"),
    re_path(r"^api/v1/imports/?$", imports.ImportList.as_view(), name="imports"),
    re_path(r"^api/v1/imports/(?P<run_id>[0-9]{1,18})/?$", imports.ImportDetail.as_view(), name="import"),
    re_path(rf"^api/v1/contacts/{UUID}/merges/?$", merges.ContactMerges.as_view(), name="contact-merges"),
    re_path(r"^api/v1/merges/(?P<merge_id>[0-9]{1,18})/undo/?$", merges.MergeUndo.as_view(), name="merge-undo"),
    re_path(rf"^api/v1/contacts/{UUID}/?$", contacts.ContactDetail.as_view(), name="contact"),
    re_path(rf"^api/v1/contacts/{UUID}/timeline/?$", history.Timeline.as_view(), name="contact-timeline"),
    re_path(rf"^api/v1/contacts/{UUID}/consents/?$", consents.Consents.as_view(), name="contact-consents"),
    re_path(rf"^api/v1/contacts/{UUID}/opt-in/?$", consents.OptIn.as_view(), name="contact-opt-in"),
    re_path(rf"^api/v1/contacts/{UUID}/export/?$", privacy.Export.as_view(), name="contact-export"),
    re_path(rf"^api/v1/contacts/{UUID}/erase/?$", privacy.Erase.as_view(), name="contact-erase"),
    re_path(rf"^api/v1/contacts/{UUID}/restrict/?$", privacy.Restrict.as_view(), name="contact-restrict"),
    re_path(rf"^api/v1/contacts/{UUID}/unrestrict/?$", privacy.Unrestrict.as_view(), name="contact-unrestrict"),
    re_path(r"^api/v1/tags/?$", audiences.TagList.as_view(), name="tags"),
    re_path(r"^api/v1/tags/(?P<name>.+?)/contacts/?$", audiences.TagContacts.as_view(), name="tag-contacts"),
    re_path(r"^api/v1/tags/(?P<name>.+?)/?$", audiences.TagDetail.as_view(), name="tag"),
    re_path(r"^api/v1/lists/?$", audiences.ListList.as_view(), name="lists"),
    re_path(rf"^api/v1/lists/{SLUG}/?$", audiences.ListDetail.as_view(), name="list"),
    re_path(rf"^api/v1/lists/{SLUG}/contacts/?$", audiences.ListContacts.as_view(), name="list-contacts"),
    re_path(r"^api/v1/segments/?$", segments.SegmentList.as_view(), name="segments"),
    re_path(r"^api/v1/segments/preview/?$", segments.SegmentPreview.as_view(), name="segments-preview"),
    re_path(rf"^api/v1/segments/{SLUG}/?$", segments.SegmentDetail.as_view(), name="segment"),
    re_path(rf"^api/v1/segments/{SLUG}/contacts/?$", segments.SegmentContacts.as_view(), name="segment-contacts"),
    re_path(r"^confirm/(?P<token>[^/]+)/?$", confirming.confirm, name="confirm"),
    re_path(r"^api/v1/conditions/catalogue/?$", conditions.ConditionCatalogue.as_view(), name="condition-catalogue"),
    re_path(r"^api/v1/conditions/explain/?$", conditions.ConditionExplain.as_view(), name="condition-explain"),
]
