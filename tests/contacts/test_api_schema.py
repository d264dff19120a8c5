"""The OpenAPI document of the ground floor's addresses."""

from __future__ import annotations

from django.test import override_settings
from drf_spectacular.generators import SchemaGenerator

from contacts import urls
from contacts.api import schema


@override_settings(ROOT_URLCONF="contacts.urls")
def test_every_address_is_described():
    document = SchemaGenerator(patterns=urls.urlpatterns).get_schema(request=None, public=True)
    document = schema.describe_events(document, None, None, True)
    one = "/api/v1/contacts/{public_id}/"
    assert {path: set(each) & {"get", "post", "patch"} for path, each in document["paths"].items()} == {
        "/api/v1/events": {"post"},
        "/api/v1/contacts/": {"get", "post"},
        "/api/v1/contacts/bulk/": {"post"},
        one: {"get", "patch"},
        f"{one}timeline/": {"get"},
        f"{one}consents/": {"get"},
    }
    schemes = document["components"]["securitySchemes"]
    assert schemes["apiKey"]["scheme"] == "bearer"
    batch = document["paths"]["/api/v1/events"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert batch["properties"]["events"]["maxItems"] == 1000
